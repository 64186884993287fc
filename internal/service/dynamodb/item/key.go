package item

import (
	"fmt"
	"strings"
)

// A number's first byte in a key.
const (
	keyNegative = 1
	keyZero     = 2
	keyPositive = 3
)

// AppendKey appends bytes that are in the order of Compare among values of one type, which is S, N or B. No value's
// bytes begin another's, so that more can follow them in a key.
//
// Text and bytes end with 0 1, and a zero within is followed by 255. A number is a byte for its sign, one for its
// magnitude, and one, 1 to 100, for each two digits, then a zero; all but the first inverted where it is negative.
func (v Value) AppendKey(dst []byte) ([]byte, error) {
	switch v.Kind {
	case S, B:
		return append(appendEscaped(dst, v.Text), 0, 1), nil
	case N:
		return appendNumberKey(dst, v.Text), nil
	}
	return dst, fmt.Errorf("item: a value of type %s is no key", v.Kind)
}

// AppendKeyPrefix appends what the keys of all values that begin with v have in common; v is S or B.
func (v Value) AppendKeyPrefix(dst []byte) ([]byte, error) {
	if v.Kind != S && v.Kind != B {
		return dst, fmt.Errorf("item: a value of type %s is no prefix", v.Kind)
	}
	return appendEscaped(dst, v.Text), nil
}

func appendEscaped(dst []byte, text string) []byte {
	for {
		i := strings.IndexByte(text, 0)
		if i < 0 {
			return append(dst, text...)
		}
		dst = append(dst, text[:i]...)
		dst = append(dst, 0, 255)
		text = text[i+1:]
	}
}

func appendNumberKey(dst []byte, text string) []byte {
	d, _ := parseDecimal(text)
	if d.digits == "" {
		return append(dst, keyZero)
	}
	sign, invert := byte(keyPositive), byte(0)
	if d.negative {
		sign, invert = keyNegative, 0xff
	}
	dst = append(dst, sign, byte(d.magnitude-minMagnitude)^invert)
	for i := 0; i < len(d.digits); i += 2 {
		pair := (d.digits[i] - '0') * 10
		if i+1 < len(d.digits) {
			pair += d.digits[i+1] - '0'
		}
		dst = append(dst, (pair+1)^invert)
	}
	return append(dst, invert)
}
