package markup

import (
	"net/http"
	"reflect"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// MalformedXML is the answer to a body that is no XML.
var MalformedXML = &awsapi.ErrorType{Code: "MalformedXML", Status: http.StatusBadRequest}

// Decode reads the element into v, an addressable value of the plan.
func Decode(e *Element, p *wire.Plan, v reflect.Value) error {
	switch p.Kind {
	case awsapi.Structure:
		return decodeStructure(e, p, v)
	case awsapi.List:
		return decodeList(e.Children, p, v)
	case awsapi.Map:
		return decodeMap(e.Children, p, v)
	case awsapi.String:
		v.SetString(e.Text)
		return nil
	}
	return wire.SetText(p, strings.TrimSpace(e.Text), v)
}

func decodeStructure(e *Element, p *wire.Plan, v reflect.Value) error {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Location != awsapi.Body || f.Plan.EventStream || f.Plan.IsError() {
			continue
		}
		if err := decodeMember(e, f, v); err != nil {
			return err
		}
	}
	return nil
}

func decodeMember(e *Element, f *wire.Field, v reflect.Value) error {
	name := f.WireName()
	if f.XMLAttribute {
		if s, ok := e.attribute(name); ok {
			return wire.SetText(f.Plan, s, f.Set(v))
		}
		return nil
	}
	if flat(f) {
		var children []*Element
		name = flatName(f)
		for _, c := range e.Children {
			if c.Name == name {
				children = append(children, c)
			}
		}
		if len(children) == 0 {
			return nil
		}
		if f.Plan.Kind == awsapi.Map {
			return decodeMap(children, f.Plan, f.Set(v))
		}
		return decodeList(children, f.Plan, f.Set(v))
	}
	c := e.Child(name)
	if c == nil {
		return nil
	}
	return Decode(c, f.Plan, f.Set(v))
}

// flat reports whether the member's list or map has no element of its own around it.
func flat(f *wire.Field) bool {
	return (f.Flattened || f.Plan.Flattened) && (f.Plan.Kind == awsapi.List || f.Plan.Kind == awsapi.Map)
}

// flatName is the name of each element of a flattened list or map.
func flatName(f *wire.Field) string {
	if f.Wire == "" && f.Plan.Kind == awsapi.List && f.Plan.Shape.Elem.Name != "" {
		return f.Plan.Shape.Elem.Name
	}
	return f.WireName()
}

// decodeList reads the elements. Whatever their names: models and clients differ in them.
func decodeList(elements []*Element, p *wire.Plan, v reflect.Value) error {
	s := reflect.MakeSlice(p.Type, len(elements), len(elements))
	for i, e := range elements {
		if err := Decode(e, p.Elem, s.Index(i)); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

func decodeMap(entries []*Element, p *wire.Plan, v reflect.Value) error {
	keyName, valueName := mapNames(p)
	m := reflect.MakeMapWithSize(p.Type, len(entries))
	for _, e := range entries {
		k := e.Child(keyName)
		if k == nil {
			return malformed()
		}
		elem := reflect.New(p.Type.Elem()).Elem()
		if value := e.Child(valueName); value != nil {
			if err := Decode(value, p.Elem, elem); err != nil {
				return err
			}
		}
		m.SetMapIndex(reflect.ValueOf(k.Text).Convert(p.Type.Key()), elem)
	}
	v.Set(m)
	return nil
}

func mapNames(p *wire.Plan) (key, value string) {
	key, value = p.Shape.Key.Name, p.Shape.Elem.Name
	if key == "" {
		key = "key"
	}
	if value == "" {
		value = "value"
	}
	return key, value
}
