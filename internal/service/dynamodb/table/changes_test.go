package table

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// TestEachChange writes items at known times, and asks what changed between two of them.
func TestEachChange(t *testing.T) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tab, err := New(&Record{Ref: Ref{"1", "r", "t"}, API: api.TableDescription{TableId: new("12345678-1234-1234-1234-123456789012"),
		KeySchema:            []api.KeySchemaElement{{AttributeName: new("pk"), KeyType: new(api.KeyTypeHash)}},
		AttributeDefinitions: []api.AttributeDefinition{{AttributeName: new("pk"), AttributeType: new(api.ScalarAttributeTypeS)}}}})
	if err != nil {
		t.Fatal(err)
	}
	at := func(n int64) time.Time { return time.UnixMilli(n * 1000) }
	write := func(n int64, pk, value string) {
		t.Helper()
		k, err := tab.KeyOf(item.Item{"pk": item.String(pk)})
		if err != nil {
			t.Fatal(err)
		}
		err = st.Update(context.Background(), func(tx store.Tx) error {
			old, err := tab.Get(tx, k)
			if err != nil {
				return err
			}
			var now item.Item
			if value != "" {
				now = item.Item{"pk": item.String(pk), "v": item.String(value)}
			}
			if err := tab.Write(tx, k, old, now); err != nil { // keeps nothing of its own: there is no recovery
				return err
			}
			return tx.Append(tab.space(undoSpace), replaced{at(n), k, old}.encode())
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	write(1, "a", "1")
	write(2, "b", "1")
	write(3, "a", "2")
	write(4, "c", "1")
	write(5, "b", "")
	write(6, "a", "3")
	write(7, "d", "1")
	write(8, "d", "")
	show := func(it item.Item) string {
		if it == nil {
			return "-"
		}
		return it["v"].Text
	}
	for _, c := range []struct {
		from, to int64
		want     string
	}{
		{2, 5, "a 1>2 @3, b 1>- @5, c ->1 @4"},
		{0, 9, "a ->3 @6, b ->- @5, c ->1 @4, d ->- @8"},
		{5, 7, "a 2>3 @6, d ->1 @7"},
		{1, 1, ""},
		{8, 9, ""},
	} {
		var got []string
		err := st.View(context.Background(), func(r store.Reader) error {
			return tab.EachChange(r, at(c.from), at(c.to), func(ch Change) error {
				name := "?"
				for _, pk := range []string{"a", "b", "c", "d"} {
					if k, _ := tab.KeyOf(item.Item{"pk": item.String(pk)}); string(k) == string(ch.Key) {
						name = pk
					}
				}
				got = append(got, fmt.Sprintf("%s %s>%s @%d", name, show(ch.Old), show(ch.New), ch.Last.Unix()))
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%d to %d: %s, want %s", c.from, c.to, s, c.want)
		}
	}
}
