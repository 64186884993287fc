package expression

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// sample is the item that the cases in testdata are about. There, and in the tests, are the names and values below.
func sample() item.Item {
	return item.Item{
		"p": item.String("k"), "n": item.Int(5), "s": item.String("str"), "e": item.String("é😀"),
		"l": item.List(item.Int(1), item.Int(2), item.Int(3), item.String("x"), item.List(item.Int(1)),
			item.Map(item.Item{"a": item.Int(1)})),
		"m":  item.Map(item.Item{"x": item.Int(1), "y": item.Map(item.Item{"z": item.Int(2)})}),
		"ss": item.Set(item.SS, "a", "b"), "ns": item.Set(item.NS, "1", "2"), "bo": item.Boolean(true),
		"nul": item.Null(), "bin": item.Bytes([]byte("xx")),
	}
}

func sampleNames() map[string]string {
	return map[string]string{"#n": "n", "#abort": "abort", "#x": "x"}
}

func sampleValues() map[string]api.AttributeValue {
	return item.Item{
		":n": item.Int(1), ":five": item.Int(5), ":m": item.Int(7), ":s": item.String("str"), ":t": item.String("t"),
		":ss": item.Set(item.SS, "a", "z"), ":ns": item.Set(item.NS, "1", "9"), ":l": item.List(item.Int(9)),
		":map": item.Map(item.Item{"a": item.Int(1)}), ":bo": item.Boolean(true), ":nul": item.Null(),
		":bin": item.Bytes([]byte("x")), ":type": item.String("S"), ":max": number("9.9999999999999999999999999999999999999e125"),
		":tiny": number("1e-130"),
	}.API()
}

func number(text string) item.Value {
	v, err := item.Number(text)
	if err != nil {
		panic(err)
	}
	return v
}

func samplePlaceholders(t testing.TB) *Placeholders {
	t.Helper()
	p, err := NewPlaceholders(sampleNames(), sampleValues(), item.Older)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExpressions runs the cases in testdata. What they expect was compared with the answers of AWS's DynamoDB Local
// 3.3.1, where these do not differ from AWS's own: https://github.com/paritysuite/dynamodb-conformance.
func TestExpressions(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return answers(t, d.Cmd, strings.TrimSuffix(d.Input, "\n"))
		})
	})
}

// answers are those of each line of input.
func answers(t *testing.T, cmd, input string) string {
	var b strings.Builder
	for line := range strings.Lines(input) {
		out, err := answer(cmd, strings.TrimSuffix(line, "\n"), samplePlaceholders(t))
		if err != nil {
			out = message(err)
		}
		fmt.Fprintln(&b, out)
	}
	return b.String()
}

func answer(cmd, text string, p *Placeholders) (string, error) {
	switch cmd {
	case "condition":
		c, err := ParseCondition("ConditionExpression", text, p)
		if err != nil {
			return "", err
		}
		return strconv.FormatBool(c.Holds(sample())), nil
	case "update":
		u, err := ParseUpdate(text, p)
		if err != nil {
			return "", err
		}
		after, err := u.Apply(sample())
		return difference(sample(), after), err
	case "projection":
		c, err := ParseProjection(text, p)
		if err != nil {
			return "", err
		}
		return show(item.Map(c.Of(sample()))), nil
	case "key":
		return selected(text, p)
	}
	return "", fmt.Errorf("no command %s", cmd)
}

func selected(text string, p *Placeholders) (string, error) {
	k, err := ParseKeyCondition(text, p)
	if err != nil {
		return "", err
	}
	r, err := k.Match(Key{"p", item.S}, Key{"r", item.N})
	if err != nil {
		return "", err
	}
	return showRange(r), nil
}

func showRange(r KeyRange) string {
	out := show(r.Hash)
	if r.Limited {
		out += " " + [...]string{"=", "<", "<=", ">", ">=", "between", "begins_with"}[r.Comparison] + " " + show(item.List(r.Values...))
	}
	return out
}

// difference shows the attributes that are others in the item after.
func difference(before, after item.Item) string {
	changed := item.Item{}
	for name, v := range after {
		if old, ok := before[name]; !ok || !old.Equal(v) {
			changed[name] = v
		}
	}
	out := show(item.Map(changed))
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[name]; !ok {
			out += " -" + name
		}
	}
	return out
}

// show writes a value much as Python's boto3 does.
func show(v item.Value) string {
	switch v.Kind {
	case item.S:
		return "'" + v.Text + "'"
	case item.N:
		return v.Text
	case item.B:
		return "b'" + base64.StdEncoding.EncodeToString([]byte(v.Text)) + "'"
	case 0, item.NULL:
		return "None"
	case item.BOOL:
		return strconv.FormatBool(v.Bool)
	case item.M:
		return "{" + joinShown(slices.Sorted(maps.Keys(v.Map)), func(k string) string { return k + ": " + show(v.Map[k]) }) + "}"
	case item.L:
		return "[" + joinShown(v.List, show) + "]"
	}
	return "{" + joinShown(v.Set, func(e string) string { return show(item.Value{Kind: v.Kind.Element(), Text: e}) }) + "}"
}

func joinShown[T any](all []T, one func(T) string) string {
	texts := make([]string, len(all))
	for i, v := range all {
		texts[i] = one(v)
	}
	return strings.Join(texts, ", ")
}

func TestLimits(t *testing.T) {
	many := func(n int, part, between string) string {
		return strings.Repeat(part+between, n-1) + part
	}
	for name, c := range map[string]struct{ cmd, text, want string }{
		"empty condition":   {"condition", "", "Invalid ConditionExpression: The expression can not be empty;"},
		"empty update":      {"update", "", "Invalid UpdateExpression: The expression can not be empty;"},
		"empty projection":  {"projection", "", "Invalid ProjectionExpression: The expression can not be empty;"},
		"empty key":         {"key", "", "Invalid KeyConditionExpression: The expression can not be empty;"},
		"space":             {"condition", " ", "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \" \""},
		"space at the end":  {"update", "set a = ", "Invalid UpdateExpression: Syntax error; token: \"<EOF>\", near: \"= \""},
		"space before":      {"condition", "  = :n", "Invalid ConditionExpression: Syntax error; token: \"=\", near: \"  = :n\""},
		"other space":       {"condition", "\tn\n=\r:five", "true"},
		"4096 bytes":        {"condition", "n = :five" + strings.Repeat(" ", 4087), "true"},
		"4097 bytes":        {"condition", "n = :five" + strings.Repeat(" ", 4088), "Invalid ConditionExpression: Expression size has exceeded the maximum allowed size; expression size: 4097"},
		"299 operators":     {"condition", many(150, "n=:n", " or "), "false"},
		"301 operators":     {"condition", many(151, "n=:n", " or "), "Invalid ConditionExpression: The expression contains too many operators; operator count: 301"},
		"400 NOTs":          {"condition", strings.Repeat("not ", 400) + "n=:n", "Invalid ConditionExpression: The expression contains too many operators; operator count: 301"},
		"operators last":    {"condition", many(160, "n=:n", " or ") + " or n = :zz", "Invalid ConditionExpression: An expression attribute value used in expression is not defined; attribute value: :zz"},
		"301 sums":          {"update", "set " + many(301, "a=:n+:n", ","), "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a]"},
		"100 in a list":     {"condition", "n in (" + many(100, ":five", ",") + ")", "true"},
		"101 in a list":     {"condition", "n in (" + many(101, ":five", ",") + ")", "Invalid ConditionExpression: The IN operator is provided with too many operands; number of operands: 101"},
		"a path of 32":      {"condition", many(32, "a", ".") + "=:n", "false"},
		"a path of 33":      {"condition", many(33, "a", ".") + "=:n", "Invalid ConditionExpression: The document path has too many nesting levels; nesting levels: 33"},
		"many parentheses":  {"condition", strings.Repeat("(", 4000) + "n", "Invalid ConditionExpression: Syntax error; token: \"<EOF>\", near: \"n\""},
		"no UTF-8":          {"condition", "n = \xff", "Invalid ConditionExpression: Syntax error; token: \"\xff\", near: \"= \xff\""},
		"beyond the list":   {"condition", "l[2147483648] = :n", "Invalid ConditionExpression: List index is not within the allowable range; index: [2147483648]"},
		"overflow":          {"update", "set n = :max + :max", "Number overflow. Attempting to store a number with magnitude larger than supported range"},
		"too exact":         {"update", "add n :tiny", "Attempting to store more than 38 significant digits in a Number"},
		"in depth":          {"update", "set m.y.z = :map", "{m: {x: 1, y: {z: {a: 1}}}}"},
		"sum on the way":    {"update", "set a = :n + :five, n = n - :n", "{a: 6, n: 4}"},
		"difference of two": {"update", "set a = :n-:five", "{a: -4}"},
	} {
		got, err := answer(c.cmd, c.text, samplePlaceholders(t))
		if err != nil {
			got = message(err)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestUpdateMakesNoItemTooDeep(t *testing.T) {
	deep := item.Map(item.Item{})
	for range 30 {
		deep = item.Map(item.Item{"m": deep})
	}
	p, err := NewPlaceholders(nil, map[string]api.AttributeValue{":deep": deep.API()}, item.Older)
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseUpdate("SET m.x = :deep", p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = u.Apply(item.Item{"m": item.Map(item.Item{})}); err != nil {
		t.Errorf("32 levels: %v", err)
	}
	if _, err = u.Apply(item.Item{"m": deep}); err != nil {
		t.Errorf("32 levels, of which some were there: %v", err)
	}
	u, err = ParseUpdate("SET m.m.x = :deep", p)
	if err != nil {
		t.Fatal(err)
	}
	_, err = u.Apply(item.Item{"m": deep})
	if err == nil || !strings.Contains(err.Error(), "Nesting Levels have exceeded supported limits") {
		t.Errorf("33 levels: %v", err)
	}
}

func TestPlaceholders(t *testing.T) {
	str := func(s string) api.AttributeValue { return api.AttributeValue{S: &s} }
	for name, c := range map[string]struct {
		names  map[string]string
		values map[string]api.AttributeValue
		want   string
	}{
		"none":            {nil, nil, ""},
		"no names":        {map[string]string{}, nil, "ExpressionAttributeNames must not be empty"},
		"no values":       {nil, map[string]api.AttributeValue{}, "ExpressionAttributeValues must not be empty"},
		"bad name":        {map[string]string{"a": "x"}, nil, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\""},
		"bare sign":       {map[string]string{"#": "x"}, nil, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#\""},
		"strange name":    {map[string]string{"#a-b": "x"}, nil, "ExpressionAttributeNames contains invalid key: Syntax error; key: \"#a-b\""},
		"empty name":      {map[string]string{"#a": ""}, nil, "ExpressionAttributeNames contains invalid value: Empty attribute name for key #a"},
		"bad value key":   {nil, map[string]api.AttributeValue{"a": str("x")}, "ExpressionAttributeValues contains invalid key: Syntax error; key: \"a\""},
		"bad value":       {nil, map[string]api.AttributeValue{":b": {N: new("x")}, ":a": {}}, "ExpressionAttributeValues contains invalid value: Supplied AttributeValue is empty, must contain exactly one of the supported datatypes for key :a"},
		"unused name":     {map[string]string{"#a": "x", "#n": "n"}, nil, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a, #n}"},
		"unused value":    {nil, map[string]api.AttributeValue{":a": str("x")}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}"},
		"names are first": {map[string]string{"#a": "x"}, map[string]api.AttributeValue{":a": str("x")}, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#a}"},
	} {
		p, err := NewPlaceholders(c.names, c.values, item.Older)
		if err == nil {
			err = p.Unused()
		}
		got := ""
		if err != nil {
			got = message(err)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestPlaceholdersAreUsedAcrossExpressions(t *testing.T) {
	p, err := NewPlaceholders(map[string]string{"#a": "a", "#b": "b"}, map[string]api.AttributeValue{":v": {N: new("1")}}, item.Older)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseUpdate("SET #a = :v", p); err != nil {
		t.Fatal(err)
	}
	if err := p.Unused(); err == nil || !strings.Contains(err.Error(), "keys: {#b}") {
		t.Errorf("after one expression: %v", err)
	}
	if _, err := ParseCondition("ConditionExpression", "#b = :v", p); err != nil {
		t.Fatal(err)
	}
	if err := p.Unused(); err != nil {
		t.Errorf("after both: %v", err)
	}
}

func TestCheckParameters(t *testing.T) {
	names, values := map[string]string{"#a": "a"}, map[string]api.AttributeValue{":a": {N: new("1")}}
	update, condition := Parameter{"UpdateExpression", true}, Parameter{"ConditionExpression", false}
	none := Parameter{"UpdateExpression", false}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"expressions": {CheckParameters([]Parameter{update, condition}, []Parameter{{"Expected", false}}, names, values, false), ""},
		"both": {CheckParameters([]Parameter{update, condition}, []Parameter{{"Expected", true}, {"ConditionalOperator", true}}, nil, nil, false),
			"Can not use both expression and non-expression parameters in the same request: Non-expression parameters: {Expected, ConditionalOperator} Expression parameters: {UpdateExpression}"},
		"names alone":      {CheckParameters([]Parameter{none, condition}, nil, names, nil, false), "ExpressionAttributeNames can only be specified when using expressions"},
		"values alone":     {CheckParameters([]Parameter{none, condition}, nil, nil, values, false), "ExpressionAttributeValues can only be specified when using expressions: UpdateExpression and ConditionExpression are null"},
		"values, one only": {CheckParameters([]Parameter{{"ProjectionExpression", true}, {"FilterExpression", false}}, nil, nil, values, false), "ExpressionAttributeValues can only be specified when using expressions: FilterExpression is null"},
		"values, briefly":  {CheckParameters([]Parameter{condition}, nil, nil, values, true), "ExpressionAttributeValues can only be specified when using expressions"},
	} {
		got := ""
		if c.err != nil {
			got = message(c.err)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestTouchedIsWhatUpdatedOldAndNewReturn(t *testing.T) {
	for text, want := range map[string][2]string{
		"SET n = n + :n":           {"{n: 5}", "{n: 6}"},
		"SET m.y.z = :n":           {"{m: {y: {z: 2}}}", "{m: {y: {z: 1}}}"},
		"SET l[1] = :m, l[0] = :m": {"{l: [1, 2]}", "{l: [7, 7]}"},
		"SET q = :n":               {"{}", "{q: 1}"},
		"REMOVE n":                 {"{n: 5}", "{}"},
		"DELETE ss :ss":            {"{ss: {'a', 'b'}}", "{ss: {'b'}}"},
	} {
		u, err := ParseUpdate(text, samplePlaceholders(t))
		if err != nil {
			t.Fatal(err)
		}
		before := sample()
		after, err := u.Apply(before)
		if err != nil {
			t.Fatal(err)
		}
		if !before.Equal(sample()) {
			t.Errorf("%s changed the item before", text)
		}
		got := [2]string{show(item.Map(u.Touched().Of(before))), show(item.Map(u.Touched().Of(after)))}
		if got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestKeysInPaths(t *testing.T) {
	condition := func(text string) *Condition {
		c, err := ParseCondition("FilterExpression", text, samplePlaceholders(t))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	update := func(text string) *Update {
		u, err := ParseUpdate(text, samplePlaceholders(t))
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	var none *Condition
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no filter":       {none.CheckFilter("Filter Expression", "p"), ""},
		"filter":          {condition("n = :n").CheckFilter("Filter Expression", "p", "r"), ""},
		"filter on a key": {condition("n = :n or size(r) = :n").CheckFilter("Filter Expression", "p", "r"), "Filter Expression can only contain non-primary key attributes: Primary key attribute: r"},
		"filter in a key": {condition("p.a = :n").CheckFilter("Filter Expression", "p"), "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: Key: p"},
		"update":          {update("set n = p").CheckUpdate("p"), ""},
		"update of a key": {update("set n = p remove p.a").CheckUpdate("p"), "One or more parameter values were invalid: Cannot update attribute p. This attribute is part of the key"},
	} {
		got := ""
		if c.err != nil {
			got = message(c.err)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestErrorsAreAWSs(t *testing.T) {
	_, err := ParseUpdate("x", samplePlaceholders(t))
	e, ok := err.(*awsapi.Error)
	if !ok || e.Type != awsapi.ValidationException {
		t.Errorf("got %#v", err)
	}
}

func TestReservedWords(t *testing.T) {
	if len(reservedWords) != 573 {
		t.Errorf("%d words", len(reservedWords))
	}
	for word := range reservedWords {
		if !isReserved(word) {
			t.Errorf("%s is reserved", word)
		}
	}
	for _, word := range []string{"ABORT", "name", "Zone"} {
		if !isReserved(word) {
			t.Errorf("%s is reserved", word)
		}
	}
	if isReserved("abortion") {
		t.Error("abortion is not reserved")
	}
}
