package item

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
)

// num is a number's value; text must be one.
func num(t testing.TB, text string) Value {
	t.Helper()
	v, err := Number(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return v
}

// What is taken and refused is as in dynalite's tests, which were run against AWS:
// https://github.com/architect/dynalite/blob/main/test/putItem.js
func TestNumber(t *testing.T) {
	const notNumber = "ValidationException: The parameter cannot be converted to a numeric value"
	digits38 := strings.Repeat("1234567890", 4)[:38]
	for text, want := range map[string]string{
		".5": "0.5", "5.": "5", "1e5": "100000", "1E+2": "100", "12e-3": "0.012", "-0.00120": "-0.0012",
		digits38: digits38, digits38 + "000": digits38 + "000", "0." + digits38: "0." + digits38,
		"1e125":                                 "1" + strings.Repeat("0", 125),
		"1e-130":                                "0." + strings.Repeat("0", 129) + "1",
		"9." + strings.Repeat("9", 37) + "e125": strings.Repeat("9", 38) + strings.Repeat("0", 88),
		"":                                      notNumber + ": ",
		"x":                                     notNumber + ": x",
		"-":                                     notNumber + ": -",
		".":                                     notNumber + ": .",
		" 1":                                    notNumber + ":  1",
		"1_0":                                   notNumber + ": 1_0",
		"1e":                                    notNumber + ": 1e",
		"1e1_0":                                 notNumber + ": 1e1_0",
		"0x1":                                   notNumber + ": 0x1",
		"NaN":                                   notNumber + ": NaN",
		"--1":                                   notNumber + ": --1",
		"1.2.3":                                 notNumber + ": 1.2.3",
		"1e2147483648":                          "ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e9223372036854775808":                 notNumber + ": 1e9223372036854775808",
		"0e125":                                 "0",
		"0e126":                                 "ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range",
		"0e-131":                                "ValidationException: Number underflow. Attempting to store a number with magnitude smaller than supported range",
		"1e126":                                 "ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range",
		"1e-131":                                "ValidationException: Number underflow. Attempting to store a number with magnitude smaller than supported range",
		strings.Repeat("1", 39):                 "ValidationException: Attempting to store more than 38 significant digits in a Number",
		"1." + strings.Repeat("0", 37) + "1":    "ValidationException: Attempting to store more than 38 significant digits in a Number",
	} {
		v, err := Number(text)
		got := v.Text
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestAdd(t *testing.T) {
	for _, c := range []struct{ a, b, sum, difference string }{
		{"1", "2", "3", "-1"},
		{"0", "0", "0", "0"},
		{"5", "5", "10", "0"},
		{"0.1", "0.2", "0.3", "-0.1"},
		{"-1.5", "0", "-1.5", "-1.5"},
		{"999999999999999999", "1", "1000000000000000000", "999999999999999998"},
		{"99999999999999999999999999999999999999", "1", "100000000000000000000000000000000000000", "99999999999999999999999999999999999998"},
		{"1e125", "-1e125", "0", "2e125"},
		{"1e38", "0.1", "!38 significant", "!38 significant"},
		{"9e125", "1e125", "!overflow", "8e125"},
		{"1.1e-130", "-1e-130", "!underflow", "2.1e-130"},
	} {
		a, b := num(t, canonicalOf(t, c.a)).Text, num(t, canonicalOf(t, c.b)).Text
		for want, operation := range map[*string]func(a, b string) (string, error){&c.sum: Add, &c.difference: Sub} {
			got, err := operation(a, b)
			if part, failing := strings.CutPrefix(*want, "!"); failing {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("%s and %s: got %s, %v, want an error with %q", c.a, c.b, got, err, part)
				}
				continue
			}
			if err != nil || got != canonicalOf(t, *want) {
				t.Errorf("%s and %s: got %s, %v, want %s", c.a, c.b, got, err, *want)
			}
		}
	}
}

// canonicalOf writes out a number that may be too long for DynamoDB.
func canonicalOf(t testing.TB, text string) string {
	t.Helper()
	if strings.HasPrefix(text, "!") {
		return text
	}
	d, ok := parseDecimal(text)
	if !ok {
		t.Fatalf("%q is no number", text)
	}
	return d.String()
}

// randomNumber is any number that DynamoDB can hold, often near others.
func randomNumber(r *rand.Rand) string {
	digits := make([]byte, 1+r.IntN(38))
	for i := range digits {
		digits[i] = byte('0' + r.IntN(10))
	}
	if r.IntN(3) == 0 {
		digits = digits[:min(len(digits), 2)]
	}
	text := string(digits[:1]) + "." + string(digits[1:]) + "0"
	if r.IntN(2) == 0 {
		text = "-" + text
	}
	exponent := r.IntN(256) - 130
	if r.IntN(2) == 0 {
		exponent = r.IntN(5) - 2
	}
	return text + "e" + big.NewInt(int64(exponent)).String()
}

func rational(t testing.TB, text string) *big.Rat {
	t.Helper()
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no rational", text)
	}
	return n
}

// TestNumbersAgainstRationals compares order, keys and sums with exact fractions.
func TestNumbersAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		textA, textB := randomNumber(r), randomNumber(r)
		a, errA := Number(textA)
		b, errB := Number(textB)
		if errA != nil || errB != nil {
			continue // leading zeros can lead below the smallest magnitude
		}
		x, y := rational(t, textA), rational(t, textB)
		if rational(t, a.Text).Cmp(x) != 0 {
			t.Fatalf("%s became %s", textA, a.Text)
		}
		order, ok := Compare(a, b)
		if !ok || order != x.Cmp(y) {
			t.Fatalf("%s and %s: order %d, want %d", a.Text, b.Text, order, x.Cmp(y))
		}
		if key := bytes.Compare(keyOf(t, a), keyOf(t, b)); key != x.Cmp(y) {
			t.Fatalf("%s and %s: keys in order %d, want %d", a.Text, b.Text, key, x.Cmp(y))
		}
		sum, err := Add(a.Text, b.Text)
		if err == nil && rational(t, sum).Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatalf("%s + %s = %s", a.Text, b.Text, sum)
		}
	}
}

func keyOf(t testing.TB, v Value) []byte {
	t.Helper()
	key, err := v.AppendKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestKeysOfTextAreInOrderAndEndThemselves(t *testing.T) {
	texts := []string{"", "\x00", "\x00\x00", "\x00\x01", "\x00\xff", "\x01", "a", "a\x00", "a\x00b", "a\x01", "ab", "b", "\xff", "\xff\xff"}
	for _, a := range texts {
		for _, b := range texts {
			keyA, keyB := keyOf(t, String(a)), keyOf(t, String(b))
			if got, want := bytes.Compare(keyA, keyB), strings.Compare(a, b); got != want {
				t.Errorf("%q and %q: keys in order %d, want %d", a, b, got, want)
			}
			if a != b && bytes.HasPrefix(keyA, keyB) {
				t.Errorf("the key of %q begins with that of %q", a, b)
			}
			prefix, err := String(b).AppendKeyPrefix(nil)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := bytes.HasPrefix(keyA, prefix), strings.HasPrefix(a, b); got != want {
				t.Errorf("%q begins with %q: %v by key, want %v", a, b, got, want)
			}
		}
	}
	if _, err := Null().AppendKey(nil); err == nil {
		t.Error("NULL is no key")
	}
	if _, err := Int(1).AppendKeyPrefix(nil); err == nil {
		t.Error("a number is no prefix")
	}
}

// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
func TestSize(t *testing.T) {
	for _, c := range []struct {
		v    Value
		want int
	}{
		{String("héllo"), 6},
		{Bytes([]byte{1, 2, 3}), 3},
		{Null(), 1},
		{Boolean(false), 1},
		{Set(SS, "a", "bc"), 3},
		{Set(BS, "a", "bc"), 3},
		{Set(NS, "1", "22"), 4},
		{List(), 3},
		{List(String("a"), Null()), 7},
		{Map(nil), 3},
		{Map(Item{"ab": String("c")}), 7},
	} {
		if got := c.v.Size(); got != c.want {
			t.Errorf("%+v: got %d, want %d", c.v, got, c.want)
		}
	}
	// As measured at AWS: https://github.com/paritysuite/dynamodb-conformance/blob/main/src/item-size.ts
	for text, want := range map[string]int{
		"0": 1, "1": 2, "12": 2, "123": 3, "1234": 3, "12345678901234567890123456789012345678": 20, "0042": 2, "100": 2,
		"1010": 3, "0.0000001": 2, "1E125": 2, "1E-100": 2, "1.5": 3, "15": 2, "1.2": 3, "1.200": 3, "1.234": 4,
		"3.14159": 5, "123456": 4, "100.5": 4, "0.15": 2, "-42": 3, "-0": 1,
	} {
		if got := num(t, text).Size(); got != want {
			t.Errorf("%s: got %d, want %d", text, got, want)
		}
	}
	if got := (Item{"id": String("abc"), "n": Int(1)}).Size(); got != 8 {
		t.Errorf("an item: got %d, want 8", got)
	}
}

func TestSets(t *testing.T) {
	a, b := Set(NS, "10", "9", "-1", "10"), Set(NS, "9", "2.5")
	if got := strings.Join(a.Set, " "); got != "-1 9 10" {
		t.Errorf("a set in order: %s", got)
	}
	if got := strings.Join(a.Union(b).Set, " "); got != "-1 2.5 9 10" {
		t.Errorf("union: %s", got)
	}
	if got := strings.Join(a.Minus(b).Set, " "); got != "-1 10" {
		t.Errorf("minus: %s", got)
	}
	if !a.Contains("10") || a.Contains("1") {
		t.Error("contains")
	}
	if !Set(SS, "b", "a").Equal(Set(SS, "a", "b")) || Set(SS, "1").Equal(Set(NS, "1")) {
		t.Error("equality of sets")
	}
}

func TestFromAPI(t *testing.T) {
	type av = api.AttributeValue
	deep := func(levels int) av {
		v := av{S: new("x")}
		for range levels {
			v = av{L: []av{v}}
		}
		return v
	}
	const invalid = "ValidationException: One or more parameter values were invalid: "
	for name, c := range map[string]struct {
		v    av
		want string
	}{
		"text":                {av{S: new("")}, ""},
		"bytes":               {av{B: []byte{}}, ""},
		"empty list":          {av{L: []av{}}, ""},
		"31 levels":           {deep(31), ""},
		"32 levels":           {deep(32), "ValidationException: Nesting Levels have exceeded supported limits: Attributes in the item have nested levels beyond supported limit"},
		"nothing":             {av{}, "ValidationException: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		"two types":           {av{S: new("a"), N: new("1")}, "ValidationException: Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"},
		"two types, one bad":  {av{S: new("a"), N: new("b")}, "ValidationException: The parameter cannot be converted to a numeric value: b"},
		"null":                {av{NULL: new(false)}, invalid + "Null attribute value types must have the value of true"},
		"no strings":          {av{SS: []string{}}, invalid + "An string set  may not be empty"},
		"no numbers":          {av{NS: []string{}}, invalid + "An number set  may not be empty"},
		"no binaries":         {av{BS: [][]byte{}}, invalid + "Binary sets should not be empty"},
		"same strings":        {av{SS: []string{"b", "a", "b"}}, invalid + `Input collection ["a", "b", "b"] contains duplicates.`},
		"same numbers":        {av{NS: []string{"1", "1.0"}}, invalid + "Input collection contains duplicates."},
		"same binaries":       {av{BS: [][]byte{{98}, {97}, {97}}}, invalid + `Input collection ["YQ==","Yg==","YQ=="]of type BS contains duplicates.`},
		"bad number in set":   {av{NS: []string{"1", ""}}, "ValidationException: The parameter cannot be converted to a numeric value: "},
		"bad number in depth": {av{M: map[string]av{"a": {L: []av{{N: new("x")}}}}}, "ValidationException: The parameter cannot be converted to a numeric value: x"},
		"no name":             {av{M: map[string]av{"": {S: new("x")}}}, "ValidationException: Empty attribute name"},
	} {
		_, err := FromAPI(map[string]av{"a": c.v})
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestOlderWording holds what operations answer that check values in the older way.
// https://github.com/paritysuite/dynamodb-conformance/blob/main/tests/tier3/error-messages/valueLayers.test.ts
// https://github.com/paritysuite/dynamodb-conformance/blob/main/tests/tier3/error-messages/partiqlParameterNumbers.test.ts
func TestOlderWording(t *testing.T) {
	type av = api.AttributeValue
	const (
		invalid   = "ValidationException: One or more parameter values were invalid: "
		notNumber = "ValidationException: The parameter cannot be converted to a numeric value"
	)
	for name, c := range map[string]struct {
		v    av
		want string
	}{
		"same strings":    {av{SS: []string{"b", "a", "b"}}, invalid + "Input collection [b, a, b] contains duplicates."},
		"same numbers":    {av{NS: []string{"1", "1.0"}}, "ValidationException: Input collection contains duplicates"},
		"same binaries":   {av{BS: [][]byte{{98}, {98}}}, invalid + "Input collection [Yg==, Yg==]of type BS contains duplicates."},
		"no digits":       {av{NS: []string{"1", ""}}, notNumber},
		"letters":         {av{N: new("abc")}, notNumber + ": abc"},
		"large":           {av{N: new("1e126")}, errOverflow.Error()},
		"long exponent":   {av{N: new("1e2147483648")}, notNumber + ": 1e2147483648"},
		"tiny":            {av{N: new("1e-2147483648")}, notNumber + ": 1e-2147483648"},
		"longer than int": {av{N: new("1e2147483647")}, errUnderflow.Error()},
	} {
		_, err := Older.ValueFromAPI(c.v)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// TestFarTooDeep takes a value apart once or twice, however deep it is: not twice on each level.
func TestFarTooDeep(t *testing.T) {
	v := api.AttributeValue{S: new("x")}
	for range 2000 {
		v = api.AttributeValue{M: map[string]api.AttributeValue{"a": v, "b": {S: new("y")}}}
	}
	if _, err := ValueFromAPI(v); err != errDepth {
		t.Error(err)
	}
}

// everything is an item with a value of each type.
func everything(t testing.TB) Item {
	return Item{
		"s": String("text"), "empty": String(""), "n": num(t, "-12.50"), "b": Bytes([]byte{0, 255}), "ss": Set(SS, "b", "a"),
		"ns": Set(NS, "3", "-2"), "bs": Set(BS, "\x00", "z"), "null": Null(), "yes": Boolean(true), "no": Boolean(false),
		"l": List(String("a"), List(), Map(Item{})), "m": Map(Item{"a": List(Int(1)), "": Null()}),
	}
}

func TestAPIAndBack(t *testing.T) {
	it := everything(t)
	delete(it["m"].Map, "")
	back, err := FromAPI(it.API())
	if err != nil || !back.Equal(it) {
		t.Fatalf("got %+v, %v, want %+v", back, err, it)
	}
}

func TestCodec(t *testing.T) {
	for _, it := range []Item{{}, {"a": String("b")}, everything(t)} {
		stored := it.Append([]byte("before"))
		back, err := Decode(stored[len("before"):])
		if err != nil || !back.Equal(it) {
			t.Errorf("got %+v, %v, want %+v", back, err, it)
		}
		for cut := len("before"); cut < len(stored); cut++ {
			if _, err := Decode(stored[len("before"):cut]); err == nil {
				t.Errorf("an item cut to %d of %d bytes was read", cut-len("before"), len(stored)-len("before"))
			}
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(everything(f).Append(nil))
	f.Add(Item{}.Append(nil))
	f.Add([]byte{codecVersion, 1, 1, 'a', byte(L), 255, 255, 255, 255, 15})
	f.Fuzz(func(t *testing.T, stored []byte) {
		it, err := Decode(stored)
		if err != nil {
			return
		}
		back, err := Decode(it.Append(nil))
		if err != nil || !back.Equal(it) {
			t.Fatalf("%x: %+v became %+v, %v", stored, it, back, err)
		}
	})
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"1", "-1.5e10", "0.0", "1e-130", "+.5", "9e999999999"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := Number(text)
		if err != nil {
			return
		}
		again, err := Number(v.Text)
		if err != nil || again.Text != v.Text {
			t.Fatalf("%q: %s became %s, %v", text, v.Text, again.Text, err)
		}
		if v.Text != "0" && len(text) < 1000 && rational(t, v.Text).Cmp(rational(t, text)) != 0 {
			t.Fatalf("%q became %s", text, v.Text)
		}
		if negated(negated(v.Text)) != v.Text {
			t.Fatalf("%s negated twice is another", v.Text)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	it := everything(b)
	stored := it.Append(nil)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst = it.Append(dst[:0])
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Decode(stored); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAPI(b *testing.B) {
	it := everything(b)
	delete(it["m"].Map, "")
	attributes := it.API()
	b.Run("from", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := FromAPI(attributes); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("to", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			it.API()
		}
	})
}
