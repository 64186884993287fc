package jail

import "cirro/internal/sandbox/jail/entry"

// opener makes detached, read-only mounts of what lies at paths of the host.
type opener interface {
	open(paths []string) ([]int, error)
	close() error
}

// localOpener opens mounts by the rights of this process.
type localOpener struct{}

func (localOpener) open(paths []string) ([]int, error) {
	var mounts []int
	for _, p := range paths {
		fd, err := entry.OpenMount(p)
		if err != nil {
			closeAll(mounts)
			return nil, err
		}
		mounts = append(mounts, fd)
	}
	return mounts, nil
}

func (localOpener) close() error { return nil }

func sources(binds []Bind) []string {
	s := make([]string, len(binds))
	for i, b := range binds {
		s[i] = b.Source
	}
	return s
}

func targets(binds []Bind) []string {
	t := make([]string, len(binds))
	for i, b := range binds {
		t[i] = b.Target
	}
	return t
}
