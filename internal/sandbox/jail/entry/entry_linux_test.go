package entry

import (
	"go/parser"
	"go/token"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Go initialises packages as soon as what they import is ready: one import here may put the whole of a
// large program's initialisation before the first line in every jail.
func TestEntryImportsNextToNothing(t *testing.T) {
	allowed := []string{"runtime", "sync", "syscall", "unsafe", "cirro/internal/sandbox/jail/control"}
	files, _ := filepath.Glob("*.go")
	more, _ := filepath.Glob("../control/*.go")
	for _, f := range append(files, more...) {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range parsed.Imports {
			if path, _ := strconv.Unquote(i.Path.Value); !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s", f, path)
			}
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, n := range []int64{0, 9, 10, 512 << 20, 1<<63 - 1} {
		if got := decimal(n); got != strconv.FormatInt(n, 10) {
			t.Errorf("%d is written %s", n, got)
		}
	}
}

// Addresses are read as package net/netip reads them.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"127.0.0.1:9001", "0.0.0.0:0", "255.255.255.255:65535", "256.0.0.1:1", "1.2.3.4:65536", "1.2.3.4", "1.2.3:4",
		"1.2.3.4:", ":80", "", "1.2.3.4:5:6", "a.b.c.d:1", "1..2.3:4", "localhost:1", "[::1]:1", "01.2.3.4:5", "1.2.3.4:00080",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := address(s)
		want, err := netip.ParseAddrPort(s)
		if err == nil && want.Addr().Is4() && want.String() == s && !ok { // without zeros in front
			t.Errorf("%q is refused", s)
		}
		if !ok {
			return
		}
		if err == nil && (got.Addr != want.Addr().As4() || got.Port != int(want.Port())) {
			t.Errorf("%q is %v", s, got)
		}
		if got.Port < 0 || got.Port > 65535 {
			t.Errorf("%q is %v", s, got)
		}
	})
}

func FuzzPath(f *testing.F) {
	f.Add("/a")
	f.Add("a\x00b")
	f.Fuzz(func(t *testing.T, s string) {
		if p := path(s); strings.Contains(s, "\x00") && *p != 0 {
			t.Errorf("%q names something", s)
		}
	})
}
