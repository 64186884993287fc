package awsjson

import (
	"reflect"
	"testing"

	"cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint/wire"
)

func itemPlan() *wire.Plan {
	op := wire.NewService(&dynamodb.Service).Lookup("PutItem")
	return op.InputPlan().FieldNamed("Item").Plan
}

// slow is the plan with a Go type of its own, so that it is read and written by the tables alone.
func slow() *wire.Plan {
	type named map[string]dynamodb.AttributeValue
	p := *itemPlan()
	p.Type = reflect.TypeFor[named]()
	return &p
}

func readItem(p *wire.Plan, text string) (attributes, string) {
	v := reflect.New(p.Type).Elem()
	if err := Decode([]byte(text), p, v); err != nil {
		return nil, err.Error()
	}
	m, _ := v.Convert(attributesType).Interface().(attributes)
	return m, ""
}

var itemSeeds = []string{
	`{}`, `null`, `{"a":{"S":"x"},"b":{"N":"1"},"c":{"B":"AAEC"},"d":{"BOOL":true},"e":{"BOOL":false},"f":{"NULL":true}}`,
	`{"a":{"M":{"x":{"L":[{"S":"y"},{"M":{}}]},"n":null}},"s":{"SS":["a","b"]},"t":{"NS":["1"]},"u":{"BS":["AA=="]},"v":{"L":[]}}`,
	`{"a":{}}`, `{"a":null}`, `{"a":{"S":1}}`, `{"a":{"S":null,"N":"1"}}`, `{"a":{"M":[]}}`, `{"a":{"L":{}}}`, `{"a":[]}`, `{"a":"b"}`,
	`{"a":{"Q":"unknown","S":"x"}}`, `{"a":{"B":"?"}}`, `{"a":{"S":"x"}`, `[]`, `{"a":{"BOOL":"x"}}`, `{"a":{"NULL":false}}`, `{"a":{"S":"\ud800"}}`,
}

// FuzzItem reads an item in the fast way and by the tables: the same value or the same refusal, and the
// same text when it is written.
func FuzzItem(f *testing.F) {
	for _, s := range itemSeeds {
		f.Add(s)
	}
	fast, tables := itemPlan(), slow()
	f.Fuzz(func(t *testing.T, text string) {
		got, refused := readItem(fast, text)
		want, wanted := readItem(tables, text)
		if refused != wanted || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s became %v, %q; want %v, %q", text, got, refused, want, wanted)
		}
		if refused != "" || got == nil || !plain(got) {
			return
		}
		quick := Append(nil, fast, wire.DefaultTime, reflect.ValueOf(got))
		slowly := Append(nil, tables, wire.DefaultTime, reflect.ValueOf(got).Convert(tables.Type))
		if string(quick) != string(slowly) {
			t.Errorf("%s is written as %s; want %s", text, quick, slowly)
		}
	})
}

// types counts the types that a value says it is of.
func types(a dynamodb.AttributeValue) (n int) {
	v := reflect.ValueOf(a)
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			n++
		}
	}
	return n
}

// plain reports whether every value in the item is of one type.
func plain(m attributes) bool {
	for _, a := range m {
		if types(a) != 1 || a.M != nil && !plain(a.M) {
			return false
		}
		for _, e := range a.L {
			if !plain(attributes{"": e}) {
				return false
			}
		}
	}
	return true
}
