package awsjson

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/go-json-experiment/json/jsontext"
)

// Append appends v, a value of the plan, as JSON. Members that travel outside the body are left out.
func Append(dst []byte, p *wire.Plan, f wire.TimeFormat, v reflect.Value) []byte {
	switch p.Kind {
	case awsapi.Structure:
		if p.IsError() {
			return appendError(dst, p.Shape, v)
		}
		return appendStructure(dst, p, v)
	case awsapi.List:
		return appendList(dst, p, v)
	case awsapi.Map:
		return appendMap(dst, p, v)
	case awsapi.String:
		return appendString(dst, v.String())
	case awsapi.Float, awsapi.Double:
		if x := v.Float(); math.IsNaN(x) || math.IsInf(x, 0) {
			dst = append(dst, '"')
			return append(wire.AppendFloat(dst, x, 64), '"')
		}
	case awsapi.Timestamp:
		f = f.Or(wire.Unix)
		if f != wire.Unix {
			dst = append(dst, '"')
			return append(wire.AppendText(dst, p, f, v), '"')
		}
	case awsapi.Blob:
		dst = append(dst, '"')
		return append(base64.StdEncoding.AppendEncode(dst, v.Bytes()), '"')
	case awsapi.Document:
		return appendDocument(dst, v)
	}
	return wire.AppendText(dst, p, f, v)
}

func appendString(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil { // not UTF-8: U+FFFD stands for what cannot be said
		out, _ = jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\ufffd"))
	}
	return out
}

func appendStructure(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	return appendMembers(dst, p, v, &awsapi.Ready{})
}

// appendMembers appends a structure, of which one member may be ready.
func appendMembers(dst []byte, p *wire.Plan, v reflect.Value, ready *awsapi.Ready) []byte {
	dst = append(dst, '{')
	first := true
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Location != awsapi.Body || f.Plan.EventStream {
			continue
		}
		x, ok := f.Get(v)
		written := ready.Member != "" && ready.Member == f.WireName()
		if !ok && !written {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(appendString(dst, f.WireName()), ':')
		if written {
			dst = append(dst, ready.JSON...)
			continue
		}
		dst = Append(dst, f.Plan, f.Time, x)
	}
	return append(dst, '}')
}

func appendList(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	dst = append(dst, '[')
	for i := range v.Len() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = Append(dst, p.Elem, p.Elem.Time, v.Index(i))
	}
	return append(dst, ']')
}

func appendMap(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	if p.Type == attributesType {
		return appendAttributes(dst, p, v.Interface().(attributes))
	}
	dst = append(dst, '{')
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, k.String()), ':')
		dst = Append(dst, p.Elem, p.Elem.Time, v.MapIndex(k))
	}
	return append(dst, '}')
}

func appendDocument(dst []byte, v reflect.Value) []byte {
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, b...)
}

func appendError(dst []byte, s *awsapi.Shape, v reflect.Value) []byte {
	err := v.Interface().(*awsapi.Error)
	dst = append(dst, '{')
	dst = appendErrorMembers(dst, s, nil, err, false)
	return append(dst, '}')
}

// AppendErrorMembers appends the members of an error of the service, which may be nil: its message and its
// fields. more says that members stand before them.
func AppendErrorMembers(dst []byte, s *wire.Service, err *awsapi.Error, more bool) []byte {
	if s == nil {
		return appendErrorMembers(dst, nil, nil, err, more)
	}
	return appendErrorMembers(dst, s.ExceptionShape(err.Type), s.Plans, err, more)
}

// appendErrorMembers appends the members of an error of the shape s. Without a shape or plans they are documents.
func appendErrorMembers(dst []byte, s *awsapi.Shape, plans *wire.Plans, err *awsapi.Error, more bool) []byte {
	begin := func(name string) {
		if more {
			dst = append(dst, ',')
		}
		more = true
		dst = append(appendString(dst, name), ':')
	}
	member := func(name string, value any) {
		begin(name)
		dst = appendDocument(dst, reflect.ValueOf(&value).Elem())
	}
	if s == nil {
		member("message", err.Message)
		for _, name := range sortedFields(err.Fields) {
			member(name, err.Fields[name])
		}
		return dst
	}
	said := false
	for i := range s.Members {
		m := &s.Members[i]
		if strings.EqualFold(m.Name, "message") {
			said = true
			member(m.WireName(), err.Message)
		} else if value, ok := err.Fields[m.Name]; ok && m.Location == awsapi.Body {
			if v := reflect.ValueOf(value); plans != nil && compound(v) {
				begin(m.WireName())
				plan := plans.Of(m.Shape, v.Type())
				dst = Append(dst, plan, plan.Time, v)
			} else {
				member(m.WireName(), value)
			}
		}
	}
	if !said && err.Message != "" {
		member("message", err.Message)
	}
	return dst
}

// compound says that a value has members or elements, of the Go types that the model's shapes have.
func compound(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return true
	case reflect.Map, reflect.Slice:
		return v.Type().Elem().Kind() != reflect.Interface
	}
	return false
}

func sortedFields(fields map[string]any) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
