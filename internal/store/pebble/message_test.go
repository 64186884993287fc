package pebble

import (
	"bytes"
	"encoding/binary"
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
	if got, until, err := decodeLease(l.append(nil, 7)); err != nil || got != l || until != 7 {
		t.Errorf("%+v became %+v, %d, %v", l, got, until, err)
	}
	for _, until := range []int64{0, 7, 1 << 62} {
		if got, want := l.size(until), len(l.append(nil, until)); got != want {
			t.Errorf("a lease until %d takes %d bytes, not %d", until, want, got)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, v := range []int64{0, 1, -1, 63, 64, -64, -65, 127, 128, 1 << 20, 1<<62 - 1, 1<<63 - 1, -1 << 63} {
		if got, want := varintSize(v), len(binary.AppendVarint(nil, v)); got != want {
			t.Errorf("%d takes %d bytes, not %d", v, got, want)
		}
		if got, want := uvarintSize(uint64(v)), len(binary.AppendUvarint(nil, uint64(v))); got != want {
			t.Errorf("%d takes %d bytes, not %d", uint64(v), got, want)
		}
	}
	if id := formatID([16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0xff}); id != "00010203-0405-0607-0809-0a0b0c0d0eff" {
		t.Error(id)
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
	f.Add(lease{nonce: 1, deliveries: 2, first: 3}.append(nil, 4))
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
