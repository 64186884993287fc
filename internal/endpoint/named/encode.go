package named

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/go-json-experiment/json/jsontext"
)

// maxStream bounds a body that is read whole into a document, in bytes.
const maxStream = 6 << 20

// errTooLong is the error of a body that is longer than any document may be.
var errTooLong = errors.New("named: the body is too long for a document")

// Encode writes an operation's output as a document whose members have the SDKs' names: times as in ISO 8601,
// bodies as text where they are, in Base64 where not.
func Encode(op *wire.Operation, out any) ([]byte, error) {
	v := reflect.ValueOf(out)
	if !v.IsValid() || v.IsNil() {
		return []byte("{}"), nil
	}
	return appendValue(nil, op.OutputPlan(), v.Elem())
}

func appendValue(b []byte, p *wire.Plan, v reflect.Value) ([]byte, error) {
	switch p.Kind {
	case awsapi.Structure:
		return appendStructure(b, p, v)
	case awsapi.Map:
		return appendMap(b, p, v)
	case awsapi.List:
		return appendList(b, p, v)
	case awsapi.Blob:
		return appendBlob(b, v)
	case awsapi.Document:
		return appendDocument(b, v.Interface())
	case awsapi.Timestamp:
		return strconv.AppendQuote(b, string(wire.AppendText(nil, p, wire.ISO8601, v))), nil
	case awsapi.String:
		return jsontext.AppendQuote(b, v.String())
	}
	return wire.AppendText(b, p, wire.ISO8601, v), nil
}

func appendStructure(b []byte, p *wire.Plan, v reflect.Value) ([]byte, error) {
	b = append(b, '{')
	first := true
	for i := range p.Fields {
		f := &p.Fields[i]
		member, ok := f.Get(v)
		if !ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(strconv.AppendQuote(b, upper(f.Name)), ':')
		var err error
		if b, err = appendValue(b, f.Plan, member); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendMap(b []byte, p *wire.Plan, v reflect.Value) (_ []byte, err error) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
	b = append(b, '{')
	for i, key := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = jsontext.AppendQuote(b, key.String()); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), p.Elem, v.MapIndex(key)); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func appendList(b []byte, p *wire.Plan, v reflect.Value) (_ []byte, err error) {
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, p.Elem, v.Index(i)); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

func appendBlob(b []byte, v reflect.Value) ([]byte, error) {
	var body []byte
	if v.Kind() == reflect.Slice {
		body = v.Bytes()
	} else if r, ok := v.Interface().(io.Reader); ok {
		if c, ok := r.(io.Closer); ok {
			defer func() { _ = c.Close() }() // it was only read
		}
		var err error
		if body, err = io.ReadAll(io.LimitReader(r, maxStream+1)); err != nil {
			return nil, err
		}
		if len(body) > maxStream {
			return nil, errTooLong
		}
	}
	if utf8.Valid(body) {
		return jsontext.AppendQuote(b, string(body))
	}
	return strconv.AppendQuote(b, base64.StdEncoding.EncodeToString(body)), nil
}

func appendDocument(b []byte, document any) ([]byte, error) {
	text, err := json.Marshal(document)
	return append(b, text...), err
}
