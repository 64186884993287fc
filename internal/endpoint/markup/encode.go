package markup

import (
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// Open appends a start tag, with a namespace where one is given.
func Open(dst []byte, name, prefix, namespace string) []byte {
	dst = append(append(dst, '<'), name...)
	if namespace != "" {
		dst = append(dst, " xmlns"...)
		if prefix != "" {
			dst = append(append(dst, ':'), prefix...)
		}
		dst = append(dst, `="`...)
		dst = append(AppendEscaped(dst, namespace), '"')
	}
	return append(dst, '>')
}

// Close appends an end tag.
func Close(dst []byte, name string) []byte { return append(append(append(dst, "</"...), name...), '>') }

// Text appends an element with text in it.
func Text(dst []byte, name, text string) []byte {
	return Close(AppendEscaped(Open(dst, name, "", ""), text), name)
}

// AppendEscaped appends text with what XML reserves escaped, and what it forbids replaced.
func AppendEscaped(dst []byte, s string) []byte {
	last := 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		var with string
		switch {
		case r == '<':
			with = "&lt;"
		case r == '>':
			with = "&gt;"
		case r == '&':
			with = "&amp;"
		case r == '"':
			with = "&quot;"
		case r == '\r':
			with = "&#xD;"
		case r == utf8.RuneError && size == 1, r < 0x20 && r != '\t' && r != '\n', r == 0xFFFE, r == 0xFFFF:
			with = "\ufffd"
		}
		if with != "" {
			dst = append(append(dst, s[last:i]...), with...)
			last = i + size
		}
		i += size
	}
	return append(dst, s[last:]...)
}

// AppendMembers appends the members of v, a structure, that travel in the body: each an element.
func AppendMembers(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	for i := range p.Fields {
		f := &p.Fields[i]
		if f.Location != awsapi.Body || f.Plan.EventStream || f.Plan.IsError() || f.XMLAttribute {
			continue
		}
		x, ok := f.Get(v)
		if !ok {
			continue
		}
		switch {
		case flat(f) && f.Plan.Kind == awsapi.List:
			dst = appendList(dst, flatName(f), f.Plan, x)
		case flat(f):
			dst = appendMap(dst, f.FormName(), f.Plan, x)
		default:
			dst = appendElement(dst, f.WireName(), f, f.Plan, f.Time, x)
		}
	}
	return dst
}

// Append appends v, a value of the plan, as an element.
func Append(dst []byte, name string, p *wire.Plan, v reflect.Value) []byte {
	return appendElement(dst, name, nil, p, p.Time, v)
}

func appendElement(dst []byte, name string, f *wire.Field, p *wire.Plan, t wire.TimeFormat, v reflect.Value) []byte {
	dst = append(append(dst, '<'), name...)
	prefix, namespace := "", p.XMLNamespace
	if f != nil && f.XMLNamespace != "" {
		prefix, namespace = f.XMLPrefix, f.XMLNamespace
	} else if namespace != "" {
		prefix = attributePrefix(p)
	}
	if namespace != "" {
		dst = append(dst, " xmlns"...)
		if prefix != "" {
			dst = append(append(dst, ':'), prefix...)
		}
		dst = append(AppendEscaped(append(dst, `="`...), namespace), '"')
	}
	if p.Kind == awsapi.Structure {
		dst = appendAttributes(dst, p, v)
	}
	dst = append(dst, '>')
	dst = appendContent(dst, p, t, v)
	return Close(dst, name)
}

// attributePrefix is the prefix of a structure's attributes, which its namespace is for; "" where they have none.
func attributePrefix(p *wire.Plan) string {
	for i := range p.Fields {
		if f := &p.Fields[i]; f.XMLAttribute {
			if prefix, _, ok := strings.Cut(f.WireName(), ":"); ok {
				return prefix
			}
		}
	}
	return ""
}

func appendAttributes(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	for i := range p.Fields {
		f := &p.Fields[i]
		if !f.XMLAttribute {
			continue
		}
		if x, ok := f.Get(v); ok {
			dst = append(append(append(dst, ' '), f.WireName()...), `="`...)
			dst = AppendEscaped(dst, string(wire.AppendText(nil, f.Plan, f.Time.Or(wire.ISO8601), x)))
			dst = append(dst, '"')
		}
	}
	return dst
}

func appendContent(dst []byte, p *wire.Plan, t wire.TimeFormat, v reflect.Value) []byte {
	switch p.Kind {
	case awsapi.Structure:
		return AppendMembers(dst, p, v)
	case awsapi.List:
		name := p.Shape.Elem.Name
		if name == "" {
			name = "member"
		}
		return appendList(dst, name, p, v)
	case awsapi.Map:
		return appendMap(dst, "entry", p, v)
	case awsapi.String:
		return AppendEscaped(dst, v.String())
	}
	return wire.AppendText(dst, p, t.Or(wire.ISO8601), v)
}

func appendList(dst []byte, name string, p *wire.Plan, v reflect.Value) []byte {
	for i := range v.Len() {
		dst = Append(dst, name, p.Elem, v.Index(i))
	}
	return dst
}

func appendMap(dst []byte, name string, p *wire.Plan, v reflect.Value) []byte {
	keyName, valueName := mapNames(p)
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, k := range keys {
		dst = Open(dst, name, "", "")
		dst = Text(dst, keyName, k.String())
		dst = Append(dst, valueName, p.Elem, v.MapIndex(k))
		dst = Close(dst, name)
	}
	return dst
}

// AppendError appends the members of an error: code, message, and the fields of its shape.
func AppendError(dst []byte, service *wire.Service, err *awsapi.Error) []byte {
	dst = Text(dst, "Code", err.Type.Code)
	dst = Text(dst, "Message", err.Message)
	s := service.ExceptionShape(err.Type)
	if s == nil {
		return dst
	}
	for i := range s.Members {
		m := &s.Members[i]
		value, ok := err.Fields[m.Name]
		if !ok || m.Location != awsapi.Body || strings.EqualFold(m.Name, "message") {
			continue
		}
		v := reflect.ValueOf(value)
		dst = Append(dst, m.WireName(), service.Plans.Of(m.Shape, v.Type()), v)
	}
	return dst
}
