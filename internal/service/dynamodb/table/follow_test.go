package table

import (
	"bytes"
	"testing"
	"time"

	"cirro/internal/service/dynamodb/item"
)

func TestExpiresAt(t *testing.T) {
	number := func(text string) item.Value { return item.Value{Kind: item.N, Text: text} }
	on := &Table{Record: &Record{TimeToLive: &TimeToLive{Attribute: "at"}}}
	for _, c := range []struct {
		value item.Value
		want  int64
		ok    bool
	}{
		{number("1700000000"), 1700000000, true},
		{number("1700000000.9"), 1700000000, true},
		{number("0"), 0, false},
		{number("-5"), 0, false},
		{number("100000000000000000000"), 0, false},
		{item.String("1700000000"), 0, false},
		{item.Value{}, 0, false},
	} {
		if got, ok := on.ExpiresAt(item.Item{"at": c.value}); got != c.want || ok != c.ok {
			t.Errorf("%+v: %d, %t", c.value, got, ok)
		}
	}
	off := &Table{Record: &Record{}}
	if _, ok := off.ExpiresAt(item.Item{"at": number("1700000000")}); ok {
		t.Error("an expiry without time to live")
	}
}

// FuzzReplaced reads any bytes: an error, or what is written as the same.
func FuzzReplaced(f *testing.F) {
	f.Add(replaced{time.UnixMilli(1e12), Key("Di-key"), item.Item{"a": item.String("b")}}.encode())
	f.Add(replaced{time.UnixMilli(1), Key("k"), nil}.encode())
	f.Add([]byte{1, 2, 200, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decodeReplaced(b)
		if err != nil {
			return
		}
		again, err := decodeReplaced(r.encode())
		if err != nil || !again.at.Equal(r.at) || !bytes.Equal(again.key, r.key) || !again.old.Equal(r.old) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
