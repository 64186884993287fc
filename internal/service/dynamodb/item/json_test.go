package item

import (
	"encoding/json"
	"reflect"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/wire"
)

// asReplied is the item as the front door writes it.
func asReplied(it Item) []byte {
	p := wire.NewService(&api.Service).Lookup("GetItem").OutputPlan().FieldNamed("Item").Plan
	return awsjson.Append(nil, p, wire.DefaultTime, reflect.ValueOf(it.API()))
}

// FuzzAppendJSON compares what becomes of stored items directly with what becomes of them as values, byte for byte.
func FuzzAppendJSON(f *testing.F) {
	f.Add(everything(f).Append(nil))
	f.Add(Item{}.Append(nil))
	f.Add(Item{"b": String("\"\u2028\n<é"), "a": String("\xff\xfe"), "": Bytes(nil)}.Append(nil))
	f.Add([]byte{codecVersion, 1, 1, 'a', byte(L), 255, 255, 255, 255, 15})
	f.Add([]byte{codecVersion, 1, 1, 'a', 99})
	f.Fuzz(func(t *testing.T, stored []byte) {
		it, failed := Decode(stored)
		got, size, err := AppendJSON([]byte("before"), stored)
		passed, passErr := StoredSize(stored)
		if (err == nil) != (failed == nil) || (passErr == nil) != (failed == nil) {
			t.Fatalf("%x: %v and %v; as a value: %v", stored, err, passErr, failed)
		}
		if failed != nil || len(it.Append(nil)) != len(stored) { // not such as Append makes: it has a name twice
			return
		}
		if want := "before" + string(asReplied(it)); string(got) != want || size != it.Size() || passed != size {
			t.Fatalf("%x:\n got %s of %d and %d bytes\nwant %s of %d", stored, got, size, passed, want, it.Size())
		}
	})
}

func TestAppendJSONOfCutItems(t *testing.T) {
	stored := everything(t).Append(nil)
	for cut := range stored {
		if _, _, err := AppendJSON(nil, stored[:cut]); err == nil {
			t.Errorf("an item cut to %d of %d bytes was read", cut, len(stored))
		}
		if _, err := StoredSize(stored[:cut]); err == nil {
			t.Errorf("an item cut to %d of %d bytes was measured", cut, len(stored))
		}
	}
	got, _, err := AppendJSON(nil, stored)
	if err != nil || !json.Valid(got) {
		t.Errorf("%s, %v", got, err)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	stored := everything(b).Append(nil)
	b.ReportAllocs()
	var dst []byte
	for b.Loop() {
		var err error
		if dst, _, err = AppendJSON(dst[:0], stored); err != nil {
			b.Fatal(err)
		}
	}
}
