package intrinsic

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"math/rand/v2"
	"strings"

	"cirro/internal/asl/document"

	"github.com/google/uuid"
)

// function is one of AWS's.
type function struct {
	name        string
	least, most int // arguments; most -1 for any number
	template    bool
	apply       func(args []any) (any, error)
}

var functions = map[string]function{
	"States.Array":          {most: -1, apply: func(args []any) (any, error) { return append([]any{}, args...), nil }},
	"States.ArrayContains":  {least: 2, most: 2, apply: arrayContains},
	"States.ArrayGetItem":   {least: 2, most: 2, apply: arrayGetItem},
	"States.ArrayLength":    {least: 1, most: 1, apply: arrayLength},
	"States.ArrayPartition": {least: 2, most: 2, apply: arrayPartition},
	"States.ArrayRange":     {least: 3, most: 3, apply: arrayRange},
	"States.ArrayUnique":    {least: 1, most: 1, apply: arrayUnique},
	"States.Base64Decode":   {least: 1, most: 1, apply: base64Decode},
	"States.Base64Encode":   {least: 1, most: 1, apply: base64Encode},
	"States.Format":         {least: 1, most: -1, template: true, apply: format},
	"States.Hash":           {least: 2, most: 2, apply: hashOf},
	"States.JsonMerge":      {least: 3, most: 3, apply: jsonMerge},
	"States.JsonToString":   {least: 1, most: 1, apply: func(args []any) (any, error) { return string(document.Encode(args[0])), nil }},
	"States.MathAdd":        {least: 2, most: 2, apply: mathAdd},
	"States.MathRandom":     {least: 2, most: 3, apply: mathRandom},
	"States.StringSplit":    {least: 2, most: 2, apply: stringSplit},
	"States.StringToJson":   {least: 1, most: 1, apply: stringToJSON},
	"States.UUID":           {apply: func([]any) (any, error) { return uuid.NewString(), nil }},
}

// maxItems is how many items a list that a function makes may have, and maxText how many characters a text
// may have that is hashed or goes into Base64 or comes from it.
const (
	maxItems = 1000
	maxText  = 10_000
)

// reason is what is wrong with an argument, as the service words it.
type reason string

func (r reason) Error() string { return string(r) }

func reasonf(format string, args ...any) error { return reason(fmt.Sprintf(format, args...)) }

func list(v any) ([]any, error) {
	if l, ok := v.([]any); ok {
		return l, nil
	}
	return nil, reason("Expected an array")
}

func text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", reason("Expected a string")
}

// whole is a number of 32 bits; a fraction is rounded.
func whole(v any) (int64, error) {
	f, ok := document.Float(v)
	if !ok {
		return 0, reason("Expected an integer")
	}
	if f = math.Floor(f + 0.5); f < math.MinInt32 || f > math.MaxInt32 {
		return 0, reason("The integer is out of range")
	}
	return int64(f), nil
}

func arrayContains(args []any) (any, error) {
	l, err := list(args[0])
	if err != nil {
		return nil, err
	}
	for _, v := range l {
		if document.Equal(v, args[1]) {
			return true, nil
		}
	}
	return false, nil
}

func arrayGetItem(args []any) (any, error) {
	l, err := list(args[0])
	if err != nil {
		return nil, err
	}
	i, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	if i < 0 || int(i) >= len(l) {
		return nil, reasonf("The index %d is out of bounds", i)
	}
	return l[i], nil
}

func arrayLength(args []any) (any, error) {
	l, err := list(args[0])
	return int64(len(l)), err
}

func arrayPartition(args []any) (any, error) {
	l, err := list(args[0])
	if err != nil {
		return nil, err
	}
	size, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		return nil, reason("The chunk size must be a positive integer")
	}
	chunks := []any{}
	for len(l) > 0 {
		n := min(int(size), len(l))
		chunks = append(chunks, append([]any{}, l[:n]...))
		l = l[n:]
	}
	if len(chunks) > maxItems {
		return nil, reasonf("The array has more than %d items", maxItems)
	}
	return chunks, nil
}

func arrayRange(args []any) (any, error) {
	var n [3]int64
	for i := range n {
		var err error
		if n[i], err = whole(args[i]); err != nil {
			return nil, err
		}
	}
	first, last, step := n[0], n[1], n[2]
	if step == 0 {
		return nil, reason("The increment must not be zero")
	}
	if (last-first)/step+1 > maxItems {
		return nil, reasonf("The array has more than %d items", maxItems)
	}
	l := []any{}
	for v := first; step > 0 && v <= last || step < 0 && v >= last; v += step {
		l = append(l, v)
	}
	return l, nil
}

func arrayUnique(args []any) (any, error) {
	l, err := list(args[0])
	if err != nil {
		return nil, err
	}
	unique, seen := []any{}, map[string]bool{}
	for _, v := range l {
		if key := string(document.Encode(v)); !seen[key] {
			seen[key] = true
			unique = append(unique, v)
		}
	}
	return unique, nil
}

func base64Encode(args []any) (any, error) {
	s, err := bounded(args[0])
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

func base64Decode(args []any) (any, error) {
	s, err := bounded(args[0])
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, reason("The string is not Base64")
	}
	return strings.ToValidUTF8(string(b), "\uFFFD"), nil
}

func bounded(v any) (string, error) {
	s, err := text(v)
	if err == nil && len(s) > maxText {
		err = reasonf("The string has more than %d characters", maxText)
	}
	return s, err
}

// format puts the arguments in the places of {}.
func format(args []any) (any, error) {
	template := ""
	switch t := args[0].(type) {
	case literal:
		template = t.raw
	case string:
		template = t
	default:
		return nil, reason("The template must be a string")
	}
	var b strings.Builder
	next := 1
	for i := 0; i < len(template); i++ {
		switch c := template[i]; {
		case c == '\\' && i+1 < len(template):
			i++
			if !strings.ContainsRune(`'{}\`, rune(template[i])) {
				b.WriteByte('\\')
			}
			b.WriteByte(template[i])
		case c == '{' && i+1 < len(template) && template[i+1] == '}':
			i++
			if next == len(args) {
				return nil, errMismatch
			}
			s, err := shown(args[next])
			if err != nil {
				return nil, err
			}
			b.WriteString(s)
			next++
		case c == '{' || c == '}':
			return nil, reasonf("A brace that is not escaped has no partner")
		default:
			b.WriteByte(c)
		}
	}
	if next != len(args) {
		return nil, errMismatch
	}
	return b.String(), nil
}

var errMismatch = errors.New("number of arguments do not match the occurrences of {}")

// shown is a value within a text: lists and objects are none.
func shown(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case literal:
		return v.value, nil
	case []any, *document.Object:
		return "", reason("Arguments must be strings, numbers, booleans or null")
	}
	return string(document.Encode(v)), nil
}

func hashOf(args []any) (any, error) {
	name, err := text(args[1])
	if err != nil {
		return nil, err
	}
	algorithms := map[string]func() hash.Hash{"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}
	algorithm, ok := algorithms[name]
	if !ok {
		return nil, reasonf("The algorithm %q is not supported", name)
	}
	data, ok := args[0].(string)
	if !ok {
		data = string(document.Encode(args[0]))
	}
	if len(data) > maxText {
		return nil, reasonf("The data has more than %d characters", maxText)
	}
	h := algorithm()
	h.Write([]byte(data))
	return hex.EncodeToString(h.Sum(nil)), nil
}

func jsonMerge(args []any) (any, error) {
	a, ok := args[0].(*document.Object)
	b, also := args[1].(*document.Object)
	if !ok || !also {
		return nil, reason("Expected two objects")
	}
	if deep, ok := args[2].(bool); !ok || deep {
		return nil, reason("Only the shallow merging mode is supported: the third argument must be false")
	}
	merged := a.Clone()
	for name, v := range b.All() {
		merged.Set(name, v)
	}
	return merged, nil
}

func mathAdd(args []any) (any, error) {
	a, err := whole(args[0])
	if err != nil {
		return nil, err
	}
	b, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	return int64(int32(a) + int32(b)), nil
}

// mathRandom is a number from the first on and below the second; a seed makes it the same each time.
func mathRandom(args []any) (any, error) {
	first, err := whole(args[0])
	if err != nil {
		return nil, err
	}
	end, err := whole(args[1])
	if err != nil {
		return nil, err
	}
	if end <= first {
		return nil, reason("The end must be greater than the start")
	}
	if len(args) == 2 {
		return first + rand.Int64N(end-first), nil
	}
	seed, err := whole(args[2])
	if err != nil {
		return nil, err
	}
	return first + rand.New(rand.NewPCG(uint64(seed), 0)).Int64N(end-first), nil
}

// stringSplit parts a text at each of the splitter's characters; there are no empty parts.
func stringSplit(args []any) (any, error) {
	s, err := text(args[0])
	if err != nil {
		return nil, err
	}
	splitter, err := text(args[1])
	if err != nil {
		return nil, err
	}
	parts := []any{}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(splitter, r) }) {
		parts = append(parts, part)
	}
	return parts, nil
}

func stringToJSON(args []any) (any, error) {
	s, err := text(args[0])
	if err != nil {
		return nil, err
	}
	if s == "" {
		return nil, nil
	}
	v, err := document.Decode([]byte(s))
	if err != nil {
		return nil, reason("The string is not valid JSON")
	}
	return v, nil
}
