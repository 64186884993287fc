package awsjson

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Everything has a member of each kind.
type Everything struct {
	Text   *string
	Small  *int32
	Big    *int64
	Ratio  *float64
	Yes    *bool
	When   *time.Time
	Bytes  []byte
	List   []string
	Map    map[string]string
	Nested *Everything
	Any    any
	Stamp  *time.Time
}

var table = awsapi.Service{Shapes: []awsapi.Shape{
	{Name: "Everything", Kind: awsapi.Structure, Members: []awsapi.Member{
		{Name: "text", Shape: 1, Wire: "Text"}, {Name: "Small", Shape: 2}, {Name: "Big", Shape: 3}, {Name: "Ratio", Shape: 4},
		{Name: "Yes", Shape: 5}, {Name: "When", Shape: 6}, {Name: "Bytes", Shape: 7}, {Name: "List", Shape: 8}, {Name: "Map", Shape: 9},
		{Name: "Nested", Shape: 0}, {Name: "Any", Shape: 10}, {Name: "Stamp", Shape: 6, TimestampFormat: "iso8601"}}},
	{Kind: awsapi.String}, {Kind: awsapi.Integer}, {Kind: awsapi.Long}, {Kind: awsapi.Double}, {Kind: awsapi.Boolean},
	{Kind: awsapi.Timestamp}, {Kind: awsapi.Blob}, {Kind: awsapi.List, Elem: awsapi.Element{Shape: 1}},
	{Kind: awsapi.Map, Key: awsapi.Element{Shape: 1}, Elem: awsapi.Element{Shape: 1}}, {Kind: awsapi.Document}},
	Operations: []awsapi.Operation{{Name: "Do", Input: 0, Output: 0, New: func() any { return new(Everything) },
		Out: func() reflect.Type { return reflect.TypeFor[Everything]() }, Call: func(context.Context, any, any) (any, error) { return nil, nil }}}}

var plan = wire.NewService(&table).Lookup("Do").InputPlan()

func TestDecode(t *testing.T) {
	for _, c := range []struct{ in, want string }{ // what is read, written again; or "!" and the error's message
		{``, `{}`},
		{` {} `, `{}`},
		{`{"Text":null,"List":null,"Nested":null}`, `{}`},
		{`{"Unknown":[{"Text":1}],"Text":"a"}`, `{"Text":"a"}`},
		{`{"Text":"a","Text":"b"}`, `{"Text":"b"}`},
		{`{"text":"the model's name, not the wire's"}`, `{}`},
		{`{"Text":"\u00e9\ud83d\ude00\u0000"}`, `{"Text":"é😀\u0000"}`},
		{`{"Small":2147483647,"Big":9223372036854775807}`, `{"Small":2147483647,"Big":9223372036854775807}`},
		{`{"Small":1e3,"Big":5.0}`, `{"Small":1000,"Big":5}`},
		{`{"Ratio":"NaN"}`, `{"Ratio":"NaN"}`},
		{`{"Ratio":"-Infinity"}`, `{"Ratio":"-Infinity"}`},
		{`{"Ratio":1e-7}`, `{"Ratio":1e-07}`},
		{`{"When":1422172800.5,"Stamp":1422172800}`, `{"When":1422172800.5,"Stamp":"2015-01-25T08:00:00Z"}`},
		{`{"When":"2015-01-25T08:00:00Z"}`, `{"When":1422172800}`},
		{`{"When":"Sun, 25 Jan 2015 08:00:00 GMT","Stamp":"1422172800"}`, `{"When":1422172800,"Stamp":"2015-01-25T08:00:00Z"}`},
		{`{"When":"2015-01-25T08:00:00.123+01:00"}`, `{"When":1422169200.123}`},
		{`{"Bytes":"aGk="}`, `{"Bytes":"aGk="}`},
		{`{"Bytes":"aGk"}`, `{"Bytes":"aGk="}`},
		{`{"List":[],"Map":{}}`, `{"List":[],"Map":{}}`},
		{`{"Map":{"b":"1","a":"2","n":null}}`, `{"Map":{"a":"2","b":"1"}}`},
		{`{"Nested":{"Nested":{"Yes":true}}}`, `{"Nested":{"Nested":{"Yes":true}}}`},
		{`{"Any":{"a":[1,"b",null,true]}}`, `{"Any":{"a":[1,"b",null,true]}}`},
		{`{"Any":null}`, `{}`},
		{`[]`, `!Start of list found where not expected`},
		{`"a"`, `!Unexpected value type in payload`},
		{`{"Text":1}`, `!NUMBER_VALUE can not be converted to a String`},
		{`{"Text":true}`, `!TRUE_VALUE can not be converted to a String`},
		{`{"Text":{}}`, `!Start of structure or map found where not expected.`},
		{`{"Text":[]}`, `!Start of list found where not expected`},
		{`{"Small":"1"}`, `!STRING_VALUE can not be converted to an Integer`},
		{`{"Small":2147483648}`, `!NUMBER_VALUE can not be converted to an Integer`},
		{`{"Small":1.5}`, `!NUMBER_VALUE can not be converted to an Integer`},
		{`{"Big":9223372036854775808}`, `!NUMBER_VALUE can not be converted to a Long`},
		{`{"Yes":"true"}`, `!STRING_VALUE can not be converted to a Boolean`},
		{`{"Ratio":"1"}`, `!STRING_VALUE can not be converted to a Double`},
		{`{"When":"yesterday"}`, `!STRING_VALUE can not be converted to a Date`},
		{`{"When":1422172800000}`, `!NUMBER_VALUE can not be converted to a Date`},
		{`{"Bytes":"*"}`, `!Unable to decode base64: illegal base64 data at input byte 0`},
		{`{"List":{}}`, `!Start of structure or map found where not expected.`},
		{`{"List":"a"}`, `!Expected list or null`},
		{`{"List":["a"`, `!Unexpected end-of-input`},
		{`{"Text":"a"`, `!Unexpected end-of-input`},
		{strings.Repeat(`{"Nested":`, 600) + `{}` + strings.Repeat(`}`, 600), `!The request is nested too deeply`},
		{`{"Any":` + strings.Repeat(`[`, 600) + strings.Repeat(`]`, 600) + `}`, `!The request is nested too deeply`},
	} {
		var v Everything
		err := Decode([]byte(c.in), plan, reflect.ValueOf(&v).Elem())
		got := string(Append(nil, plan, wire.DefaultTime, reflect.ValueOf(&v).Elem()))
		if err != nil {
			e, ok := errors.AsType[*awsapi.Error](err)
			if !ok || e.Type != wire.SerializationException {
				t.Errorf("%.60s: %v", c.in, err)
				continue
			}
			got = "!" + e.Message
		}
		if got != c.want {
			t.Errorf("%.60s is\n%s\nnot\n%s", c.in, got, c.want)
		}
	}
}
