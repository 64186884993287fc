package rpcv2cbor

import (
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/fxamacker/cbor/v2"
)

// The major types of CBOR. https://www.rfc-editor.org/rfc/rfc8949#section-3.1
const (
	unsigned = 0 << 5
	negative = 1 << 5
	octets   = 2 << 5
	text     = 3 << 5
	array    = 4 << 5
	pairs    = 5 << 5
	tag      = 6 << 5
)

// Append appends v, a value of the plan.
func Append(dst []byte, p *wire.Plan, v reflect.Value) []byte { return Coder{}.Append(dst, p, v) }

// Append appends v, a value of the plan. Writing CBOR needs no more than a head and its bytes.
func (c Coder) Append(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	switch p.Kind {
	case awsapi.Structure:
		if p.IsError() {
			return AppendError(dst, p.Shape, v.Interface().(*awsapi.Error), "")
		}
		return c.appendStructure(dst, p, v)
	case awsapi.List:
		dst = appendHead(dst, array, uint64(v.Len()))
		for i := range v.Len() {
			dst = c.Append(dst, p.Elem, v.Index(i))
		}
		return dst
	case awsapi.Map:
		return c.appendMap(dst, p, v)
	case awsapi.String:
		return appendText(dst, v.String())
	case awsapi.Blob:
		return append(appendHead(dst, octets, uint64(v.Len())), v.Bytes()...)
	case awsapi.Boolean:
		if v.Bool() {
			return append(dst, 0xf5)
		}
		return append(dst, 0xf4)
	case awsapi.Integer, awsapi.Long:
		return appendInt(dst, v.Int())
	case awsapi.Float:
		return binary.BigEndian.AppendUint32(append(dst, 0xfa), math.Float32bits(float32(v.Float())))
	case awsapi.Double:
		return appendDouble(dst, v.Float())
	case awsapi.Timestamp:
		return c.appendTime(dst, v)
	}
	return appendAny(dst, v.Interface())
}

func appendAny(dst []byte, x any) []byte {
	b, err := cbor.Marshal(x)
	if err != nil {
		return append(dst, 0xf6) // null
	}
	return append(dst, b...)
}

func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n <= math.MaxUint8:
		return append(dst, major|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendHead(dst, negative, uint64(-(n + 1)))
	}
	return appendHead(dst, unsigned, uint64(n))
}

func appendDouble(dst []byte, f float64) []byte {
	return binary.BigEndian.AppendUint64(append(dst, 0xfb), math.Float64bits(f))
}

func appendText(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\ufffd")
	return append(appendHead(dst, text, uint64(len(s))), s...)
}

// appendTime appends the time since 1970 under tag 1.
func (c Coder) appendTime(dst []byte, v reflect.Value) []byte {
	dst = appendHead(dst, tag, 1)
	ms := wire.TimeOf(v).UnixMilli()
	if c.Milliseconds {
		return appendInt(dst, ms)
	}
	if ms%1000 == 0 {
		return appendInt(dst, ms/1000)
	}
	return appendDouble(dst, float64(ms)/1000)
}

func (c Coder) appendStructure(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	n := 0
	for i := range p.Fields {
		if _, ok := p.Fields[i].Get(v); ok && !p.Fields[i].Plan.EventStream {
			n++
		}
	}
	dst = appendHead(dst, pairs, uint64(n))
	for i := range p.Fields {
		f := &p.Fields[i]
		if x, ok := f.Get(v); ok && !f.Plan.EventStream {
			dst = c.Append(appendText(dst, f.Name), f.Plan, x)
		}
	}
	return dst
}

func (c Coder) appendMap(dst []byte, p *wire.Plan, v reflect.Value) []byte {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	dst = appendHead(dst, pairs, uint64(len(keys)))
	for _, k := range keys {
		dst = c.Append(appendText(dst, k.String()), p.Elem, v.MapIndex(k))
	}
	return dst
}

// AppendError appends an error's members, behind its type unless that is "".
func AppendError(dst []byte, s *awsapi.Shape, err *awsapi.Error, typ string) []byte {
	members := map[string]any{}
	message := "message"
	if s != nil {
		for i := range s.Members {
			if strings.EqualFold(s.Members[i].Name, "message") {
				message = s.Members[i].Name
			}
		}
	}
	members[message] = err.Message
	for name, x := range err.Fields {
		members[name] = x
	}
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	if typ == "" {
		dst = appendHead(dst, pairs, uint64(len(names)))
	} else {
		dst = appendHead(dst, pairs, uint64(len(names)+1))
		dst = appendText(appendText(dst, "__type"), typ)
	}
	for _, name := range names {
		dst = appendAny(appendText(dst, name), members[name])
	}
	return dst
}
