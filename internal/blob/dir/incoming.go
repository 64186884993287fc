package dir

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// incoming is where a process writes files before they are bodies. Several processes may share a directory: each
// has a place of its own, which it keeps locked as long as it lives.
type incoming struct {
	path string
	lock *os.File
}

// openIncoming makes a place below a directory, and removes those of processes that are gone, with what they left
// unfinished.
func openIncoming(below string) (in incoming, err error) {
	if err := makeDir(below); err != nil {
		return incoming{}, err
	}
	left, err := os.ReadDir(below)
	if err != nil {
		return incoming{}, err
	}
	for _, e := range left {
		if err := removeUnlocked(filepath.Join(below, e.Name())); err != nil {
			return incoming{}, err
		}
	}
	for { // another process may take a place for left over that is not locked yet
		path, err := os.MkdirTemp(below, "")
		if err != nil {
			return incoming{}, err
		}
		in, err := lockIncoming(path)
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, unix.EWOULDBLOCK) {
			return in, err
		}
	}
}

// lockIncoming locks a place, unless it was removed meanwhile.
func lockIncoming(path string) (incoming, error) {
	f, err := os.Open(path)
	if err != nil {
		return incoming{}, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return incoming{}, errors.Join(err, f.Close())
	}
	if _, err := os.Stat(path); err != nil {
		return incoming{}, errors.Join(err, f.Close())
	}
	return incoming{path, f}, nil
}

// removeUnlocked removes what nobody holds.
func removeUnlocked(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = nil
		}
		return errors.Join(err, f.Close())
	}
	return errors.Join(os.RemoveAll(path), f.Close())
}
