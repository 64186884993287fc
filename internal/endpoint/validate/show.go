package validate

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// show is how a message shows a value, with a space before it: " 'x'", or "" where the value is secret.
func (r *rule) show(v reflect.Value) string {
	if secret(r.plan) {
		return ""
	}
	var b strings.Builder
	b.WriteString(" '")
	write(&b, r.plan, v, 0)
	b.WriteByte('\'')
	return b.String()
}

// secret reports whether values of the plan, or what they hold, must not be shown.
func secret(p *wire.Plan) bool {
	if p.Sensitive {
		return true
	}
	switch p.Kind {
	case awsapi.List:
		return secret(p.Elem)
	case awsapi.Map:
		return secret(p.Elem) || secret(p.Key)
	}
	return false
}

// maxShown ends the showing of structures within structures.
const maxShown = 16

// write shows a value as Java's toString does: lists in brackets, maps in braces.
func write(b *strings.Builder, p *wire.Plan, v reflect.Value, depth int) {
	if depth > maxShown {
		b.WriteString("...")
		return
	}
	switch p.Kind {
	case awsapi.List:
		b.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			write(b, p.Elem, v.Index(i), depth+1)
		}
		b.WriteByte(']')
	case awsapi.Map:
		b.WriteByte('{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k.String() + "=")
			write(b, p.Elem, v.MapIndex(k), depth+1)
		}
		b.WriteByte('}')
	case awsapi.Structure:
		writeStructure(b, p, v, depth)
	case awsapi.Float, awsapi.Double:
		s := strconv.FormatFloat(v.Float(), 'f', -1, v.Type().Bits())
		if !strings.Contains(s, ".") {
			s += ".0"
		}
		b.WriteString(s)
	case awsapi.Blob:
		fmt.Fprintf(b, "java.nio.HeapByteBuffer[pos=0 lim=%d cap=%d]", v.Len(), v.Len())
	case awsapi.Document:
		fmt.Fprint(b, v.Interface())
	default:
		b.Write(wire.AppendText(nil, p, wire.ISO8601, v))
	}
}

func writeStructure(b *strings.Builder, p *wire.Plan, v reflect.Value, depth int) {
	b.WriteString(p.Name + "(")
	for i := range p.Fields {
		f := &p.Fields[i]
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(lowerFirst(f.Name) + "=")
		switch x, ok := f.Get(v); {
		case !ok:
			b.WriteString("null")
		case f.Plan.Sensitive:
			b.WriteString("***Sensitive Data Redacted***")
		default:
			write(b, f.Plan, x, depth+1)
		}
	}
	b.WriteByte(')')
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
