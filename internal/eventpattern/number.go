package eventpattern

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// number is a number of JSON. A float tells apart what has up to 15 digits; beyond that the digits decide.
type number struct {
	float  float64
	digits string // as it is written, where a float may not hold it; "" where it does
}

// exactDigits is how many decimal digits a float keeps.
const exactDigits = 15

// longestExponent is the longest that is compared digit by digit: more would make endless numbers.
const longestExponent = 4

func parseNumber(s string) number {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && math.IsInf(f, 0) {
		return number{float: f, digits: s}
	}
	if len(s) <= exactDigits {
		return number{float: f}
	}
	return number{float: f, digits: s}
}

func (n *number) compare(m *number) int {
	switch {
	case n.float < m.float:
		return -1
	case n.float > m.float:
		return 1
	case n.digits == "" && m.digits == "" || n.digits == m.digits:
		return 0
	}
	x, y := n.rational(), m.rational()
	if x == nil || y == nil {
		return 0
	}
	return x.Cmp(y)
}

func (n *number) rational() *big.Rat {
	if n.digits == "" {
		return new(big.Rat).SetFloat64(n.float)
	}
	if i := strings.IndexAny(n.digits, "eE"); i >= 0 && len(n.digits)-i > longestExponent {
		return nil
	}
	r, ok := new(big.Rat).SetString(n.digits)
	if !ok {
		return nil
	}
	return r
}
