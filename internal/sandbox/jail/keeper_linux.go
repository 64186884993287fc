package jail

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cirro/internal/sandbox/jail/cgroup"
	"cirro/internal/sandbox/jail/control"
	"cirro/internal/sandbox/jail/entry"
)

// keeper does what the host's own user may not, through a process that may in a user namespace: it opens
// mounts, and bears processes. Under that namespace lie those of all jails, so that zygotes, which are in
// it, can enter them. No jail's process is ever in it.
type keeper struct {
	process *spawned
	link    *link
}

// keeperAnswers is how long it may take.
const keeperAnswers = 10 * time.Second

func startKeeper(s *spawner) (*keeper, error) {
	a := &syscall.SysProcAttr{
		Cloneflags:  entry.Namespaces(entry.Keeper) | unix.CLONE_NEWUSER,
		Setsid:      true,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: entry.InsideUser, HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: entry.InsideUser, HostID: os.Getegid(), Size: 1}},
		AmbientCaps: entry.KeeperRights,
	}
	p, err := s.do(func() (*spawned, error) { return spawn(entry.Keeper, a) })
	if err != nil {
		return nil, fmt.Errorf("user namespaces are refused here: %w", err)
	}
	return &keeper{p, newLink(p.conn)}, nil
}

func (k *keeper) ask(m control.Message, files ...int) (control.Message, []int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), keeperAnswers)
	defer cancel()
	return k.link.ask(ctx, m, files)
}

// open implements opener.
func (k *keeper) open(paths []string) ([]int, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	// The keeper runs in the root directory.
	absolute := make([]string, len(paths))
	for i, p := range paths {
		var err error
		if absolute[i], err = filepath.Abs(p); err != nil {
			return nil, err
		}
	}
	_, mounts, err := k.ask(&control.Open{Paths: absolute})
	return mounts, err
}

// bear implements bearer.
func (k *keeper) bear(role string, g *cgroup.Group) (*spawned, error) {
	conn, theirs, err := connection()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	files := []int{int(theirs.Fd())}
	if g != nil && g.Descriptor() >= 0 {
		files = append(files, g.Descriptor())
	}
	m, process, err := k.ask(&control.Bear{Role: role}, files...)
	b, ok := m.(*control.Born)
	if err == nil && (!ok || len(process) != 1) {
		err = syscall.EBADMSG
	}
	if err != nil {
		closeAll(process)
		conn.Close()
		return nil, err
	}
	p := attend(int(b.PID), process[0], conn)
	if g != nil {
		if err := g.Admit(p.pid); err != nil {
			p.end()
			return nil, err
		}
	}
	return p, nil
}

func (k *keeper) close() error {
	k.process.kill()
	<-k.process.done
	return k.link.close()
}

var (
	_ bearer = (*keeper)(nil)
	_ opener = (*keeper)(nil)
)
