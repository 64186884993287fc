package intrinsic

import (
	"encoding/base64"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"cirro/internal/asl/digest"
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

// reason is what is wrong with a call, as the service words it.
type reason string

func (r reason) Error() string { return string(r) }

// errArguments is what is wrong with arguments: the service does not say more of it.
const errArguments = reason("Invalid arguments in %s")

func list(v any) ([]any, error) {
	if l, ok := v.([]any); ok {
		return l, nil
	}
	return nil, errArguments
}

func text(v any) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", errArguments
}

// whole is a number of 32 bits; of a fraction nothing is left but in MathAdd, against the documentation.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/intrinsic_functions/test_math_operations.snapshot.json
func whole(v any) (int64, error) { return integer(v, math.Trunc) }

func rounded(v any) (int64, error) {
	return integer(v, func(f float64) float64 { return math.Floor(f + 0.5) })
}

func integer(v any, made func(float64) float64) (int64, error) {
	f, ok := document.Float(v)
	if f = made(f); !ok || f < math.MinInt32 || f > math.MaxInt32 {
		return 0, errArguments
	}
	return int64(f), nil
}

// arrayContains compares what values look like: true is found where there is "true".
func arrayContains(args []any) (any, error) {
	l, err := list(args[0])
	if err != nil {
		return nil, err
	}
	wanted := shown(args[1])
	return slices.ContainsFunc(l, func(v any) bool { return shown(v) == wanted }), nil
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
	switch {
	case len(l) == 0 && i >= 0:
		return nil, nil // as recorded, for an empty list alone
	case i < 0 || int(i) >= len(l):
		return nil, errArguments
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
		return nil, errArguments
	}
	chunks := []any{}
	for len(l) > 0 {
		n := min(int(size), len(l))
		chunks = append(chunks, append([]any{}, l[:n]...))
		l = l[n:]
	}
	if len(chunks) > maxItems {
		return nil, errArguments
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
	if step == 0 || (last-first)/step+1 > maxItems {
		return nil, errArguments
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
	// What does not belong to Base64 is passed over, and what follows padding too.
	s, _, _ = strings.Cut(s, "=")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case r == '+', r == '/', r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z':
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	return strings.ToValidUTF8(string(b), "\uFFFD"), err
}

func bounded(v any) (string, error) {
	s, err := text(v)
	if err == nil && utf8.RuneCountInString(s) > maxText {
		err = errArguments
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
		return nil, errMismatch
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
			if b.WriteString(shown(args[next])); b.Len() > maxFormat {
				return nil, errArguments
			}
			next++
		case c == '{':
			return nil, errBrace
		case c == '}':
			return nil, errClosing
		default:
			b.WriteByte(c)
		}
	}
	if next != len(args) {
		return nil, errMismatch
	}
	return b.String(), nil
}

const (
	errMismatch = errArguments + ": number of arguments do not match the occurrences of {}."
	errBrace    = reason("Invalid template in %s: matching '}' not found for '{'.")
	errClosing  = reason("Invalid template in %s: matching '{' not found for '}'.")
)

// maxFormat bounds what States.Format makes: nothing larger passes between states.
const maxFormat = document.MaxSize

// shown is a value within a text, as Java writes it.
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/intrinsic_functions/test_generic.snapshot.json
func shown(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case literal:
		return v.value
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = shown(v[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *document.Object:
		parts := make([]string, 0, v.Len())
		for name, member := range v.All() {
			parts = append(parts, name+"="+shown(member))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return string(document.Encode(v))
}

func hashOf(args []any) (any, error) {
	name, err := text(args[1])
	if err != nil {
		return nil, err
	}
	data, ok := args[0].(string)
	if !ok {
		data = string(document.Encode(args[0]))
	}
	sum, ok := digest.Of(name, data)
	if !ok || utf8.RuneCountInString(data) > maxText {
		return nil, errArguments
	}
	return sum, nil
}

func jsonMerge(args []any) (any, error) {
	a, ok := args[0].(*document.Object)
	b, also := args[1].(*document.Object)
	if deep, isBool := args[2].(bool); !ok || !also || !isBool || deep {
		return nil, errArguments
	}
	merged := a.Clone()
	for name, v := range b.All() {
		merged.Set(name, v)
	}
	return merged, nil
}

func mathAdd(args []any) (any, error) {
	a, err := rounded(args[0])
	if err != nil {
		return nil, err
	}
	b, err := rounded(args[1])
	if err != nil {
		return nil, err
	}
	if sum := a + b; sum >= math.MinInt32 && sum <= math.MaxInt32 {
		return sum, nil
	}
	return nil, errArguments
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
		return nil, errArguments
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
		return nil, errArguments
	}
	return v, nil
}
