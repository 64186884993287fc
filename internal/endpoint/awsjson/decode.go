package awsjson

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the JSON document b into v, an addressable value of the plan. An empty document leaves v
// as it is.
func Decode(b []byte, p *wire.Plan, v reflect.Value) error {
	if len(bytes.TrimLeft(b, " \t\r\n")) == 0 {
		return nil
	}
	d := decoders.Get().(*decoder)
	defer d.free()
	d.Reset(bytes.NewBuffer(b), jsontext.AllowDuplicateNames(true))
	if err := d.value(p, v); err != nil {
		return err
	}
	if _, err := d.ReadToken(); err != io.EOF {
		return wire.Malformed("Unexpected content after the end of the document")
	}
	return nil
}

type decoder struct {
	*jsontext.Decoder
	depth int
}

var decoders = sync.Pool{New: func() any { return &decoder{Decoder: new(jsontext.Decoder)} }}

// free lets another document be read. The decoder forgets this one.
func (d *decoder) free() {
	d.depth = 0
	d.Reset(new(bytes.Buffer))
	decoders.Put(d)
}

func (d *decoder) value(p *wire.Plan, v reflect.Value) error {
	switch p.Kind {
	case awsapi.Structure:
		return d.nested('{', "Unexpected value type in payload", func() error { return d.structure(p, v) })
	case awsapi.Map:
		return d.nested('{', "Unexpected value type in payload", func() error { return d.object(p, v) })
	case awsapi.List:
		return d.nested('[', "Expected list or null", func() error { return d.list(p, v) })
	case awsapi.Document:
		return d.document(v)
	}
	return d.scalar(p, v)
}

// nested reads an object or an array: its opening token is open, and body reads the rest.
func (d *decoder) nested(open jsontext.Kind, otherwise string, body func() error) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	switch {
	case t.Kind() == open:
	case t.Kind() == 'n':
		return nil
	case t.Kind() == '[':
		return wire.Malformed("Start of list found where not expected")
	case t.Kind() == '{':
		return wire.Malformed("Start of structure or map found where not expected.")
	default:
		return wire.Malformed("%s", otherwise)
	}
	if d.depth++; d.depth > wire.MaxDepth {
		return wire.ErrTooDeep
	}
	if err := body(); err != nil {
		return err
	}
	d.depth--
	_, err = d.token()
	return err
}

func (d *decoder) token() (jsontext.Token, error) {
	t, err := d.ReadToken()
	if err != nil {
		return t, syntaxError(err)
	}
	return t, nil
}

func syntaxError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return wire.Malformed("Unexpected end-of-input")
	}
	return wire.Malformed("%s", strings.TrimPrefix(err.Error(), "jsontext: "))
}

func (d *decoder) skip() error {
	if err := d.SkipValue(); err != nil {
		return syntaxError(err)
	}
	return nil
}

func (d *decoder) structure(p *wire.Plan, v reflect.Value) error {
	for d.PeekKind() != '}' {
		name, err := d.token()
		if err != nil {
			return err
		}
		f := p.Field(name.String())
		if f == nil {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		if d.PeekKind() == 'n' {
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		if err := d.member(f, v); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) member(f *wire.Field, s reflect.Value) error {
	if f.JSONValue && f.Plan.Kind == awsapi.String && d.PeekKind() != '"' {
		raw, err := d.ReadValue()
		if err != nil {
			return syntaxError(err)
		}
		f.Set(s).SetString(string(raw))
		return nil
	}
	if f.Plan.EventStream || f.Plan.IsError() || f.Plan.Type.Kind() == reflect.Interface && f.Plan.Kind != awsapi.Document {
		return d.skip()
	}
	return d.value(f.Plan, f.Set(s))
}

func (d *decoder) object(p *wire.Plan, v reflect.Value) error {
	if p.Type == attributesType {
		m, err := d.attributes(p)
		v.Set(reflect.ValueOf(m))
		return err
	}
	m := reflect.MakeMap(p.Type)
	for d.PeekKind() != '}' {
		name, err := d.token()
		if err != nil {
			return err
		}
		key := reflect.New(p.Type.Key()).Elem()
		key.SetString(name.String())
		if d.PeekKind() == 'n' { // a null in a map is no entry
			if err := d.skip(); err != nil {
				return err
			}
			continue
		}
		elem := reflect.New(p.Type.Elem()).Elem()
		if err := d.value(p.Elem, elem); err != nil {
			return err
		}
		m.SetMapIndex(key, elem)
	}
	v.Set(m)
	return nil
}

func (d *decoder) list(p *wire.Plan, v reflect.Value) error {
	s := reflect.MakeSlice(p.Type, 0, 4)
	for d.PeekKind() != ']' {
		if d.PeekKind() == 0 {
			_, err := d.token()
			return err
		}
		s = reflect.Append(s, reflect.Zero(p.Type.Elem()))
		if err := d.value(p.Elem, s.Index(s.Len()-1)); err != nil {
			return err
		}
	}
	v.Set(s)
	return nil
}

func (d *decoder) scalar(p *wire.Plan, v reflect.Value) error {
	t, err := d.token()
	if err != nil {
		return err
	}
	switch t.Kind() {
	case 'n':
		return nil
	case '{':
		return wire.Malformed("Start of structure or map found where not expected.")
	case '[':
		return wire.Malformed("Start of list found where not expected")
	case '"':
		return setString(p, t.String(), v)
	case '0':
		return setNumber(p, t, v)
	}
	if p.Kind != awsapi.Boolean {
		return wire.CannotConvert(strings.ToUpper(t.String())+"_VALUE", p.Kind)
	}
	v.SetBool(t.Bool())
	return nil
}

func setString(p *wire.Plan, s string, v reflect.Value) error {
	switch p.Kind {
	case awsapi.String, awsapi.Blob, awsapi.Timestamp:
		return wire.SetText(p, s, v)
	case awsapi.Float, awsapi.Double:
		if s == "NaN" || s == "Infinity" || s == "-Infinity" {
			return wire.SetText(p, s, v)
		}
	}
	return wire.CannotConvert("STRING_VALUE", p.Kind)
}

func setNumber(p *wire.Plan, t jsontext.Token, v reflect.Value) error {
	switch p.Kind {
	case awsapi.Integer, awsapi.Long:
		n, err := strconv.ParseInt(t.String(), 10, v.Type().Bits())
		if err != nil {
			f, _ := t.Float()
			if f != math.Trunc(f) || math.Abs(f) >= 1<<53 || v.OverflowInt(int64(f)) {
				return wire.CannotConvert("NUMBER_VALUE", p.Kind)
			}
			n = int64(f)
		}
		v.SetInt(n)
	case awsapi.Float, awsapi.Double:
		f, ok := wire.ParseFloat(t.String(), v.Type().Bits())
		if !ok {
			return wire.CannotConvert("NUMBER_VALUE", p.Kind)
		}
		v.SetFloat(f)
	case awsapi.Timestamp:
		when, ok := wire.TimeOfSeconds(number(t))
		if !ok {
			return wire.CannotConvert("NUMBER_VALUE", p.Kind)
		}
		wire.SetTime(v, when)
	default:
		return wire.CannotConvert("NUMBER_VALUE", p.Kind)
	}
	return nil
}

func number(t jsontext.Token) float64 {
	f, err := t.Float()
	if err != nil {
		return math.NaN()
	}
	return f
}

// document reads JSON of any form, as encoding/json would into an any.
func (d *decoder) document(v reflect.Value) error {
	x, err := d.any()
	if err != nil {
		return err
	}
	if x != nil {
		v.Set(reflect.ValueOf(x))
	}
	return nil
}

func (d *decoder) any() (any, error) {
	t, err := d.token()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case '"':
		return t.String(), nil
	case '0':
		return number(t), nil
	case 't', 'f':
		return t.Bool(), nil
	case '{', '[':
		if d.depth++; d.depth > wire.MaxDepth {
			return nil, wire.ErrTooDeep
		}
		defer func() { d.depth-- }()
		if t.Kind() == '{' {
			return d.anyObject()
		}
		return d.anyList()
	}
	return nil, nil
}

func (d *decoder) anyObject() (any, error) {
	m := map[string]any{}
	for d.PeekKind() != '}' {
		name, err := d.token()
		if err != nil {
			return nil, err
		}
		key := name.String()
		if m[key], err = d.any(); err != nil {
			return nil, err
		}
	}
	_, err := d.token()
	return m, err
}

func (d *decoder) anyList() (any, error) {
	s := []any{}
	for d.PeekKind() != ']' {
		x, err := d.any()
		if err != nil {
			return nil, err
		}
		s = append(s, x)
	}
	_, err := d.token()
	return s, err
}
