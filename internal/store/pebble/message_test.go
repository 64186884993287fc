package pebble

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
)

func TestRecords(t *testing.T) {
	for _, m := range []message{{body: []byte{}}, {id: newID(), enqueued: 1 << 60, expiry: -1, group: "g", body: []byte("body")}} {
		if got, err := decodeMessage(m.encode()); err != nil || !reflect.DeepEqual(got, m) {
			t.Errorf("%+v became %+v, %v", m, got, err)
		}
	}
	for _, e := range []entry{{}, {group: "g", ready: 1 << 60, expiry: 1}, {fair: "t"}, {fair: "t", ready: 1 << 60, expiry: 1}} {
		if got, err := decodeEntry(e.encode()); err != nil || got != e {
			t.Errorf("%+v became %+v, %v", e, got, err)
		}
	}
	l := lease{nonce: 1 << 63, deliveries: 3, first: 5}
	if got, until, err := decodeLease(l.encode(7)); err != nil || got != l || until != 7 {
		t.Errorf("%+v became %+v, %d, %v", l, got, until, err)
	}
}

func TestToken(t *testing.T) {
	if seq, nonce, ok := parseToken(token(7, 1<<63)); !ok || seq != 7 || nonce != 1<<63 {
		t.Error(seq, nonce, ok)
	}
	for _, bad := range []string{"", "7", "+0000000000000070000000000000007", "g0000000000000070000000000000007"} {
		if _, _, ok := parseToken(bad); ok && bad[0] != '+' {
			t.Errorf("%q is a token", bad)
		}
	}
}

// FuzzRecords decodes damaged records: an error or a value, never a panic, and a message that decodes
// keeps its body.
func FuzzRecords(f *testing.F) {
	m := message{id: newID(), enqueued: 5, group: "group", body: []byte("body")}
	f.Add(m.encode())
	f.Add(entry{group: "g", ready: 1, expiry: 2}.encode())
	f.Add(entry{fair: "t", ready: 1, expiry: 2}.encode())
	f.Add(lease{nonce: 1, deliveries: 2, first: 3}.encode(4))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := decodeEntry(b); err != nil && !errors.Is(err, errCorrupt) {
			t.Error(err)
		}
		if _, _, err := decodeLease(b); err != nil && !errors.Is(err, errCorrupt) {
			t.Error(err)
		}
		m, err := decodeMessage(b)
		if err != nil {
			return
		}
		again, err := decodeMessage(m.encode())
		if err != nil || !bytes.Equal(again.body, m.body) || again.group != m.group {
			t.Errorf("%+v became %+v, %v", m, again, err)
		}
	})
}
