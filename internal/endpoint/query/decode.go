package query

import (
	"reflect"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Decode reads a form into v, an addressable structure of the plan.
func Decode(form *wire.Form, p *wire.Plan, v reflect.Value) error {
	t, err := plant(form)
	if err != nil {
		return err
	}
	return decode(t, p, v)
}

func decode(t *tree, p *wire.Plan, v reflect.Value) error {
	switch p.Kind {
	case awsapi.Structure:
		return decodeStructure(t, p, v)
	case awsapi.List:
		return decodeList(t, p, v)
	case awsapi.Map:
		return decodeMap(t, p, v)
	}
	if !t.set {
		return wire.Malformed("Unexpected complex element termination")
	}
	if t.value == "" && p.Kind != awsapi.String && p.Kind != awsapi.Blob {
		return wire.Malformed("STRING_VALUE can not be converted to a number, a boolean or a date: it is empty")
	}
	return wire.SetText(p, t.value, v)
}

func decodeStructure(t *tree, p *wire.Plan, v reflect.Value) error {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Plan.EventStream || f.Plan.IsError() {
			continue
		}
		c := t.child(f.FormName())
		if c == nil && f.QueryName != "" {
			c = t.child(f.WireName())
		}
		if c == nil && (f.Flattened || f.Plan.Flattened) && f.Plan.Kind == awsapi.List && f.Plan.Shape.Elem.Name != "" {
			c = t.child(f.Plan.Shape.Elem.Name)
		}
		if c == nil && f.Wire != "" {
			c = t.child(f.Name)
		}
		if c == nil {
			continue
		}
		if err := decode(c, f.Plan, f.Set(v)); err != nil {
			return err
		}
	}
	return nil
}

// decodeList reads Name.member.1, Name.Other.1 or Name.1: services take each, whatever the model says.
func decodeList(t *tree, p *wire.Plan, v reflect.Value) error {
	items := t.numbered()
	if len(items) == 0 {
		for _, name := range [...]string{"member", p.Shape.Elem.Name} {
			if c := t.child(name); c != nil {
				items = c.numbered()
				break
			}
		}
	}
	s := reflect.MakeSlice(p.Type, len(items), len(items))
	for i, item := range items {
		if err := decode(item, p.Elem, s.Index(i)); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

func decodeMap(t *tree, p *wire.Plan, v reflect.Value) error {
	keyName, valueName := p.Shape.Key.Name, p.Shape.Elem.Name
	if keyName == "" {
		keyName = "key"
	}
	if valueName == "" {
		valueName = "value"
	}
	entries := t.numbered()
	if c := t.child("entry"); c != nil && len(entries) == 0 {
		entries = c.numbered()
	}
	if len(entries) == 0 && t.child(keyName) != nil {
		entries = []*tree{t} // the only one, as SQS takes it: Attribute.Name, Attribute.Value
	}
	m := reflect.MakeMapWithSize(p.Type, len(entries))
	for _, e := range entries {
		k := e.child(keyName)
		if k == nil {
			continue
		}
		elem := reflect.New(p.Type.Elem()).Elem()
		if c := e.child(valueName); c != nil {
			if err := decode(c, p.Elem, elem); err != nil {
				return err
			}
		}
		m.SetMapIndex(reflect.ValueOf(k.value).Convert(p.Type.Key()), elem)
	}
	v.Set(m)
	return nil
}
