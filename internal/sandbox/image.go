package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
)

// image is the memory of a program, in a file that the program wrote itself. Nothing of it is believed, or
// read, outside of the jails of the one function that it is of.
type image struct {
	file *os.File
	size int64
}

func (i *image) close() { i.file.Close() }

// saving is how a program is saved: it gets the file with its assignment.
type saving struct {
	order family.Save
	image *image
}

// newSaving has a program saved in at most so many bytes: once it has loaded modules, or, where that is nil,
// once its function is initialised.
func newSaving(modules []string, most int64) (*saving, error) {
	file, err := newImageFile()
	if err != nil {
		return nil, err
	}
	return &saving{family.Save{Most: most, Modules: modules}, &image{file: file}}, nil
}

// declined says why a program could not be saved, or become one that was.
type declined string

func (d declined) Error() string { return string(d) }

// finish takes the image from a program that says it wrote it, and that has ended.
func (s *saving) finish() (*image, error) {
	if err := s.image.seal(); err != nil {
		return nil, fmt.Errorf("seal a snapshot: %w", err)
	}
	st, err := s.image.file.Stat()
	if err != nil {
		return nil, err
	}
	if s.image.size = st.Size(); s.image.size == 0 || s.image.size > s.order.Most {
		return nil, declined("its size is not what was agreed")
	}
	return s.image, nil
}

// saveLimit is how long loading packages and saving them may take.
const saveLimit = 2 * time.Minute

// savePackages starts a program as for a function, without its credentials, has it load modules of packages,
// and saves it. It prints nothing to the function's log and does not reach the platform.
func (f *Fleet) savePackages(s *Spec, modules []string, most int64) (*image, error) {
	ctx, cancel := context.WithTimeout(context.Background(), saveLimit)
	defer cancel()
	r, err := f.runtime(s.Runtime)
	if err != nil {
		return nil, err
	}
	b, err := f.newBlank(ctx, r, fork(r.Ahead), limits(s).Tmp, true)
	if err != nil {
		return nil, err
	}
	defer b.close()
	if b.process == nil {
		return nil, jail.ErrNoZygote
	}
	saving, err := newSaving(modules, most)
	if err != nil {
		return nil, err
	}
	i, err := f.savePrograms(ctx, s, b, saving, variables(s, r, "", Credentials{}))
	if err != nil {
		saving.image.close()
	}
	return i, err
}

func (f *Fleet) savePrograms(ctx context.Context, s *Spec, b *blank, saving *saving, variables []string) (*image, error) {
	binds, _, err := f.contents(s)
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-f.stop:
			b.jail.Close()
		case <-ended:
		}
	}()
	l := limits(s)
	l.CPU, l.Memory = 0, l.Memory+saving.order.Most
	if err := b.jail.Assign(ctx, l, binds); err != nil {
		return nil, err
	}
	b.out.to(func(string) {})
	for i := range 2 {
		b.jail.Listener(i).Close() // nobody answers: what asks is not to wait
	}
	if err := b.assign(family.Assignment{Environment: asMap(variables), Save: &saving.order}, saving.image.file); err != nil {
		return nil, err
	}
	if err := b.answer(saveLimit); err != nil {
		return nil, err
	}
	if err := b.jail.Close(); err != nil {
		return nil, err
	}
	return saving.finish()
}

// answer waits for what a program says that is to be saved: nil is that it is.
func (b *blank) answer(limit time.Duration) error {
	b.control.SetReadDeadline(time.Now().Add(limit))
	line, err := b.line()
	switch {
	case line == "saved":
		return nil
	case strings.HasPrefix(line, "declined: "):
		return declined(strings.TrimPrefix(line, "declined: "))
	case err != nil && !errors.Is(err, io.EOF):
		return err
	}
	return declined("the process ended")
}

// refusal is why a program that runs did not become what was saved, "" where it did.
func (b *blank) refusal() string {
	b.control.SetReadDeadline(time.Now())
	line, _ := b.line()
	return strings.TrimPrefix(line, "declined: ")
}

// line reads a line of what a program says, of which no more is looked at.
func (b *blank) line() (string, error) {
	const most = 512
	var text []byte
	buffer := make([]byte, most)
	for len(text) < most {
		n, err := b.control.Read(buffer[:most-len(text)])
		text = append(text, buffer[:n]...)
		if line, _, ok := strings.Cut(string(text), "\n"); ok {
			// Before it comes the byte that tells that the program waits, where nobody read it.
			return strings.ToValidUTF8(strings.TrimPrefix(line, "."), "?"), nil
		}
		if err != nil {
			return "", err
		}
	}
	return "", errors.New("a program says too much")
}

// send writes a message to a program that waits, with a file beside it.
func (b *blank) send(message []byte, file *os.File) error {
	if file == nil {
		_, err := b.control.Write(message)
		return err
	}
	theirs, err := file.SyscallConn()
	if err != nil {
		return err
	}
	ours, err := b.control.SyscallConn()
	if err != nil {
		return err
	}
	var sent int
	failed := theirs.Control(func(fd uintptr) {
		waiting := ours.Write(func(to uintptr) bool {
			sent, err = syscall.SendmsgN(int(to), message, syscall.UnixRights(int(fd)), nil, 0)
			return err != syscall.EAGAIN
		})
		err = errors.Join(err, waiting)
	})
	if err = errors.Join(err, failed); err != nil || sent == len(message) {
		return err // it may have read all and gone on already
	}
	_, err = b.control.Write(message[sent:])
	return err
}
