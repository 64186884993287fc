package rpcv2cbor

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/fxamacker/cbor/v2"
)

// Everything has a member of each kind.
type Everything struct {
	Text   *string
	Small  *int32
	Ratio  *float64
	Single *float32
	Yes    *bool
	When   *time.Time
	Bytes  []byte
	List   []string
	Map    map[string]int64
	Nested *Everything
}

var table = awsapi.Service{Shapes: []awsapi.Shape{
	{Name: "Everything", Kind: awsapi.Structure, Members: []awsapi.Member{
		{Name: "text", Shape: 1, Wire: "ignored"}, {Name: "Small", Shape: 2}, {Name: "Ratio", Shape: 3}, {Name: "Single", Shape: 10}, {Name: "Yes", Shape: 4},
		{Name: "When", Shape: 5}, {Name: "Bytes", Shape: 6}, {Name: "List", Shape: 7}, {Name: "Map", Shape: 8}, {Name: "Nested", Shape: 0}}},
	{Kind: awsapi.String}, {Kind: awsapi.Integer}, {Kind: awsapi.Double}, {Kind: awsapi.Boolean}, {Kind: awsapi.Timestamp}, {Kind: awsapi.Blob},
	{Kind: awsapi.List, Elem: awsapi.Element{Shape: 1}}, {Kind: awsapi.Map, Key: awsapi.Element{Shape: 1}, Elem: awsapi.Element{Shape: 9}},
	{Kind: awsapi.Long}, {Kind: awsapi.Float}},
	Operations: []awsapi.Operation{{Name: "Do", Input: 0, Output: 0, New: func() any { return new(Everything) },
		Out: func() reflect.Type { return reflect.TypeFor[Everything]() }, Call: func(context.Context, any, any) (any, error) { return nil, nil }}}}

var plan = wire.NewService(&table).Lookup("Do").InputPlan()

// TestAgainstTheLibrary reads what a CBOR library writes, and has it read what is written here.
func TestAgainstTheLibrary(t *testing.T) {
	when := time.Date(2015, 1, 25, 8, 0, 0, 5e8, time.UTC)
	for _, in := range []map[string]any{
		{},
		{"text": "é", "Small": -70000, "Ratio": 1.5, "Single": float32(0.25), "Yes": true, "Bytes": []byte{1, 2}},
		{"List": []any{"a", "b"}, "Map": map[string]any{"a": 1, "b": uint64(1) << 40}, "Nested": map[string]any{"Yes": false}},
		{"When": cbor.Tag{Number: 1, Content: 1422172800.5}, "unknown": []any{1}},
		{"Small": uint64(255), "text": nil},
	} {
		b, err := cbor.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		var v Everything
		if err := Decode(b, plan, reflect.ValueOf(&v).Elem()); err != nil {
			t.Fatal(in, err)
		}
		if _, ok := in["When"]; ok && !v.When.Equal(when) {
			t.Error(v.When)
		}
		out := Append(nil, plan, reflect.ValueOf(&v).Elem())
		var back map[string]any
		if err := cbor.Unmarshal(out, &back); err != nil {
			t.Fatal(err)
		}
		for name := range in {
			if _, ok := back[name]; !ok && in[name] != nil && name != "unknown" {
				t.Errorf("%v lost %s", in, name)
			}
		}
	}
}

func TestDecodeBytes(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // hexadecimal; or "!" and the message
		{"", "a0"},
		{"bf6474657874" + "7f6161" + "6162" + "ff" + "ff", "a1647465787462" + "6162"}, // text and map of no fixed length
		{"a165536d616c6cfb4014000000000000", "a165536d616c6c05"},                      // a whole double for an integer
		{"a1645768656ec11a54c4a180", "a1645768656ec11a54c4a180"},
		{"a165526174696ff97e00", "a165526174696ffb7ff8000000000000" + ""}, // a half NaN
		{"80", "!Unexpected value type in payload"},
		{"a1647465787405", "!NUMBER_VALUE can not be converted to a String"},
		{"a165536d616c6c6131", "!STRING_VALUE can not be converted to an Integer"},
		{"a165536d616c6c1a80000000", "!NUMBER_VALUE can not be converted to an Integer"},
		{"a1644c697374a0", "!Expected list or null"},
		{"a1635965730" + "5", "!NUMBER_VALUE can not be converted to a Boolean"},
		{"ff", "!"},
		{"a1", "!"},
		{"a00000", "!"},
	} {
		b, err := hex.DecodeString(c.in)
		if err != nil {
			t.Fatal(c.in, err)
		}
		var v Everything
		err = Decode(b, plan, reflect.ValueOf(&v).Elem())
		if c.want[:1] == "!" {
			e, ok := errors.AsType[*awsapi.Error](err)
			if !ok || e.Type != wire.SerializationException || len(c.want) > 1 && e.Message != c.want[1:] {
				t.Errorf("%s: %v", c.in, err)
			}
			continue
		}
		want, _ := hex.DecodeString(c.want)
		if got := Append(nil, plan, reflect.ValueOf(&v).Elem()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is %x, not %s: %v", c.in, got, c.want, err)
		}
	}
}
