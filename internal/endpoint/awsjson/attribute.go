package awsjson

import (
	"reflect"
	"slices"
	"strings"

	"cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint/wire"
)

// DynamoDB's items are maps of one shape, AttributeValue, and most of what travels through this protocol
// is items. For this shape alone the tables and reflection are left aside where that is faster. What it
// reads, writes and refuses is the same.

type attributes = map[string]dynamodb.AttributeValue

var attributesType = reflect.TypeFor[attributes]()

// attributes reads a map of attribute values, whose opening brace has been read.
func (d *decoder) attributes(p *wire.Plan) (attributes, error) {
	m := make(attributes, 8)
	for d.PeekKind() != '}' {
		name, err := d.token()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if d.PeekKind() == 'n' { // a null in a map is no entry
			if err := d.skip(); err != nil {
				return nil, err
			}
			continue
		}
		var a dynamodb.AttributeValue
		if err := d.attribute(p.Elem, &a); err != nil {
			return nil, err
		}
		m[key] = a
	}
	return m, nil
}

func (d *decoder) attribute(p *wire.Plan, a *dynamodb.AttributeValue) error {
	return d.nested('{', "Unexpected value type in payload", func() error {
		for d.PeekKind() != '}' {
			name, err := d.token()
			if err != nil {
				return err
			}
			member := name.String()
			if d.PeekKind() == 'n' {
				if err := d.skip(); err != nil {
					return err
				}
				continue
			}
			if err := d.attributeMember(p, a, member); err != nil {
				return err
			}
		}
		return nil
	})
}

func (d *decoder) attributeMember(p *wire.Plan, a *dynamodb.AttributeValue, member string) error {
	kind := d.PeekKind()
	switch {
	case member == "S" && kind == '"':
		return d.text(&a.S)
	case member == "N" && kind == '"':
		return d.text(&a.N)
	case member == "M" && kind == '{':
		return d.nested('{', "", func() (err error) {
			a.M, err = d.attributes(p.Field(member).Plan)
			return err
		})
	}
	f := p.Field(member)
	if f == nil {
		return d.skip()
	}
	return d.member(f, reflect.ValueOf(a).Elem())
}

func (d *decoder) text(to **string) error {
	t, err := d.token()
	if err == nil {
		*to = new(t.String())
	}
	return err
}

// appendAttributes appends a map of attribute values, in the order of their names.
func appendAttributes(dst []byte, p *wire.Plan, m attributes) []byte {
	var few [16]string
	names := few[:0]
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, strings.Compare)
	dst = append(dst, '{')
	for i, name := range names {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		a := m[name]
		dst = appendAttribute(dst, p.Elem, &a)
	}
	return append(dst, '}')
}

// appendAttribute appends a value, which is of one type as all that a service answers with.
func appendAttribute(dst []byte, p *wire.Plan, a *dynamodb.AttributeValue) []byte {
	switch {
	case a.S != nil:
		dst = append(appendString(append(dst, `{"S":`...), *a.S), '}')
	case a.N != nil:
		dst = append(appendString(append(dst, `{"N":`...), *a.N), '}')
	case a.M != nil:
		dst = append(appendAttributes(append(dst, `{"M":`...), p.Field("M").Plan, a.M), '}')
	case a.L != nil:
		dst = append(dst, `{"L":[`...)
		for i := range a.L {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendAttribute(dst, p, &a.L[i])
		}
		dst = append(dst, "]}"...)
	case a.BOOL != nil && *a.BOOL:
		dst = append(dst, `{"BOOL":true}`...)
	case a.BOOL != nil:
		dst = append(dst, `{"BOOL":false}`...)
	case a.NULL != nil && *a.NULL:
		dst = append(dst, `{"NULL":true}`...)
	default: // bytes and sets
		return appendStructure(dst, p, reflect.ValueOf(a).Elem())
	}
	return dst
}
