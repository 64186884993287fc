package item

import (
	"cmp"
	"math"
	"math/big"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
)

// What a number may be: up to 38 significant digits, the first of which stands for 10^-130 to 10^125.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html#HowItWorks.DataTypes.Number
const (
	maxDigits    = 38
	maxMagnitude = 125
	minMagnitude = -130
	maxExponent  = 1 << 40 // beyond it exponents are all the same
)

var (
	errOverflow  = awsapi.ValidationException.New("Number overflow. Attempting to store a number with magnitude larger than supported range")
	errUnderflow = awsapi.ValidationException.New("Number underflow. Attempting to store a number with magnitude smaller than supported range")
	errPrecision = awsapi.ValidationException.New("Attempting to store more than 38 significant digits in a Number")
)

// decimal is ±d.ddd × 10^magnitude. Zero has no digits.
type decimal struct {
	negative  bool
	digits    string // without zeros at either end
	magnitude int
	exponent  int // as it was written
}

// Number returns an N, checked, in the form in which DynamoDB prints it: plain, without an exponent, a plus sign or
// needless zeros. It is an error where text is no number, or one that is too long, too large or too small.
func Number(text string) (Value, error) {
	canonical, err := canonicalNumber(text)
	if err != nil {
		return Value{}, err
	}
	return Value{Kind: N, Text: canonical}, nil
}

// Int returns an N.
func Int(n int64) Value { return Value{Kind: N, Text: strconv.FormatInt(n, 10)} }

func canonicalNumber(text string) (string, error) {
	if isPlainInteger(text) {
		return text, nil
	}
	d, ok := parseDecimal(text)
	if !ok {
		return "", errNotNumeric(text)
	}
	if err := d.check(); err != nil {
		return "", err
	}
	return d.String(), nil
}

func errNotNumeric(text string) error {
	return awsapi.ValidationException.New("The parameter cannot be converted to a numeric value: %s", text)
}

// olderNumberError is the error of a text that is no number, as Java's BigDecimal has it: its exponents have 32 bits, and
// so has what is reckoned with them.
func olderNumberError(text string) error {
	d, ok := parseDecimal(text)
	switch {
	case text == "":
		return awsapi.ValidationException.New("The parameter cannot be converted to a numeric value")
	case !ok || d.exponent != int(int32(d.exponent)) || d.exponent == math.MinInt32:
		return errNotNumeric(text)
	}
	d.magnitude = int(int32(d.magnitude+1)) - 1
	return d.check()
}

// isPlainInteger finds the usual case: an integer that is canonical already.
func isPlainInteger(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) == 0 || len(digits) > maxDigits {
		return false
	}
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return digits[0] != '0' || text == "0"
}

// parseDecimal reads an optional sign, digits with an optional point among them, and an optional exponent.
func parseDecimal(text string) (decimal, bool) {
	var d decimal
	mantissa, exponent := text, 0
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		n, err := strconv.ParseInt(text[i+1:], 10, 64)
		if err != nil || strings.Contains(text[i+1:], "_") {
			return d, false
		}
		mantissa, exponent = text[:i], int(min(max(n, -maxExponent), maxExponent))
	}
	if mantissa != "" && (mantissa[0] == '-' || mantissa[0] == '+') {
		d.negative = mantissa[0] == '-'
		mantissa = mantissa[1:]
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	all := whole + fraction
	if all == "" || strings.Trim(all, "0123456789") != "" {
		return d, false
	}
	digits := strings.TrimLeft(all, "0")
	d.magnitude = len(whole) - 1 - (len(all) - len(digits)) + exponent
	d.digits = strings.TrimRight(digits, "0")
	d.exponent = exponent
	if d.digits == "" {
		return decimal{exponent: exponent, magnitude: exponent}, true
	}
	return d, true
}

// check is the error of a number that DynamoDB cannot hold. A zero is as large as its exponent has it.
func (d decimal) check() error {
	switch {
	case d.magnitude > maxMagnitude:
		return errOverflow
	case d.magnitude < minMagnitude:
		return errUnderflow
	case len(d.digits) > maxDigits:
		return errPrecision
	}
	return nil
}

func (d decimal) String() string {
	if d.digits == "" {
		return "0"
	}
	b := make([]byte, 0, 48)
	if d.negative {
		b = append(b, '-')
	}
	switch point := d.magnitude + 1; {
	case point <= 0:
		b = append(b, "0."...)
		b = appendZeros(b, -point)
		b = append(b, d.digits...)
	case point >= len(d.digits):
		b = append(b, d.digits...)
		b = appendZeros(b, point-len(d.digits))
	default:
		b = append(b, d.digits[:point]...)
		b = append(b, '.')
		b = append(b, d.digits[point:]...)
	}
	return string(b)
}

func appendZeros(b []byte, n int) []byte {
	for range n {
		b = append(b, '0')
	}
	return b
}

// compareNumbers orders two numbers in canonical form.
func compareNumbers(a, b string) int {
	negativeA, negativeB := strings.HasPrefix(a, "-"), strings.HasPrefix(b, "-")
	switch {
	case negativeA && negativeB:
		return compareMagnitudes(b[1:], a[1:])
	case negativeA:
		return -1
	case negativeB:
		return 1
	}
	return compareMagnitudes(a, b)
}

// compareMagnitudes relies on the canonical form: with as many digits before the point, order is that of the text.
func compareMagnitudes(a, b string) int {
	wholeA, fractionA, _ := strings.Cut(a, ".")
	wholeB, fractionB, _ := strings.Cut(b, ".")
	return cmp.Or(
		cmp.Compare(len(wholeA), len(wholeB)),
		strings.Compare(wholeA, wholeB),
		strings.Compare(fractionA, fractionB),
	)
}

// Add returns the sum of two numbers in canonical form, exact, or an error where DynamoDB could not hold it.
func Add(a, b string) (string, error) {
	if x, ok := smallInteger(a); ok {
		if y, ok := smallInteger(b); ok {
			return strconv.FormatInt(x+y, 10), nil
		}
	}
	x, _ := parseDecimal(a)
	y, _ := parseDecimal(b)
	sum := x.add(y)
	if err := sum.check(); err != nil {
		return "", err
	}
	return sum.String(), nil
}

// Sub returns a minus b.
func Sub(a, b string) (string, error) { return Add(a, negated(b)) }

func negated(n string) string {
	switch {
	case n == "0":
		return n
	case n[0] == '-':
		return n[1:]
	}
	return "-" + n
}

// smallInteger returns the number as an integer where two of its kind can be added without overflow.
func smallInteger(n string) (int64, bool) {
	if len(n) > 18 || strings.Contains(n, ".") {
		return 0, false
	}
	i, err := strconv.ParseInt(n, 10, 64)
	return i, err == nil
}

func (d decimal) add(e decimal) decimal {
	// The exponent of the last digit of either, whichever is smaller, is that of the sum's.
	last := min(d.lastExponent(), e.lastExponent())
	sum := d.scaled(last)
	sum.Add(sum, e.scaled(last))
	digits := new(big.Int).Abs(sum).String()
	if digits == "0" {
		return decimal{}
	}
	return decimal{
		negative:  sum.Sign() < 0,
		digits:    strings.TrimRight(digits, "0"),
		magnitude: len(digits) - 1 + last,
	}
}

func (d decimal) lastExponent() int { return d.magnitude - max(len(d.digits)-1, 0) }

// scaled is the number in units of 10^exponent, which is not above its last exponent.
func (d decimal) scaled(exponent int) *big.Int {
	n := new(big.Int)
	if d.digits == "" {
		return n
	}
	n.SetString(d.digits, 10)
	shift := big.NewInt(int64(d.lastExponent() - exponent))
	n.Mul(n, shift.Exp(big.NewInt(10), shift, nil))
	if d.negative {
		n.Neg(n)
	}
	return n
}
