package rpcv2cbor

import (
	"math"
	"math/big"
	"reflect"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"

	"github.com/fxamacker/cbor/v2"
)

var decMode = func() cbor.DecMode {
	m, err := cbor.DecOptions{
		MaxNestedLevels:  256,
		MaxArrayElements: 1 << 22,
		MaxMapPairs:      1 << 22,
		DefaultMapType:   reflect.TypeFor[map[string]any](),
		TimeTag:          cbor.DecTagIgnored,
		UTF8:             cbor.UTF8RejectInvalid,
		BignumTag:        cbor.BignumTagForbidden,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// Coder reads and writes CBOR. Its zero value is that of RPC v2.
type Coder struct {
	// Milliseconds counts timestamps in whole milliseconds since 1970 instead of seconds.
	Milliseconds bool
}

// Decode reads the CBOR data item b into v, an addressable value of the plan.
func Decode(b []byte, p *wire.Plan, v reflect.Value) error { return Coder{}.Decode(b, p, v) }

// Decode reads the CBOR data item b into v, an addressable value of the plan.
func (c Coder) Decode(b []byte, p *wire.Plan, v reflect.Value) error {
	if len(b) == 0 {
		return nil
	}
	var x any
	if err := decMode.Unmarshal(b, &x); err != nil {
		return wire.Malformed("%s", err)
	}
	return c.set(x, p, v)
}

// set sets v from what the library read.
func (c Coder) set(x any, p *wire.Plan, v reflect.Value) error {
	if x == nil {
		return nil
	}
	switch p.Kind {
	case awsapi.Structure, awsapi.Map:
		m, ok := x.(map[string]any)
		if !ok {
			return wire.Malformed("Unexpected value type in payload")
		}
		if p.Kind == awsapi.Map {
			return c.setMap(m, p, v)
		}
		return c.setStructure(m, p, v)
	case awsapi.List:
		s, ok := x.([]any)
		if !ok {
			return wire.Malformed("Expected list or null")
		}
		return c.setList(s, p, v)
	case awsapi.Document:
		v.Set(reflect.ValueOf(x))
		return nil
	}
	return c.setScalar(x, p, v)
}

func (c Coder) setStructure(m map[string]any, p *wire.Plan, v reflect.Value) error {
	for name, x := range m {
		f := p.FieldNamed(name)
		if f == nil {
			f = p.Field(name)
		}
		if f == nil || x == nil || f.Plan.EventStream || f.Plan.IsError() {
			continue
		}
		if err := c.set(x, f.Plan, f.Set(v)); err != nil {
			return err
		}
	}
	return nil
}

func (c Coder) setMap(m map[string]any, p *wire.Plan, v reflect.Value) error {
	out := reflect.MakeMapWithSize(p.Type, len(m))
	for name, x := range m {
		if x == nil {
			continue
		}
		elem := reflect.New(p.Type.Elem()).Elem()
		if err := c.set(x, p.Elem, elem); err != nil {
			return err
		}
		out.SetMapIndex(reflect.ValueOf(name).Convert(p.Type.Key()), elem)
	}
	v.Set(out)
	return nil
}

func (c Coder) setList(s []any, p *wire.Plan, v reflect.Value) error {
	out := reflect.MakeSlice(p.Type, len(s), len(s))
	for i, x := range s {
		if err := c.set(x, p.Elem, out.Index(i)); err != nil {
			return err
		}
	}
	v.Set(out)
	return nil
}

func (c Coder) setScalar(x any, p *wire.Plan, v reflect.Value) error {
	switch p.Kind {
	case awsapi.String:
		if s, ok := x.(string); ok {
			v.SetString(s)
			return nil
		}
	case awsapi.Boolean:
		if b, ok := x.(bool); ok {
			v.SetBool(b)
			return nil
		}
	case awsapi.Blob:
		switch b := x.(type) {
		case []byte:
			v.SetBytes(b)
			return nil
		case string:
			return wire.SetText(p, b, v)
		}
	case awsapi.Integer, awsapi.Long:
		if n, ok := integer(x); ok && !v.OverflowInt(n) {
			v.SetInt(n)
			return nil
		}
	case awsapi.Float, awsapi.Double:
		if f, ok := float(x); ok {
			v.SetFloat(f)
			return nil
		}
	case awsapi.Timestamp:
		if t, ok := x.(time.Time); ok {
			if c.Milliseconds {
				t = time.UnixMilli(t.Unix()) // the library took them for seconds
			}
			wire.SetTime(v, t.UTC())
			return nil
		}
		if f, ok := float(x); ok {
			if c.Milliseconds {
				f /= 1000
			}
			if t, ok := wire.TimeOfSeconds(f); ok {
				wire.SetTime(v, t)
				return nil
			}
		} else if s, ok := x.(string); ok {
			return wire.SetText(p, s, v)
		}
	}
	return wire.CannotConvert(found(x), p.Kind)
}

func integer(x any) (int64, bool) {
	switch n := x.(type) {
	case uint64:
		return int64(n), n <= math.MaxInt64
	case int64:
		return n, true
	case float64:
		return int64(n), n == math.Trunc(n) && math.Abs(n) < 1<<53
	}
	return 0, false
}

func float(x any) (float64, bool) {
	switch n := x.(type) {
	case uint64:
		return float64(n), true
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case big.Int:
		f, _ := n.Float64()
		return f, true
	}
	return 0, false
}

func found(x any) string {
	switch x := x.(type) {
	case string, []byte:
		return "STRING_VALUE"
	case bool:
		if x {
			return "TRUE_VALUE"
		}
		return "FALSE_VALUE"
	case map[string]any:
		return "MAP_VALUE"
	case []any:
		return "LIST_VALUE"
	}
	return "NUMBER_VALUE"
}
