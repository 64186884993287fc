package wire

import (
	"encoding/base64"
	"math"
	"reflect"
	"strconv"
	"time"

	"cirro/internal/awsapi"
)

// SetText sets v, a scalar of the plan, from its text form: in a URI, a header, a form or an element.
func SetText(p *Plan, s string, v reflect.Value) error {
	switch p.Kind {
	case awsapi.String:
		v.SetString(s)
	case awsapi.Boolean:
		switch s {
		case "true", "True", "TRUE", "1":
			v.SetBool(true)
		case "false", "False", "FALSE", "0":
			v.SetBool(false)
		default:
			return Malformed("STRING_VALUE can not be converted to a Boolean")
		}
	case awsapi.Integer, awsapi.Long:
		n, err := strconv.ParseInt(s, 10, v.Type().Bits())
		if err != nil {
			return Malformed("STRING_VALUE can not be converted to %s", article(p.Kind))
		}
		v.SetInt(n)
	case awsapi.Float, awsapi.Double:
		f, ok := ParseFloat(s, v.Type().Bits())
		if !ok {
			return Malformed("STRING_VALUE can not be converted to %s", article(p.Kind))
		}
		v.SetFloat(f)
	case awsapi.Timestamp:
		t, ok := ParseTime(s)
		if !ok {
			return Malformed("STRING_VALUE can not be converted to a Date")
		}
		SetTime(v, t)
	case awsapi.Blob:
		b, err := DecodeBase64(s)
		if err != nil {
			return err
		}
		v.SetBytes(b)
	default:
		return Malformed("Start of structure or map found where not expected.")
	}
	return nil
}

// AppendText appends the text form of v, a scalar of the plan.
func AppendText(dst []byte, p *Plan, f TimeFormat, v reflect.Value) []byte {
	switch p.Kind {
	case awsapi.String:
		return append(dst, v.String()...)
	case awsapi.Boolean:
		return strconv.AppendBool(dst, v.Bool())
	case awsapi.Integer, awsapi.Long:
		return strconv.AppendInt(dst, v.Int(), 10)
	case awsapi.Float, awsapi.Double:
		return AppendFloat(dst, v.Float(), v.Type().Bits())
	case awsapi.Timestamp:
		return AppendTime(dst, TimeOf(v), f)
	case awsapi.Blob:
		return base64.StdEncoding.AppendEncode(dst, v.Bytes())
	}
	return dst
}

// ParseFloat reads a number of that many bits, or one of AWS's words for those that have no digits.
func ParseFloat(s string, bits int) (float64, bool) {
	switch s {
	case "NaN":
		return math.NaN(), true
	case "Infinity":
		return math.Inf(1), true
	case "-Infinity":
		return math.Inf(-1), true
	}
	f, err := strconv.ParseFloat(s, bits)
	return f, err == nil
}

// AppendFloat appends f as AWS writes it: NaN, Infinity and -Infinity have names.
func AppendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

// TimeOf returns the time that v holds.
func TimeOf(v reflect.Value) time.Time {
	if v.CanAddr() {
		return *v.Addr().Interface().(*time.Time)
	}
	return v.Interface().(time.Time)
}

// SetTime sets v, which must be addressable.
func SetTime(v reflect.Value, t time.Time) { *v.Addr().Interface().(*time.Time) = t }

// DecodeBase64 reads base64 with or without its padding.
func DecodeBase64(s string) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		if b, err = base64.RawStdEncoding.DecodeString(s); err != nil {
			return nil, Malformed("Unable to decode base64: %v", err)
		}
	}
	return b, nil
}

func article(k awsapi.Kind) string {
	switch k {
	case awsapi.Integer:
		return "an Integer"
	case awsapi.Long:
		return "a Long"
	case awsapi.Float:
		return "a Float"
	case awsapi.Double:
		return "a Double"
	case awsapi.Boolean:
		return "a Boolean"
	case awsapi.Timestamp:
		return "a Date"
	case awsapi.Blob:
		return "a Blob"
	}
	return "a String"
}

// CannotConvert is the error for a value that is not of its shape's kind: found is AWS's name of what
// is there, "NUMBER_VALUE".
func CannotConvert(found string, k awsapi.Kind) error {
	return Malformed("%s can not be converted to %s", found, article(k))
}
