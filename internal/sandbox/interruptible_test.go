package sandbox

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"cirro/internal/sandbox/jail"
)

// signalled is a program that notes what signals it gets.
type signalled struct{ got []os.Signal }

func (s *signalled) Wait() jail.Exit { return jail.Exit{} }

func (s *signalled) Signal(n os.Signal) error {
	s.got = append(s.got, n)
	return nil
}

func TestWhatIsMadeAheadStandsStillWhileSomethingStarts(t *testing.T) {
	const stop, goOn = syscall.SIGSTOP, syscall.SIGCONT
	for _, c := range []struct {
		name string
		do   func(n *nursery, p jail.Process)
		want []os.Signal
	}{
		{"during a start", func(n *nursery, p jail.Process) {
			n.made.begin(p)
			n.started()()
		}, []os.Signal{stop, goOn}},
		{"until the last of two ends", func(n *nursery, p jail.Process) {
			n.made.begin(p)
			first := n.started()
			second := n.started()
			first()
			time.Sleep(patience / 2)
			second()
		}, []os.Signal{stop, goOn}},
		{"in each of two", func(n *nursery, p jail.Process) {
			n.made.begin(p)
			n.started()()
			n.started()()
		}, []os.Signal{stop, goOn, stop, goOn}},
		{"not once it is made", func(n *nursery, p jail.Process) {
			n.made.begin(p)
			n.made.end()
			n.started()()
		}, nil},
		{"but goes on when it ends", func(n *nursery, p jail.Process) {
			n.made.begin(p)
			n.started()
			n.made.end()
		}, []os.Signal{stop, goOn}},
		{"and not for ever", func(n *nursery, p jail.Process) {
			n.made.begin(p)
			n.started()
			time.Sleep(patience + 1)
			n.started()
		}, []os.Signal{stop, goOn}},
		{"not the next one for the last one's patience", func(n *nursery, p jail.Process) {
			n.made.begin(&signalled{})
			n.started()()
			n.made.end()
			n.made.begin(p)
			time.Sleep(patience + 1)
			n.started()()
		}, []os.Signal{stop, goOn}},
		{"where there is no program", func(n *nursery, p jail.Process) {
			n.made.begin(nil)
			n.started()()
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, p := newNursery(nil, 0), &signalled{}
				c.do(n, p)
				synctest.Wait()
				if !slices.Equal(p.got, c.want) {
					t.Errorf("it got %v; want %v", p.got, c.want)
				}
			})
		})
	}
}
