package jail

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"cirro/internal/sandbox/jail/egress"
)

// Options say how Open makes its host. The zero value asks for the strongest walls that this machine
// can give.
type Options struct {
	// Mode forces a mode: Open then fails where the machine cannot give it. Unwalled always works.
	Mode Mode
	// Egress is where programs may connect to beside what listens inside; "" is egress.None.
	Egress egress.Policy
	// Log is told what goes wrong later without harm to anybody; nil for nobody.
	Log *slog.Logger
}

// Open makes a host that keeps what it needs under dir. It first removes what a predecessor that was
// killed left there; a directory in use by another host is an error. Where no walls can be had it
// returns an Unwalled host, whose Warnings say why; forced to a mode that the machine cannot give, it
// returns an error.
//
// A program that calls Open is started again, by itself, inside every jail: package entry, which this
// package imports, takes such a start over before main.
func Open(dir string, o Options) (Host, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	owned, err := own(dir)
	if err != nil {
		return nil, err
	}
	h, err := openMode(dir, owned, o)
	if err != nil {
		owned.Close()
		return nil, err
	}
	return h, nil
}

func openMode(dir string, owned *os.File, o Options) (Host, error) {
	why := "the walls are switched off"
	if o.Mode != Unwalled {
		h, err := openWalled(dir, owned, o)
		if err == nil || o.Mode != "" {
			return h, err
		}
		why = err.Error()
	}
	return openUnwalled(dir, owned, why)
}

// What a host that was killed had just started may hold its lock for a moment longer than it, until it ends, too.
const (
	ownAttempts = 20
	ownPause    = 100 * time.Millisecond
)

// own makes a directory and locks it, until the file that it returns is closed. Only a host that is gone
// may be cleaned up after.
func own(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	for i := 0; errors.Is(err, syscall.EWOULDBLOCK) && i < ownAttempts; i++ {
		time.Sleep(ownPause)
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s is in use by another host: %w", dir, err)
	}
	return f, nil
}
