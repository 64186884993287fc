package jail

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"cirro/internal/sandbox/jail/control"
	"cirro/internal/sandbox/jail/entry"
)

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

// broker opens mounts through a process that has the right to, in a user namespace.
type broker struct {
	process *spawned
	link    *link
}

func startBroker(s *spawner) (opener, error) {
	a := &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Setsid: true, Pdeathsig: unix.SIGKILL}
	inUserNamespace(a)
	b := <-s.begin(entry.Broker, a, nil)
	if b.err != nil {
		return nil, fmt.Errorf("user namespaces are refused here: %w", b.err)
	}
	return &broker{b.spawned, newLink(b.spawned.conn)}, nil
}

func (b *broker) open(paths []string) ([]int, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	// The broker runs in the root directory.
	absolute := make([]string, len(paths))
	for i, p := range paths {
		var err error
		if absolute[i], err = filepath.Abs(p); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, mounts, err := b.link.ask(ctx, &control.Open{Paths: absolute}, nil)
	return mounts, err
}

func (b *broker) close() error {
	b.process.process.Kill()
	<-b.process.done
	return b.link.close()
}

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
