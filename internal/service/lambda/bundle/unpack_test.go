package bundle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// entry is one entry of a zip made for a test.
type entry struct {
	name string
	body string
	mode fs.FileMode
}

func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate, Modified: time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC)}
		if e.mode != 0 {
			h.SetMode(e.mode)
		}
		if strings.HasSuffix(e.name, "/") {
			h.Method = zip.Store
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if e.body != "" {
			if _, err := w.Write([]byte(e.body)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const testLimit = 1 << 20

// unpack unpacks into a directory below a fresh one, and returns both.
func unpack(t testing.TB, b []byte, limits Limits) (parent, dir string, n int64, err error) {
	t.Helper()
	parent = t.TempDir()
	dir = filepath.Join(parent, "task")
	n, err = Unpack(dir, bytes.NewReader(b), int64(len(b)), limits)
	return parent, dir, n, err
}

// tree lists what lies below a directory: name, mode, and content or target.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		text := ""
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			text, err = os.Readlink(path)
			out = append(out, fmt.Sprintf("%s -> %s", name, text))
			return err
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text = string(b)
		}
		out = append(out, fmt.Sprintf("%s %v %q", name, info.Mode(), text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestUnpack(t *testing.T) {
	b := pack(t,
		entry{name: "app.py", body: "hello", mode: 0o600},
		entry{name: "bin/run", body: "#!/bin/sh", mode: 0o4751},
		entry{name: "./lib//deep/x.txt", body: "x", mode: 0o666},
		entry{name: "empty/", mode: fs.ModeDir | 0o700},
		entry{name: "lib/deep/", mode: fs.ModeDir | 0o500},
		entry{name: "back\\slash", body: "b", mode: 0o444},
		entry{name: "ünïcode ☃", body: "u", mode: 0o644},
		entry{name: "lib/link", body: "deep/x.txt", mode: fs.ModeSymlink | 0o777},
		entry{name: "up", body: "lib/../app.py", mode: fs.ModeSymlink | 0o777},
		entry{name: "dangling", body: "not/there", mode: fs.ModeSymlink | 0o777},
	)
	parent, dir, n, err := unpack(t, b, Limits{Bytes: testLimit})
	if err != nil {
		t.Fatal(err)
	}
	if n != 5+9+1+1+1 {
		t.Errorf("%d bytes", n)
	}
	want := []string{
		`. drwxr-xr-x ""`,
		`app.py -rw-r--r-- "hello"`,
		`back\slash -rw-r--r-- "b"`,
		`bin drwxr-xr-x ""`,
		`bin/run -rwxr-xr-x "#!/bin/sh"`,
		`dangling -> not/there`,
		`empty drwxr-xr-x ""`,
		`lib drwxr-xr-x ""`,
		`lib/deep drwxr-xr-x ""`,
		`lib/deep/x.txt -rw-r--r-- "x"`,
		`lib/link -> deep/x.txt`,
		`up -> lib/../app.py`,
		`ünïcode ☃ -rw-r--r-- "u"`,
	}
	if got := tree(t, dir); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	info, err := os.Stat(filepath.Join(dir, "app.py"))
	if err != nil || !info.ModTime().Equal(time.Date(2024, 1, 2, 3, 4, 6, 0, time.UTC)) {
		t.Errorf("time %v, %v", info.ModTime(), err)
	}
	if left, _ := os.ReadDir(parent); len(left) != 1 {
		t.Errorf("more than the package: %v", left)
	}
}

// lie changes the first central directory entry of a zip in place.
func lie(t *testing.T, b []byte, f func(header []byte)) []byte {
	t.Helper()
	b = slices.Clone(b)
	i := bytes.Index(b, []byte("PK\x01\x02"))
	if i < 0 {
		t.Fatal("no central directory")
	}
	f(b[i:])
	return b
}

func TestRefused(t *testing.T) {
	one := pack(t, entry{name: "a", body: "some text that is here"})
	link := fs.ModeSymlink | fs.FileMode(0o777)
	for name, c := range map[string]struct {
		zip  []byte
		want error
	}{
		"nothing":           {nil, ErrEmpty},
		"no entries":        {pack(t), ErrEmpty},
		"no zip":            {[]byte("this is no zip file"), ErrUnreadable},
		"cut short":         {one[:len(one)-10], ErrUnreadable},
		"climbs out":        {pack(t, entry{name: "../evil", body: "x"}), ErrUnreadable},
		"climbs out later":  {pack(t, entry{name: "a/../../evil", body: "x"}), ErrUnreadable},
		"absolute":          {pack(t, entry{name: "/etc/evil", body: "x"}), ErrUnreadable},
		"no name":           {pack(t, entry{name: "", body: "x"}), ErrUnreadable},
		"zero in a name":    {pack(t, entry{name: "a\x00b", body: "x"}), ErrUnreadable},
		"long name":         {pack(t, entry{name: strings.Repeat("n", 300), body: "x"}), ErrUnreadable},
		"long path":         {pack(t, entry{name: strings.Repeat("n/", 3000) + "x", body: "x"}), ErrUnreadable},
		"the root":          {pack(t, entry{name: ".", body: "x"}), ErrUnreadable},
		"twice":             {pack(t, entry{name: "a", body: "x"}, entry{name: "a", body: "y"}), ErrUnreadable},
		"twice, written so": {pack(t, entry{name: "a", body: "x"}, entry{name: "./a", body: "y"}), ErrUnreadable},
		"file as directory": {pack(t, entry{name: "a", body: "x"}, entry{name: "a/b", body: "y"}), ErrUnreadable},
		"directory as file": {pack(t, entry{name: "a/b", body: "x"}, entry{name: "a", body: "y"}), ErrUnreadable},
		"device":            {pack(t, entry{name: "null", mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}), ErrUnreadable},
		"pipe":              {pack(t, entry{name: "p", mode: fs.ModeNamedPipe | 0o666}), ErrUnreadable},
		"absolute link":     {pack(t, entry{name: "l", body: "/etc/passwd", mode: link}), ErrUnreadable},
		"link out":          {pack(t, entry{name: "d/l", body: "../../x", mode: link}), ErrUnreadable},
		"link to itself":    {pack(t, entry{name: "l", body: "l", mode: link}), ErrUnreadable},
		"link without end":  {pack(t, entry{name: "l", body: strings.Repeat("x", 5000), mode: link}), ErrUnreadable},
		"link to nothing":   {pack(t, entry{name: "l", mode: link}), ErrUnreadable},
		"links out together": {pack(t,
			entry{name: "a/b/up", body: "../..", mode: link},
			entry{name: "esc", body: "a/b/up/..", mode: link}), ErrUnreadable},
		"file through a link": {pack(t,
			entry{name: "l", body: "d", mode: link},
			entry{name: "l/x", body: "x"}), ErrUnreadable},
		"encrypted":         {lie(t, one, func(h []byte) { h[8] |= 1 }), ErrUnreadable},
		"unknown method":    {lie(t, one, func(h []byte) { binary.LittleEndian.PutUint16(h[10:], 99) }), ErrUnreadable},
		"wrong sum":         {lie(t, one, func(h []byte) { h[16] ^= 0xff }), ErrUnreadable},
		"declares less":     {lie(t, one, func(h []byte) { binary.LittleEndian.PutUint32(h[24:], 3) }), ErrUnreadable},
		"declares more":     {lie(t, one, func(h []byte) { binary.LittleEndian.PutUint32(h[24:], 30) }), ErrUnreadable},
		"declares too much": {lie(t, one, func(h []byte) { binary.LittleEndian.PutUint32(h[24:], 2*testLimit) }), ErrTooLarge},
		"too large": {pack(t, entry{name: "a", body: strings.Repeat("x", testLimit/2)},
			entry{name: "b", body: strings.Repeat("x", testLimit/2)}, entry{name: "c", body: "x"}), ErrTooLarge},
		"too large, hidden": {lie(t, pack(t, entry{name: "a", body: strings.Repeat("x", 2*testLimit)}),
			func(h []byte) { binary.LittleEndian.PutUint32(h[24:], 10) }), nil},
		"too many":             {pack(t, slices.Collect(many(101))...), ErrTooLarge},
		"too many directories": {pack(t, entry{name: strings.Repeat("d/", 200) + "x", body: "x"}), ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			parent, _, _, err := unpack(t, c.zip, Limits{Bytes: testLimit, Entries: 100})
			if err == nil || (c.want != nil && !errors.Is(err, c.want)) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if left, _ := os.ReadDir(parent); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func many(n int) func(yield func(entry) bool) {
	return func(yield func(entry) bool) {
		for i := range n {
			if !yield(entry{name: fmt.Sprint(i), body: "x"}) {
				return
			}
		}
	}
}

// Exactly the limit is allowed; it is the caller that says what "smaller than" means.
func TestLimitIsInclusive(t *testing.T) {
	b := pack(t, entry{name: "a", body: strings.Repeat("x", testLimit)})
	if _, _, n, err := unpack(t, b, Limits{Bytes: testLimit}); err != nil || n != testLimit {
		t.Errorf("%d, %v", n, err)
	}
	if _, _, _, err := unpack(t, b, Limits{Bytes: testLimit - 1}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("got %v", err)
	}
}

// FuzzUnpack unpacks whatever there is, and looks that nothing lies outside the directory, that no link
// leads out of it, and that a refusal leaves nothing.
func FuzzUnpack(f *testing.F) {
	f.Add(pack(f, entry{name: "app.py", body: "hello", mode: 0o644}))
	f.Add(pack(f, entry{name: "d/e/f", body: strings.Repeat("z", 3000)}, entry{name: "d/l", body: "e/f", mode: fs.ModeSymlink | 0o777}))
	f.Add(pack(f, entry{name: "../x", body: "x"}, entry{name: "/y", body: "y"}))
	f.Add(pack(f, entry{name: "u", body: "..", mode: fs.ModeSymlink | 0o777}, entry{name: "u/x", body: "x"}))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, b []byte) {
		parent, dir, n, err := unpack(t, b, Limits{Bytes: 1 << 16, Entries: 50})
		left, _ := os.ReadDir(parent)
		if err != nil {
			if len(left) > 0 {
				t.Fatalf("left behind: %v", left)
			}
			if !errors.Is(err, ErrUnreadable) && !errors.Is(err, ErrEmpty) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("an error of the machine's: %v", err)
			}
			return
		}
		if len(left) != 1 || n > 1<<16 {
			t.Fatalf("%v, %d bytes", left, n)
		}
		real, err := filepath.EvalSymlinks(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			to, err := filepath.EvalSymlinks(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err == nil && to != real && !strings.HasPrefix(to, real+"/") {
				err = fmt.Errorf("%s leads to %s", path, to)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
