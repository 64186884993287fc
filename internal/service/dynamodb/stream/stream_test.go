package stream

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

var owner = Owner{"000000000000", "us-east-1"}

type bench struct {
	*testing.T
	st store.Store
}

func newBench(t *testing.T) *bench {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return &bench{t, st}
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) open(view string, shards int) *Stream {
	b.Helper()
	var s *Stream
	b.must(b.st.Update(b.Context(), func(tx store.Tx) (err error) {
		s, err = Open(tx, owner, Stream{Table: "t", View: view, Keys: []string{"p", "s"}, Shards: shards}, time.Now())
		return err
	}))
	return s
}

func (b *bench) append(s *Stream, before, after item.Item) {
	b.Helper()
	b.must(b.st.Update(b.Context(), func(tx store.Tx) error { return s.Append(tx, before, after, false) }))
}

func (b *bench) view(f func(r store.Reader) error) {
	b.Helper()
	b.must(b.st.View(b.Context(), f))
}

func (b *bench) read(s *Stream, shard int, after int64) (records []Record) {
	b.Helper()
	b.view(func(r store.Reader) (err error) {
		records, err = s.Read(r, shard, after, 1000, 1<<20)
		return err
	})
	return records
}

func row(p, s string, n int) item.Item {
	return item.Item{"p": item.String(p), "s": item.String(s), "n": item.Int(int64(n))}
}

func TestViews(t *testing.T) {
	keys := item.Item{"p": item.String("a"), "s": item.String("b")}
	one, two := row("a", "b", 1), row("a", "b", 2)
	for _, c := range []struct {
		view     string
		new, old bool
	}{{KeysOnly, false, false}, {NewImage, true, false}, {OldImage, false, true}, {NewAndOldImages, true, true}} {
		b := newBench(t)
		s := b.open(c.view, 1)
		b.append(s, nil, one)
		b.append(s, one, two)
		b.append(s, two, row("a", "b", 2)) // changes nothing
		b.append(s, nil, nil)
		b.append(s, two, nil)
		got := b.read(s, 0, 0)
		if len(got) != 3 {
			t.Fatalf("%s: %d records", c.view, len(got))
		}
		for i, want := range []struct {
			event    Event
			new, old item.Item
		}{{Insert, one, nil}, {Modify, two, one}, {Remove, nil, two}} {
			if !c.new {
				want.new = nil
			}
			if !c.old {
				want.old = nil
			}
			r := got[i]
			if r.Event != want.event || !reflect.DeepEqual(r.New, want.new) || !reflect.DeepEqual(r.Old, want.old) || !r.Keys.Equal(keys) {
				t.Errorf("%s: record %d is %+v", c.view, i, r)
			}
			if i > 0 && r.Number <= got[i-1].Number {
				t.Errorf("%s: number %d after %d", c.view, r.Number, got[i-1].Number)
			}
			if r.Size() != r.Keys.Size()+r.New.Size()+r.Old.Size() || time.Since(r.At) > time.Minute {
				t.Errorf("%s: %+v", c.view, r)
			}
		}
	}
}

func TestOneKeyOneShard(t *testing.T) {
	b := newBench(t)
	s := b.open(KeysOnly, 4)
	const partitions, each = 32, 5
	for n := range each {
		for p := range partitions {
			b.append(s, nil, row(fmt.Sprint("p", p), fmt.Sprint(n), 0))
		}
	}
	home := map[string]int{}
	next := map[string]int{}
	used := 0
	for shard := range s.Shards {
		records := b.read(s, shard, 0)
		if len(records) > 0 {
			used++
		}
		for _, r := range records {
			p := r.Keys["p"].Text
			if at, known := home[p]; known && at != shard {
				t.Errorf("%s is in shards %d and %d", p, at, shard)
			}
			home[p] = shard
			if r.Keys["s"].Text != fmt.Sprint(next[p]) {
				t.Errorf("%s: %s instead of %d", p, r.Keys["s"].Text, next[p])
			}
			next[p]++
		}
	}
	if len(home) != partitions || used != s.Shards {
		t.Errorf("%d partitions in %d shards", len(home), used)
	}
}

func TestReadBounds(t *testing.T) {
	b := newBench(t)
	s := b.open(NewImage, 1)
	for n := range 5 {
		b.append(s, nil, row("a", fmt.Sprint(n), n))
	}
	b.view(func(r store.Reader) error {
		opened, err := s.Opened(r)
		b.must(err)
		all, err := s.Read(r, 0, opened, 100, 1<<20)
		b.must(err)
		two, err := s.Read(r, 0, all[0].Number, 2, 1<<20)
		b.must(err)
		one, err := s.Read(r, 0, all[0].Number, 100, 1) // at least one, whatever its size
		b.must(err)
		none, err := s.Read(r, 0, all[4].Number, 100, 1<<20)
		b.must(err)
		last, err := s.Last(r, 0)
		b.must(err)
		if len(all) != 5 || len(two) != 2 || two[0].Number != all[1].Number || len(one) != 1 || len(none) != 0 || last != all[4].Number || all[0].Number <= opened {
			t.Errorf("%d, %d, %d, %d records; the last is %d, before the first %d", len(all), len(two), len(one), len(none), last, opened)
		}
		return nil
	})
}

func TestClose(t *testing.T) {
	b := newBench(t)
	s := b.open(KeysOnly, 2)
	b.append(s, nil, row("a", "b", 1))
	b.must(b.st.Update(t.Context(), func(tx store.Tx) error { return Close(tx, owner, s, time.Now()) }))
	again := b.open(KeysOnly, 2)
	if again.Label == s.Label || again.ID == s.ID {
		t.Fatalf("the new stream is the old one: %+v", again)
	}
	b.append(again, nil, row("a", "c", 1))
	b.view(func(r store.Reader) error {
		ended, err := s.Ended(r)
		b.must(err)
		if open, err := again.Ended(r); ended == 0 || open != 0 || err != nil {
			t.Errorf("the old stream ends at %d, the new one at %d", ended, open)
		}
		for shard := range s.Shards {
			if last, err := s.Last(r, shard); last >= ended || err != nil {
				t.Errorf("record %d of a stream that ends at %d", last, ended)
			}
		}
		page, more, err := Page(r, owner, "t", nil, 1)
		b.must(err)
		if len(page) != 1 || !more || page[0].Closed.IsZero() || page[0].Label != s.Label {
			t.Errorf("%+v, %t", page, more)
		}
		page, more, err = Page(r, owner, "", &page[0], 5)
		if len(page) != 1 || more || !page[0].Closed.IsZero() || err != nil {
			t.Errorf("%+v, %t, %v", page, more, err)
		}
		return nil
	})
	b.must(Trim(t.Context(), b.st, time.Now().Add(-time.Hour)))
	if len(b.read(s, s.shardOf(item.String("a")), 0)) != 1 {
		t.Error("a closed stream is not readable")
	}
}

func TestTrim(t *testing.T) {
	b := newBench(t)
	s := b.open(KeysOnly, 1)
	for n := range 4 {
		b.append(s, nil, row("a", fmt.Sprint(n), n))
	}
	records := b.read(s, 0, 0)
	horizon := time.Now().Add(time.Hour)
	b.view(func(r store.Reader) error {
		opened, err := s.Opened(r)
		b.must(err)
		none, err := s.Trimmed(r, 0, records[0].At)
		b.must(err)
		all, err := s.Trimmed(r, 0, horizon)
		b.must(err)
		if none != opened || all != records[3].Number {
			t.Errorf("%d and %d are trimmed, of %d after %d", none, all, records[3].Number, opened)
		}
		return nil
	})
	b.must(Trim(t.Context(), b.st, horizon))
	b.append(s, nil, row("a", "z", 9))
	left := b.read(s, 0, 0)
	if len(left) != 1 || left[0].Number <= records[3].Number {
		t.Fatalf("%+v are left", left)
	}
	b.view(func(r store.Reader) error {
		if n, err := s.Trimmed(r, 0, time.Time{}); n != records[3].Number || err != nil {
			t.Errorf("%d is the last that was removed, not %d: %v", n, records[3].Number, err)
		}
		return nil
	})
	b.must(b.st.Update(t.Context(), func(tx store.Tx) error { return Close(tx, owner, s, time.Now()) }))
	b.must(Trim(t.Context(), b.st, horizon))
	b.view(func(r store.Reader) error {
		for kv, err := range r.Range(store.Range{}) {
			if err != nil {
				return err
			}
			t.Errorf("%q is left", kv.Key)
		}
		return nil
	})
}

func TestARN(t *testing.T) {
	s := Stream{ID: "x", Table: "a.b-c_d", Label: "2026-01-02T03:04:05.678", Shards: 3, Created: time.UnixMilli(1767323045678)}
	arn := s.ARN(owner)
	o, table, label, ok := ParseARN(arn)
	if o != owner || table != s.Table || label != s.Label || !ok {
		t.Errorf("%s is %v, %s, %s, %t", arn, o, table, label, ok)
	}
	for _, bad := range []string{"", "arn:aws:dynamodb:r:a:table/t", "arn:aws:dynamodb:r:a:table/t/index/i", "arn:aws:sqs:r:a:table/t/stream/l"} {
		if _, _, _, ok := ParseARN(bad); ok {
			t.Errorf("%s is taken for a stream", bad)
		}
	}
	for shard := range s.Shards {
		id := s.ShardID(shard)
		if n, ok := s.Shard(id); n != shard || !ok || len(id) < 28 || len(id) > 65 {
			t.Errorf("shard %d: %s", shard, id)
		}
	}
	if _, ok := s.Shard("shardId-00000001767323045678-ffffffff"); ok {
		t.Error("an unknown shard")
	}
}

func TestSequence(t *testing.T) {
	for _, n := range []int64{0, 1, 65536, 1<<63 - 1} {
		text := Sequence(n)
		if got, ok := ParseSequence(text); got != n || !ok || len(text) < 21 || len(text) > 40 {
			t.Errorf("%d: %s, %d", n, text, got)
		}
	}
	for _, bad := range []string{"", "1", "00000000000000000000000", "200000000000000000001", "1000000000000000000-1", "199999999999999999999"} {
		if _, ok := ParseSequence(bad); ok {
			t.Errorf("%s is a number", bad)
		}
	}
}

// FuzzDecode reads any bytes: an error, or a record that is written as the same.
func FuzzDecode(f *testing.F) {
	f.Add((&Record{Event: Insert, At: time.UnixMilli(5), Keys: row("a", "b", 1), New: row("a", "b", 1)}).encode())
	f.Add((&Record{Event: Remove, Expired: true, Keys: row("a", "b", 1), Old: row("a", "b", 1)}).encode())
	f.Add([]byte{1, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(r.encode())
		if err != nil || again.Event != r.Event || !again.At.Equal(r.At) || again.Expired != r.Expired ||
			!again.Keys.Equal(r.Keys) || !again.New.Equal(r.New) || !again.Old.Equal(r.Old) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}
