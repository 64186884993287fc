package entry

import (
	"syscall"

	"cirro/internal/sandbox/jail/control"
)

// build makes the jail from what a new process inherits, and returns the listening sockets.
func build(m *control.Build, mounts []int) ([]int, error) {
	if err := enterRoot(!contains(m.Targets, "/proc")); err != nil {
		return nil, err
	}
	if err := attach(m.Targets, mounts); err != nil {
		return nil, err
	}
	if err := furnish(m); err != nil {
		return nil, err
	}
	if err := syscall.Sethostname([]byte(m.Hostname)); err != nil {
		return nil, wrap("sethostname", err)
	}
	return listen(m.Listeners)
}

// enterRoot makes an empty file system the root, with a /proc of this namespace if asked, and lets go of
// the host's.
func enterRoot(proc bool) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return wrap("make mounts private", err)
	}
	// Any directory will do to mount the new root on, and this one is everywhere.
	err := syscall.Mount("jail", "/proc", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, "mode=755,size=1m,nr_inodes=1k")
	if err != nil {
		return wrap("mount the root", err)
	}
	if err := syscall.Chdir("/proc"); err != nil {
		return wrap("enter the root", err)
	}
	// In a user namespace the kernel allows a new /proc only while the host's is still in sight.
	if err := syscall.Mkdir("proc", 0o555); err != nil {
		return wrap("make /proc", err)
	}
	if proc {
		err = syscall.Mount("proc", "proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, "hidepid=2")
		if err != nil {
			return wrap("mount /proc", err)
		}
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return wrap("pivot_root", err)
	}
	if err := syscall.Unmount(".", umountDetach); err != nil {
		return wrap("let go of the host's root", err)
	}
	return wrap("enter the root", syscall.Chdir("/"))
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// attach puts detached mounts at their targets, making what they are mounted on.
func attach(targets []string, mounts []int) error {
	if len(targets) != len(mounts) {
		return &fault{"count mounts", syscall.EBADMSG}
	}
	for i, target := range targets {
		var s syscall.Stat_t
		if err := syscall.Fstat(mounts[i], &s); err != nil {
			return wrap("look at "+target, err)
		}
		var err error
		if s.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			err = makeDirectory(target)
		} else {
			err = writeFile(target, "")
		}
		if err != nil {
			return wrap("make "+target, err)
		}
		if err := moveMount(mounts[i], target); err != nil {
			return wrap("mount "+target, err)
		}
		syscall.Close(mounts[i])
	}
	return nil
}

// furnish makes what every root has.
func furnish(m *control.Build) error {
	for _, d := range []string{"/dev", "/etc", "/tmp"} {
		if err := makeDirectory(d); err != nil {
			return wrap("make "+d, err)
		}
	}
	links := [][2]string{
		{"/proc/self/fd", "/dev/fd"}, {"fd/0", "/dev/stdin"}, {"fd/1", "/dev/stdout"}, {"fd/2", "/dev/stderr"},
	}
	for _, l := range links {
		if err := syscall.Symlink(l[0], l[1]); err != nil {
			return wrap("link "+l[1], err)
		}
	}
	for _, f := range m.Files {
		if err := writeFile(f.Path, f.Content); err != nil {
			return wrap("write "+f.Path, err)
		}
	}
	for _, h := range m.Hide {
		err := syscall.Mount("/dev/null", h, "", syscall.MS_BIND, "")
		if err != nil && err != syscall.ENOENT {
			return wrap("hide "+h, err)
		}
	}
	cwd := atFDCWD
	return wrap("make /proc read-only", restrict(cwd, "/proc", atRecursive, attrReadOnly))
}

// makeDirectory makes a directory and those over it; one that is there is fine.
func makeDirectory(at string) error {
	for i := 1; i <= len(at); i++ {
		if i < len(at) && at[i] != '/' {
			continue
		}
		if err := syscall.Mkdir(at[:i], 0o755); err != nil && err != syscall.EEXIST {
			// A parent may lie on a read-only mount that has it.
			if i == len(at) || err != syscall.EROFS {
				return err
			}
		}
	}
	return nil
}

// writeFile makes a file with its directory; without content, one that is there is fine.
func writeFile(at, content string) error {
	for i := len(at) - 1; i > 0; i-- {
		if at[i] == '/' {
			if err := makeDirectory(at[:i]); err != nil {
				return err
			}
			break
		}
	}
	if content == "" {
		var s syscall.Stat_t
		if syscall.Stat(at, &s) == nil {
			return nil
		}
	}
	fd, err := syscall.Open(at, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC|syscall.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	for b := []byte(content); len(b) > 0; {
		n, err := syscall.Write(fd, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// bytesPerInode is what a file system on disk has by default.
const bytesPerInode = 16 << 10

// mountTmp makes a /tmp in memory.
func mountTmp(size int64) error {
	if size <= 0 {
		return nil
	}
	options := "mode=1777,size=" + decimal(size) + ",nr_inodes=" + decimal(size/bytesPerInode+64)
	return wrap("mount /tmp", syscall.Mount("tmp", "/tmp", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, options))
}

// seal makes the root read-only, once all is in it.
func seal() error {
	cwd := atFDCWD
	return wrap("make the root read-only", restrict(cwd, "/", 0, attrReadOnly))
}

func decimal(n int64) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return decimal(n/10) + string(rune('0'+n%10))
}
