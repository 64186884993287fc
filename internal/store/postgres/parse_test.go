package postgres

import (
	"bytes"
	"maps"
	"testing"

	"cirro/internal/store/optimistic"
)

// encoded is a change as it is written.
func encoded(c *change) []byte {
	return (&plan{kv: c.kv, wakes: c.wakes}).writes()
}

func FuzzChange(f *testing.F) {
	var c change
	c.kv.DeleteRange(optimistic.Span{Start: []byte("ka"), End: []byte("kc")})
	c.kv.Set([]byte("kb"), nil)
	c.wakes = map[string]int{"q": 3}
	f.Add(encoded(&c))
	f.Add([]byte{})
	f.Add([]byte("k\xff"))
	f.Add([]byte("x"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var c, again change
		if c.decode(b) != nil {
			return
		}
		if err := again.decode(encoded(&c)); err != nil || !maps.Equal(c.wakes, again.wakes) {
			t.Fatalf("%v: %v and %v", err, c.wakes, again.wakes)
		}
		for p := range c.kv.Points {
			if _, ok := again.kv.Get([]byte(p.Key)); !ok {
				t.Errorf("key %q is gone", p.Key)
			}
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add(leaseKey{queue: "q", seq: 1, nonce: -1, exclusive: true}.token())
	f.Add("")
	f.Add("0000000000000001-00000000000000100")
	f.Fuzz(func(t *testing.T, token string) {
		k, ok := parseToken("q", token)
		if !ok {
			return
		}
		if same, ok := parseToken("q", k.token()); !ok || same != k {
			t.Errorf("%q is %+v, and then %+v", token, k, same)
		}
	})
}

func FuzzSent(f *testing.F) {
	f.Add(sent{Seq: 1, Expiry: 2}.encode())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := decodeSent(b); err == nil && !bytes.Equal(m.encode(), b) {
			t.Errorf("%x is %+v", b, m)
		}
	})
}
