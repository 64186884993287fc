package control

import (
	"bytes"
	"reflect"
	"testing"
)

var examples = []Message{
	&Build{
		Hostname: "h", Targets: []string{"/usr", "/lib"}, Files: []File{{"/etc/hosts", "127.0.0.1 localhost\n"}},
		Hide: []string{"/proc/kcore"}, Listeners: []string{"127.0.0.1:9001"}, Confine: Confine{UID: 1, GID: 2, Filter: []byte{3}},
	},
	&Built{},
	&Assign{Targets: []string{"/var/task"}, Data: 1, Tasks: 2, Confine: Confine{Tmp: 512 << 20, Files: 1024, UID: 1 << 20, GID: -1, Filter: []byte{0, 1, 255}}},
	&Assigned{},
	&Start{ID: 1, Path: "/bin/sh", Args: []string{"sh", "-c", "true"}, Env: []string{"A=b", ""}, Dir: "/"},
	&Started{ID: 1 << 40},
	&Signal{ID: 1, Signal: 9},
	&Exited{ID: 1, Code: -1, Signal: 9},
	&Failed{What: "mount /proc", Errno: 1},
	&Open{Paths: []string{"/usr"}},
	&Opened{},
	&Bear{Role: "zygote"},
	&Born{PID: 12},
}

func TestEveryMessageComesBack(t *testing.T) {
	for _, m := range examples {
		got, err := Decode(Encode(m))
		if err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%#v came back as %#v, %v", m, got, err)
		}
	}
}

func TestMalformedMessagesAreRefused(t *testing.T) {
	whole := Encode(examples[0])
	bad := [][]byte{nil, {0}, {200}, append(bytes.Clone(whole), 0), {5, 0}}
	for n := 1; n < len(whole); n++ {
		bad = append(bad, whole[:n])
	}
	huge := Encode(&Open{})
	huge[4] = 255 // a count that no message of this length has
	for _, b := range append(bad, huge) {
		if m, err := Decode(b); err != ErrMalformed {
			t.Errorf("%v was read as %#v, %v", b, m, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, m := range examples {
		f.Add(Encode(m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			return
		}
		if again := Encode(m); !bytes.Equal(again, b) {
			t.Errorf("%v was read as %#v, which is written as %v", b, m, again)
		}
	})
}
