package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func testImage(t *testing.T, size int64) *image {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &image{file: f, size: size}
}

func closed(i *image) bool {
	_, err := i.file.Stat()
	return err != nil
}

func TestAnImageEndsWithItsLastUser(t *testing.T) {
	var k kept
	i := testImage(t, 5)
	k.put(i)
	got, done := k.take()
	if got != i || k.drop() != 5 {
		t.Fatalf("got %v", got)
	}
	if k.there() || closed(i) {
		t.Error("it ends while it is used")
	}
	if none, _ := k.take(); none != nil {
		t.Error("it is given out after it was dropped")
	}
	done()
	done()
	if !closed(i) {
		t.Error("it does not end")
	}
	k.close()
	late := testImage(t, 5)
	if k.put(late); !closed(late) || k.there() {
		t.Error("it is kept by what was closed")
	}
}

func TestWhatIsSavedAgain(t *testing.T) {
	var k kept
	s := &Spec{}
	if !k.want(s, []string{"a"}) || k.want(s, []string{"b"}) {
		t.Fatal("it is wanted once")
	}
	k.failed(errors.New("no memory"))
	if s, _ := k.next(time.Now()); s != nil {
		t.Error("it is tried at once")
	}
	if s, names := k.next(time.Now().Add(time.Hour)); s == nil || names[0] != "a" {
		t.Error("it is not tried again")
	}
	k.failed(declined("it is quick"))
	if s, _ := k.next(time.Now().Add(time.Hour)); s != nil || k.want(&Spec{}, nil) || !k.futile() {
		t.Error("it is tried in vain")
	}
}

func TestImagesAreFewAndSmall(t *testing.T) {
	f := &Fleet{}
	var all []*kept
	for n := range mostImages + 2 {
		sh := f.shelf(strings.Repeat("x", n+1))
		sh.kept.put(testImage(t, 10))
		sh.kept.used = time.Unix(int64(n), 0)
		all = append(all, &sh.kept)
	}
	f.trimImages(1000)
	if all[0].there() || all[1].there() || !all[2].there() || f.imaged.Load() != 10*mostImages {
		t.Error("those used longest ago stay, or others go")
	}
	f.trimImages(25)
	if _, total := f.images(); total != 20 || !all[mostImages+1].there() {
		t.Errorf("%d bytes stay", total)
	}
}

// What a program says is bounded, and nothing else than what was agreed is believed.
func TestWhatAProgramSaysOfItsImage(t *testing.T) {
	for said, want := range map[string]string{
		"saved\n": "", ".saved\n": "", "declined: no\n": "no", ".declined: why \xff\n": "why ?",
		"": "the process ended", ".": "the process ended", "saved": "the process ended", "else\n": "the process ended",
		strings.Repeat("x", 1<<16): "a program says too much",
	} {
		pair, err := socketPair()
		if err != nil {
			t.Fatal(err)
		}
		ours, theirs := os.NewFile(uintptr(pair[0]), ""), os.NewFile(uintptr(pair[1]), "")
		go func() {
			theirs.WriteString(said)
			theirs.Close()
		}()
		b := &blank{control: ours}
		got := ""
		if err := b.answer(time.Minute); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%.20q: got %q, want %q", said, got, want)
		}
		ours.Close()
	}
}
