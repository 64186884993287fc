package table

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// record is that of a table with a sort key and an index.
func record(name string) *Record {
	key := func(name, kind string) api.KeySchemaElement {
		return api.KeySchemaElement{AttributeName: &name, KeyType: &kind}
	}
	r := &Record{Ref: Ref{"000000000000", "eu-west-1", name}, API: api.TableDescription{TableName: &name, TableId: new("01234567-89ab-4def-8123-456789abcdef"),
		KeySchema: []api.KeySchemaElement{key("pk", "HASH"), key("sk", "RANGE")},
		GlobalSecondaryIndexes: []api.GlobalSecondaryIndexDescription{{IndexName: new("index"), IndexStatus: new("ACTIVE"),
			KeySchema: []api.KeySchemaElement{key("g", "HASH"), key("h", "RANGE")}, Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}}}}
	for _, a := range [][2]string{{"pk", "S"}, {"sk", "N"}, {"g", "S"}, {"h", "S"}} {
		r.API.AttributeDefinitions = append(r.API.AttributeDefinitions, api.AttributeDefinition{AttributeName: &a[0], AttributeType: &a[1]})
	}
	r.NumberIndexes()
	return r
}

func newTable(t testing.TB) *Table {
	t.Helper()
	table, err := New(record("t"))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func row(pk string, sk int64, g, h string) item.Item {
	it := item.Item{"pk": item.String(pk), "sk": item.Int(sk), "x": item.String("x")}
	if g != "" {
		it["g"] = item.String(g)
	}
	if h != "" {
		it["h"] = item.String(h)
	}
	return it
}

// Items of one hash key lie together, in the order of their sort keys; no key begins another's range.
func TestOrder(t *testing.T) {
	table := newTable(t)
	for _, pk := range []string{"a", "\x00", strings.Repeat("k", 254), strings.Repeat("k", 255), strings.Repeat("k", 2048)} {
		of := table.Of(nil, item.String(pk))
		var before []byte
		for _, sk := range []int64{math.MinInt64, -100, -1, 0, 1, 2, 10, 99, 100, math.MaxInt64} {
			k, err := table.KeyOf(row(pk, sk, "", ""))
			if err != nil {
				t.Fatal(err)
			}
			if len(k) > store.MaxKey {
				t.Errorf("a key of %d bytes", len(k))
			}
			if !of.Holds(k) {
				t.Errorf("%d of %.5q is not where its hash key's items are", sk, pk)
			}
			if before != nil && bytes.Compare(before, k) >= 0 {
				t.Errorf("%d of %.5q is out of order", sk, pk)
			}
			before = k
			if other := table.Of(nil, item.String(pk+"x")); other.Holds(k) {
				t.Errorf("%d of %.5q is among another hash key's items", sk, pk)
			}
		}
	}
}

// What a table and an index begin with, no other has.
func TestApart(t *testing.T) {
	a := newTable(t)
	other := record("other")
	other.API.TableId = new("11234567-89ab-4def-8123-456789abcdef")
	b, err := New(other)
	if err != nil {
		t.Fatal(err)
	}
	spans := []Span{a.All(nil), a.All(a.Index("index")), b.All(nil), b.All(b.Index("index"))}
	for i, s := range spans {
		for j, o := range spans {
			if i != j && s.Holds(o.Range.Start) {
				t.Errorf("span %d holds the start of span %d", i, j)
			}
		}
	}
	if first := store.Key("a"); first[0] == a.items[0] {
		t.Error("a key of store.Key may begin as an item's does")
	}
}

// Segments follow each other without a gap, whatever their number.
func TestSegments(t *testing.T) {
	table := newTable(t)
	for _, of := range []int{1, 2, 3, 5, 1024, 999_999, 1_000_000} {
		all := table.All(nil)
		end := all.Range.Start
		for segment := range of {
			if segment > 50 && segment < of-50 {
				end = table.Segment(nil, segment, of).Range.End
				continue
			}
			s := table.Segment(nil, segment, of)
			if !bytes.Equal(s.Range.Start, end) || bytes.Compare(s.Range.Start, s.Range.End) >= 0 {
				t.Fatalf("segment %d of %d goes from %x to %x; the one before ended at %x", segment, of, s.Range.Start, s.Range.End, end)
			}
			end = s.Range.End
		}
		if !bytes.Equal(end, all.Range.End) {
			t.Errorf("the last of %d segments ends at %x", of, end)
		}
	}
}

// A position is found by the keys that it has, and by no others.
func TestPosition(t *testing.T) {
	table := newTable(t)
	index := table.Index("index")
	it := row("a", 1, "g", "h")
	for _, x := range []*Index{nil, index} {
		keys := table.PositionOf(x, it)
		if !table.HasPosition(x, keys) || table.HasPosition(x, it) || table.HasPosition(x, item.Item{"pk": it["pk"]}) {
			t.Errorf("what is a position: %v", keys.API())
		}
		p, err := table.Position(x, keys)
		if err != nil {
			t.Fatal(err)
		}
		if all := table.All(x); !all.Holds(p) {
			t.Error("a position is outside of the table or the index")
		}
	}
	if table.HasPosition(nil, table.PositionOf(index, it)) {
		t.Error("an index's position is one of the table")
	}
}

// TestLongEntries: two items whose keys are long and alike have two entries in an index.
func TestLongEntries(t *testing.T) {
	table := newTable(t)
	index := table.Index("index")
	seen := map[string]bool{}
	for i := range int64(3) {
		it := row(strings.Repeat("p", 2048), i, strings.Repeat("g", 2048), strings.Repeat("\x00", 1024))
		k, err := table.KeyOf(it)
		if err != nil {
			t.Fatal(err)
		}
		entry, err := index.entryKey(it, k)
		if err != nil {
			t.Fatal(err)
		}
		if len(entry) > store.MaxKey || seen[string(entry)] {
			t.Errorf("entry %d has %d bytes, and was there before: %t", i, len(entry), seen[string(entry)])
		}
		seen[string(entry)] = true
	}
}

func openStore(t testing.TB) store.Store {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return st
}

// Verify sees what a write could have done wrong.
func TestVerify(t *testing.T) {
	st, table, ctx := openStore(t), newTable(t), context.Background()
	it := row("a", 1, "g", "h")
	k, err := table.KeyOf(it)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := table.Index("index").entryKey(it, k)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		harm func(tx store.Tx) error
		ok   bool
	}{
		{"nothing", func(store.Tx) error { return nil }, true},
		{"an entry lost", func(tx store.Tx) error { return tx.Delete(entry) }, false},
		{"an entry left", func(tx store.Tx) error { return tx.Delete(k) }, false},
		{"another entry", func(tx store.Tx) error { return tx.Set(entry, encode(it)) }, false},
		{"another place", func(tx store.Tx) error { return tx.Set(append(k[:len(k):len(k)], 1), encode(it)) }, false},
	} {
		err := st.Update(ctx, func(tx store.Tx) error {
			if err := errors.Join(table.Clear(tx), table.Write(tx, k, nil, it), c.harm(tx)); err != nil {
				return err
			}
			return table.Verify(tx)
		})
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// A change waits for the operations that use the table, and those that come meanwhile see what it made.
func TestChangeWaitsForUses(t *testing.T) {
	c, ctx := NewCatalog(openStore(t)), context.Background()
	ref := record("t").Ref
	if _, err := c.Use(ctx, ref); !errors.Is(err, ErrNotFound) {
		t.Fatalf("a table that is not there: %v", err)
	}
	change := func(n uint16) {
		if err := c.Change(ctx, ref, func(_ store.Tx, r *Record) (*Record, error) {
			if r == nil {
				r = record("t")
			}
			r.LastNumber = n
			return r, nil
		}); err != nil {
			t.Error(err)
		}
	}
	change(10)
	use, err := c.Use(ctx, ref)
	if err != nil || use.LastNumber != 10 {
		t.Fatalf("%+v, %v", use.Table, err)
	}
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		change(11)
	}()
	for range 100 { // it cannot be done while the table is used
		select {
		case <-changed:
			t.Fatal("the table was changed while it was used")
		default:
		}
	}
	use.End()
	<-changed
	if use, err = c.Use(ctx, ref); err != nil || use.LastNumber != 11 {
		t.Fatalf("%+v, %v", use.Table, err)
	}
	use.End()
	if err := c.Change(ctx, ref, func(store.Tx, *Record) (*Record, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Use(ctx, ref); !errors.Is(err, ErrNotFound) {
		t.Errorf("a table that was deleted: %v", err)
	}
}

// A change that fails leaves the table as it was.
func TestChangeFails(t *testing.T) {
	c, ctx := NewCatalog(openStore(t)), context.Background()
	r := record("t")
	keep := func(store.Tx, *Record) (*Record, error) { return r, nil }
	if err := c.Change(ctx, r.Ref, keep); err != nil {
		t.Fatal(err)
	}
	reason := errors.New("no")
	if err := c.Change(ctx, r.Ref, func(store.Tx, *Record) (*Record, error) { return nil, reason }); !errors.Is(err, reason) {
		t.Error(err)
	}
	use, err := c.Use(ctx, r.Ref)
	if err != nil {
		t.Fatal(err)
	}
	use.End()
}

// FuzzKeyOrder compares keys of two items with the items.
func FuzzKeyOrder(f *testing.F) {
	f.Add("a", "b", "a", "c")
	f.Add("a", "", "a", "\x00")
	f.Add("\x00", "\x00\xff", "\x00", "\x00\x01")
	f.Fuzz(func(t *testing.T, pk1, sk1, pk2, sk2 string) {
		s := Schema{Hash: Attribute{"pk", item.S}, Range: Attribute{"sk", item.S}}
		a, err1 := s.appendKey(nil, item.Item{"pk": item.String(pk1), "sk": item.String(sk1)})
		b, err2 := s.appendKey(nil, item.Item{"pk": item.String(pk2), "sk": item.String(sk2)})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		got := bytes.Compare(a, b)
		if same := pk1 == pk2 && sk1 == sk2; same != (got == 0) {
			t.Errorf("%q %q and %q %q: keys compare as %d", pk1, sk1, pk2, sk2, got)
		}
		if pk1 == pk2 && got != strings.Compare(sk1, sk2) {
			t.Errorf("%q and %q are out of order", sk1, sk2)
		}
		if len(a) < len(b) && bytes.HasPrefix(b, a) {
			t.Errorf("%x begins %x", a, b)
		}
	})
}
