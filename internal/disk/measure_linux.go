package disk

import "golang.org/x/sys/unix"

// measure returns how many bytes are free for whoever is not root, and how many there are.
func measure(dir string) (free, size int64, ok bool) {
	var s unix.Statfs_t
	for {
		err := unix.Statfs(dir, &s)
		if err == unix.EINTR {
			continue
		}
		block := int64(s.Frsize)
		return int64(s.Bavail) * block, int64(s.Blocks) * block, err == nil && s.Blocks > 0
	}
}
