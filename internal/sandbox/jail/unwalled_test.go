package jail

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestUnwalledRewritesWhatIsKnownInside(t *testing.T) {
	h := openFor(t, Unwalled)
	code := t.TempDir()
	write(t, filepath.Join(code, "hello"), "hello from the package\n")
	j, err := h.New(context.Background(), Config{Listeners: []string{"127.0.0.1:9001"}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Assign(context.Background(), Limits{}, []Bind{{Source: code, Target: "/var/task"}}); err != nil {
		t.Fatal(err)
	}
	out, exit := output(t, j, Command{
		Path: "/bin/sh",
		Args: []string{"-c", `cat hello; cat "$FILE"; echo "$API"; echo x >"$TMPDIR/x"; exit 3`},
		Env:  []string{"FILE=/var/task/hello", "API=http://127.0.0.1:9001/2018", "PATH=/var/task:/usr/bin:/bin"},
		Dir:  "/var/task",
	})
	want := strings.Repeat("hello from the package\n", 2) + "http://" + j.Listener(0).Addr().String() + "/2018\n"
	if out != want || exit.Code != 3 || exit.Signal != "" {
		t.Errorf("printed %q and ended with %+v; want %q and code 3", out, exit, want)
	}
}

func TestUnwalledCloseEndsWholeGroups(t *testing.T) {
	h := openFor(t, Unwalled)
	j, err := h.New(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.Start(Command{Path: "/bin/sh", Args: []string{"-c", "sleep 1000 & sleep 1000"}, Stdout: w})
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if e := p.Wait(); e.Signal != syscall.SIGKILL.String() {
		t.Errorf("ended with %+v; want killed", e)
	}
	// Nobody holds the pipe any more once both sleepers are dead.
	if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
}

func TestUnwalledSaysWhatIsMissing(t *testing.T) {
	if w := openFor(t, Unwalled).Warnings(); len(w) == 0 {
		t.Error("no warning")
	}
}

// openFor opens a host of one mode for a test.
func openFor(t testing.TB, m Mode) Host {
	t.Helper()
	h, err := Open(t.TempDir(), Options{Mode: m})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// output runs a program to its end and returns what it printed on both descriptors.
func output(t testing.TB, j Jail, c Command) (string, Exit) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	c.Stdout, c.Stderr = w, w
	p, err := j.Start(c)
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(out), p.Wait()
}

func write(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
