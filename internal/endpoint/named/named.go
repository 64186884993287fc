// Package named fills an operation's input from JSON whose members have the names of AWS's SDKs, whatever
// protocol the service speaks and wherever a member would travel: {"QueueUrl": "…", "MessageBody": "…"}. This
// is what universal targets and SDK integrations are written in.
//
// It owns that mapping alone; the model's constraints are checked elsewhere.
package named

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Decode reads the JSON document b into in, which the operation's New made. Its errors are awsapi errors.
func Decode(b []byte, op *wire.Operation, in any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var document any
	if err := d.Decode(&document); err != nil {
		return wire.Malformed("The input of %s is not valid JSON: %v", op.Name, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return wire.Malformed("The input of %s has content after its end", op.Name)
	}
	if document == nil {
		return nil
	}
	return set(op.InputPlan(), document, reflect.ValueOf(in).Elem())
}

func set(p *wire.Plan, document any, v reflect.Value) error {
	switch p.Kind {
	case awsapi.Structure:
		members, ok := document.(map[string]any)
		if !ok {
			return wrong(p, document)
		}
		return structure(p, members, v)
	case awsapi.Map:
		entries, ok := document.(map[string]any)
		if !ok {
			return wrong(p, document)
		}
		return mapping(p, entries, v)
	case awsapi.List:
		elements, ok := document.([]any)
		if !ok {
			return wrong(p, document)
		}
		return list(p, elements, v)
	case awsapi.Blob:
		return blob(p, document, v)
	case awsapi.Document:
		v.Set(reflect.ValueOf(document))
		return nil
	}
	return scalar(p, document, v)
}

func wrong(p *wire.Plan, document any) error {
	return wire.Malformed("%s is to be a %s, not %s", p.Name, p.Kind, kindOf(document))
}

func kindOf(document any) string {
	switch document.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "an array"
	case string:
		return "a string"
	case json.Number:
		return "a number"
	case bool:
		return "a boolean"
	}
	return "null"
}

func structure(p *wire.Plan, members map[string]any, v reflect.Value) error {
	for name, value := range members {
		f := member(p, name)
		if f == nil {
			return wire.Malformed("%s has no member %s", p.Name, name)
		}
		if value == nil {
			continue
		}
		if err := set(f.Plan, value, f.Set(v)); err != nil {
			return err
		}
	}
	return nil
}

// member finds a member by its name. Its first letter may have either case: the SDKs write it upper case.
func member(p *wire.Plan, name string) *wire.Field {
	for i := range p.Fields {
		if f := &p.Fields[i]; f.Name == name || upper(f.Name) == name || upper(f.Name) == upper(name) {
			return f
		}
	}
	return nil
}

func upper(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:]
}

func mapping(p *wire.Plan, entries map[string]any, v reflect.Value) error {
	m := reflect.MakeMapWithSize(p.Type, len(entries))
	for name, value := range entries {
		if value == nil {
			continue
		}
		elem := reflect.New(p.Type.Elem()).Elem()
		if err := set(p.Elem, value, elem); err != nil {
			return err
		}
		m.SetMapIndex(reflect.ValueOf(name).Convert(p.Type.Key()), elem)
	}
	v.Set(m)
	return nil
}

func list(p *wire.Plan, elements []any, v reflect.Value) error {
	s := reflect.MakeSlice(p.Type, len(elements), len(elements))
	for i, value := range elements {
		if value == nil {
			return wire.Malformed("%s holds a null", p.Name)
		}
		if err := set(p.Elem, value, s.Index(i)); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

// blob takes text as it is, and anything else as JSON.
func blob(p *wire.Plan, document any, v reflect.Value) error {
	var b []byte
	if s, ok := document.(string); ok {
		b = []byte(s)
	} else {
		var err error
		if b, err = json.Marshal(document); err != nil {
			return wrong(p, document)
		}
	}
	if v.Kind() == reflect.Interface {
		v.Set(reflect.ValueOf(bytes.NewReader(b)))
		return nil
	}
	v.SetBytes(b)
	return nil
}

func scalar(p *wire.Plan, document any, v reflect.Value) error {
	switch value := document.(type) {
	case string:
		if p.Kind == awsapi.String || p.Kind == awsapi.Timestamp {
			return wire.SetText(p, value, v)
		}
	case json.Number:
		switch p.Kind {
		case awsapi.Integer, awsapi.Long:
			return wire.SetText(p, strings.TrimSuffix(value.String(), ".0"), v)
		case awsapi.Float, awsapi.Double, awsapi.Timestamp:
			return wire.SetText(p, value.String(), v)
		}
	case bool:
		if p.Kind == awsapi.Boolean {
			v.SetBool(value)
			return nil
		}
	}
	return wrong(p, document)
}
