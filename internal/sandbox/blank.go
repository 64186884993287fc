package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// usualTmp is what /tmp holds where a function asks for no more, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-ephemeral-storage.html
const usualTmp = 512 << 20

// blank is what an environment is before it is known for which function: a jail, and in it the
// runtime's program, waiting, if the runtime has one that can.
type blank struct {
	jail    jail.Jail
	process jail.Process // nil for a jail alone
	exited  chan struct{}
	exit    jail.Exit
	out     *output
	control *os.File // this side
}

// starter starts a program that waits.
type starter func(context.Context, jail.Jail, jail.Command) (jail.Process, error)

// newBlank makes a jail whose /tmp holds tmp bytes, and starts the program in it if there is to be one and
// there is what forks it. Ahead says that nobody waits for it.
func (f *Fleet) newBlank(ctx context.Context, r *family.Runtime, start starter, tmp int64, ahead bool) (*blank, error) {
	j, err := f.options.Jail.New(ctx, jail.Config{
		Binds:     append(slices.Clip(r.Binds), f.libraries()...),
		Listeners: []string{runtimeAddress, endpointAddress},
		Hostname:  hostname(),
		Tmp:       tmp,
		Files:     openFiles,
		Ahead:     ahead,
	})
	if err != nil {
		return nil, err
	}
	b := &blank{jail: j, exited: make(chan struct{})}
	if start == nil {
		return b, nil
	}
	switch err := b.start(ctx, r, start); {
	case errors.Is(err, jail.ErrNoZygote):
		b.release()
		return &blank{jail: j, exited: b.exited}, nil
	case errors.Is(err, jail.ErrZygoteLost):
		if err := b.close(); err != nil {
			return nil, err
		}
		return f.newBlank(ctx, r, nil, tmp, ahead)
	case err != nil:
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

// libraries are the directories that the loader looks for a function's libraries in. It never looks again
// where it found no directory: there has to be one from the start, for what Assign puts over it.
func (f *Fleet) libraries() []jail.Bind {
	if f.options.Jail.Mode() == jail.Unwalled {
		return nil
	}
	return []jail.Bind{
		{Source: f.empty, Target: family.Task + "/lib"}, {Source: f.empty, Target: family.Opt + "/lib"},
	}
}

// hostname is what an environment calls itself: AWS's are link-local addresses too.
func hostname() string { return "169-254-10-1" }

// start starts the program.
func (b *blank) start(ctx context.Context, r *family.Runtime, start starter) error {
	pair, err := socketPair()
	if err != nil {
		return err
	}
	// Only this side does not block: the program's is read as a plain file.
	if err := syscall.SetNonblock(pair[0], true); err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer theirs.Close()
	b.control = os.NewFile(uintptr(pair[0]), "control")
	if b.out, err = newOutput(nil); err != nil {
		return err
	}
	defer b.out.started()
	b.process, err = start(ctx, b.jail, jail.Command{
		Env: startVariables(r), Stdout: b.out.write, Stderr: b.out.write, Control: theirs,
	})
	if err != nil {
		return err
	}
	go func() {
		b.exit = b.process.Wait()
		close(b.exited)
	}()
	return nil
}

// readiness is how long a program may take until it waits.
const readiness = 30 * time.Second

// ready waits until the program waits.
func (b *blank) ready() error {
	if b.process == nil {
		return nil
	}
	b.control.SetReadDeadline(time.Now().Add(readiness))
	_, err := b.control.Read(make([]byte, 1))
	return err
}

// alive says whether the blank can still become an environment.
func (b *blank) alive() bool {
	select {
	case <-b.exited:
		return false
	default:
		return true
	}
}

// assign tells the program what it is to be; a file may come along. The program may not be there yet: this side stays open until
// it has heard.
func (b *blank) assign(a family.Assignment, file *os.File) error {
	message, err := json.Marshal(a)
	if err != nil {
		return err
	}
	b.control.SetWriteDeadline(time.Now().Add(readiness))
	return b.send(append(message, '\n'), file)
}

// close destroys a blank that became nothing.
func (b *blank) close() error {
	err := b.jail.Close()
	b.release()
	return err
}

// release lets go of what is held for the program.
func (b *blank) release() {
	b.heard()
	if b.out != nil {
		b.out.close()
	}
}

// heard is called when the program has got what it was told.
func (b *blank) heard() {
	if b.control != nil {
		b.control.Close()
	}
}

// socketPair makes two connected sockets that no other program inherits. Not every system can say so
// in the one call; the lock keeps programs from being started between the two.
func socketPair() (pair [2]int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if pair, err = syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0); err != nil {
		return pair, err
	}
	syscall.CloseOnExec(pair[0])
	syscall.CloseOnExec(pair[1])
	return pair, nil
}
