package expression

import (
	"strings"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

func apiValues(values ...item.Value) []api.AttributeValue {
	list := make([]api.AttributeValue, len(values))
	for i, v := range values {
		list[i] = v.API()
	}
	return list
}

func expectation1(operator string, values ...item.Value) api.ExpectedAttributeValue {
	return api.ExpectedAttributeValue{ComparisonOperator: &operator, AttributeValueList: apiValues(values...)}
}

const refusedPrefix = "One or more parameter values were invalid: "

// The words are dynalite's, whose tests were run against AWS, and DynamoDB Local's where those know none:
// https://github.com/architect/dynalite/blob/main/validations/index.js
func TestExpected(t *testing.T) {
	n, s := item.Int(5), item.String("str")
	value := func(v item.Value) *api.AttributeValue { return new(v.API()) }
	for name, c := range map[string]struct {
		attribute string
		expected  api.ExpectedAttributeValue
		want      string
	}{
		"equal":                 {"n", expectation1("EQ", n), "true"},
		"equal, by Value":       {"n", api.ExpectedAttributeValue{ComparisonOperator: new("EQ"), Value: value(n)}, "true"},
		"equal, missing":        {"z", expectation1("EQ", n), "false"},
		"equal maps":            {"m", expectation1("EQ", item.Map(sample()["m"].Map)), "true"},
		"not equal":             {"n", expectation1("NE", n), "false"},
		"not equal, other type": {"s", expectation1("NE", n), "true"},
		"not equal, missing":    {"z", expectation1("NE", n), "true"},
		"less or equal":         {"n", expectation1("LE", n), "true"},
		"less":                  {"n", expectation1("LT", n), "false"},
		"greater or equal":      {"n", expectation1("GE", n), "true"},
		"greater":               {"n", expectation1("GT", item.Int(4)), "true"},
		"less than a set":       {"n", expectation1("LT", item.Set(item.SS, "a")), refusedPrefix + "ComparisonOperator LT is not valid for SS AttributeValue type"},
		"contains":              {"s", expectation1("CONTAINS", item.String("t")), "true"},
		"contains element":      {"ss", expectation1("CONTAINS", item.String("a")), "true"},
		"contains list element": {"l", expectation1("CONTAINS", item.Int(1)), "true"},
		"contains a set":        {"ss", expectation1("CONTAINS", item.Set(item.SS, "a")), refusedPrefix + "ComparisonOperator CONTAINS is not valid for SS AttributeValue type"},
		"contains a truth":      {"l", expectation1("CONTAINS", item.Boolean(true)), "false"},
		"not contains":          {"ss", expectation1("NOT_CONTAINS", item.String("z")), "true"},
		"not contains, missing": {"z", expectation1("NOT_CONTAINS", item.String("z")), "false"},
		"begins with":           {"s", expectation1("BEGINS_WITH", item.String("s")), "true"},
		"begins with a number":  {"n", expectation1("BEGINS_WITH", n), refusedPrefix + "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"},
		"in":                    {"n", expectation1("IN", item.Int(4), n), "true"},
		"in, of two types":      {"n", expectation1("IN", s, n), refusedPrefix + "AttributeValues inside AttributeValueList must be of same type"},
		"in lists":              {"n", expectation1("IN", item.List(n)), refusedPrefix + "ComparisonOperator IN is not valid for L AttributeValue type"},
		"between":               {"n", expectation1("BETWEEN", item.Int(1), n), "true"},
		"between, turned":       {"n", expectation1("BETWEEN", n, item.Int(1)), "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"},
		"between one":           {"n", expectation1("BETWEEN", n), refusedPrefix + "Invalid number of argument(s) for the BETWEEN ComparisonOperator"},
		"null":                  {"z", api.ExpectedAttributeValue{ComparisonOperator: new("NULL")}, "true"},
		"null, of a NULL":       {"nul", expectation1("NULL"), "false"},
		"null with a value":     {"z", expectation1("NULL", n), refusedPrefix + "Invalid number of argument(s) for the NULL ComparisonOperator"},
		"not null":              {"nul", expectation1("NOT_NULL"), "true"},
		"no list":               {"n", api.ExpectedAttributeValue{ComparisonOperator: new("EQ")}, refusedPrefix + "Value or AttributeValueList must be used with ComparisonOperator: EQ for Attribute: n"},
		"empty list":            {"n", expectation1("EQ"), refusedPrefix + "Invalid number of argument(s) for the EQ ComparisonOperator"},
		"two values":            {"n", expectation1("EQ", n, n), refusedPrefix + "Invalid number of argument(s) for the EQ ComparisonOperator"},
		"bad value":             {"n", api.ExpectedAttributeValue{ComparisonOperator: new("EQ"), Value: &api.AttributeValue{N: new("x")}}, "The parameter cannot be converted to a numeric value: x"},
		"no name":               {"", expectation1("EQ", n), "Empty attribute name"},
		"value":                 {"n", api.ExpectedAttributeValue{Value: value(n)}, "true"},
		"another value":         {"n", api.ExpectedAttributeValue{Value: value(s)}, "false"},
		"value that exists":     {"n", api.ExpectedAttributeValue{Value: value(n), Exists: new(true)}, "true"},
		"exists not":            {"z", api.ExpectedAttributeValue{Exists: new(false)}, "true"},
		"exists":                {"n", api.ExpectedAttributeValue{Exists: new(true)}, refusedPrefix + "Value must be provided when Exists is true for Attribute: n"},
		"nothing":               {"n", api.ExpectedAttributeValue{}, refusedPrefix + "Value must be provided when Exists is null for Attribute: n"},
		"no value":              {"n", api.ExpectedAttributeValue{Exists: new(false), Value: value(n)}, refusedPrefix + "Value cannot be used when Exists is false for Attribute: n"},
		"exists and operator":   {"n", api.ExpectedAttributeValue{Exists: new(true), ComparisonOperator: new("EQ"), Value: value(n)}, refusedPrefix + "Exists and ComparisonOperator cannot be used together for Attribute: n"},
		"list alone":            {"n", api.ExpectedAttributeValue{AttributeValueList: apiValues(n)}, refusedPrefix + "AttributeValueList can only be used with a ComparisonOperator for Attribute: n"},
		"list and value":        {"n", api.ExpectedAttributeValue{AttributeValueList: apiValues(n), Value: value(n)}, refusedPrefix + "Value and AttributeValueList cannot be used together for Attribute: n"},
	} {
		condition, err := Expected(map[string]api.ExpectedAttributeValue{c.attribute: c.expected}, nil)
		if got := verdict(condition, err); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

// verdict is whether the condition holds of the sample, or its error.
func verdict(c *Condition, err error) string {
	switch {
	case err != nil:
		return message(err)
	case c.Holds(sample()):
		return "true"
	}
	return "false"
}

func TestConditionalOperator(t *testing.T) {
	good, bad := api.Condition{ComparisonOperator: new("EQ"), AttributeValueList: apiValues(item.Int(5))},
		api.Condition{ComparisonOperator: new("EQ"), AttributeValueList: apiValues(item.Int(6))}
	both, one := map[string]api.Condition{"n": good, "s": bad}, map[string]api.Condition{"n": good}
	for name, c := range map[string]struct {
		conditions map[string]api.Condition
		operator   *string
		want       string
	}{
		"none":         {nil, nil, "true"},
		"one":          {one, nil, "true"},
		"both":         {both, nil, "false"},
		"both, AND":    {both, new("AND"), "false"},
		"either":       {both, new("OR"), "true"},
		"one, AND":     {one, new("AND"), "ConditionalOperator can only be used when Filter or Expected has two or more elements"},
		"none, OR":     {nil, new("OR"), "ConditionalOperator cannot be used without Filter or Expected"},
		"no attribute": {map[string]api.Condition{}, nil, "true"},
	} {
		condition, err := Filter(c.conditions, c.operator)
		if got := verdict(condition, err); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestKeyConditions(t *testing.T) {
	condition := func(operator string, values ...item.Value) api.Condition {
		return api.Condition{ComparisonOperator: &operator, AttributeValueList: apiValues(values...)}
	}
	s, n := item.String("str"), item.Int(5)
	isS := condition("EQ", s)
	for name, c := range map[string]struct {
		conditions map[string]api.Condition
		want       string
	}{
		"hash":            {map[string]api.Condition{"p": isS}, "'str'"},
		"both":            {map[string]api.Condition{"p": isS, "r": condition("GE", n)}, "'str' >= [5]"},
		"between":         {map[string]api.Condition{"p": isS, "r": condition("BETWEEN", n, item.Int(6))}, "'str' between [5, 6]"},
		"none":            {nil, "Conditions can be of length 1 or 2 only"},
		"three":           {map[string]api.Condition{"p": isS, "r": condition("EQ", n), "q": isS}, "Conditions can be of length 1 or 2 only"},
		"sort alone":      {map[string]api.Condition{"r": condition("EQ", n)}, "Query condition missed key schema element: p"},
		"no such key":     {map[string]api.Condition{"p": isS, "q": isS}, "Query condition missed key schema element: r"},
		"hash in a range": {map[string]api.Condition{"p": condition("LT", s)}, "Query key condition not supported"},
		"not indexable":   {map[string]api.Condition{"p": isS, "r": condition("NE", n)}, "Attempted conditional constraint is not an indexable operation"},
		"no operand":      {map[string]api.Condition{"p": isS, "r": condition("NULL")}, "Attempted conditional constraint is not an indexable operation"},
		"other type":      {map[string]api.Condition{"p": isS, "r": condition("EQ", s)}, refusedPrefix + "Condition parameter type does not match schema type"},
		"empty key":       {map[string]api.Condition{"p": condition("EQ", item.String(""))}, "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: p"},
	} {
		k, err := KeyConditions(c.conditions)
		var r KeyRange
		if err == nil {
			r, err = k.Match(Key{"p", item.S}, Key{"r", item.N})
		}
		got := showRange(r)
		if err != nil {
			got = message(err)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}

func TestKeyConditionOnAHashKeyAlone(t *testing.T) {
	k, err := ParseKeyCondition("p = :s and r = :n", samplePlaceholders(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Match(Key{"p", item.S}, Key{}); err == nil || !strings.Contains(err.Error(), "Query key condition not supported") {
		t.Errorf("got %v", err)
	}
}

func TestKeyRange(t *testing.T) {
	for text, want := range map[string]string{
		"p = :s":                            "1 5 7 9",
		"p = :s and r = :five":              "5",
		"p = :s and r < :five":              "1",
		"p = :s and r <= :five":             "1 5",
		"p = :s and r > :five":              "7 9",
		"p = :s and :five <= r":             "5 7 9",
		"p = :s and r between :five and :m": "5 7",
	} {
		k, err := ParseKeyCondition(text, samplePlaceholders(t))
		if err != nil {
			t.Fatal(err)
		}
		r, err := k.Match(Key{"p", item.S}, Key{"r", item.N})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range []int64{1, 5, 7, 9} {
			if v := item.Int(n); r.Holds(v) {
				got = append(got, v.Text)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, want %s", text, got, want)
		}
	}
	r := KeyRange{Limited: true, Comparison: BeginsWith, Values: []item.Value{item.String("ab")}}
	if !r.Holds(item.String("abc")) || r.Holds(item.String("a")) || r.Holds(item.Int(1)) {
		t.Error("begins_with")
	}
}

func TestAttributeUpdates(t *testing.T) {
	update := func(action string, values ...item.Value) api.AttributeValueUpdate {
		u := api.AttributeValueUpdate{}
		if action != "" {
			u.Action = &action
		}
		if len(values) > 0 {
			u.Value = new(values[0].API())
		}
		return u
	}
	for name, c := range map[string]struct {
		attribute string
		update    api.AttributeValueUpdate
		want      string
	}{
		"put":                {"n", update("PUT", item.String("x")), "{n: 'x'}"},
		"put is usual":       {"n", update("", item.String("x")), "{n: 'x'}"},
		"put nothing":        {"n", update("PUT"), refusedPrefix + "Only DELETE action is allowed when no attribute value is specified"},
		"add":                {"n", update("ADD", item.Int(1)), "{n: 6}"},
		"add to nothing":     {"z", update("ADD", item.Int(1)), "{z: 1}"},
		"add to a set":       {"ss", update("ADD", item.Set(item.SS, "z")), "{ss: {'a', 'b', 'z'}}"},
		"add to a list":      {"l", update("ADD", item.List(item.Int(9))), "{l: [1, 2, 3, 'x', [1], {a: 1}, 9]}"},
		"add text":           {"n", update("ADD", item.String("x")), refusedPrefix + "ADD action is not supported for the type STRING"},
		"add a truth":        {"n", update("ADD", item.Boolean(true)), refusedPrefix + "ADD action is not supported for the type BOOLEAN"},
		"add to other type":  {"n", update("ADD", item.Set(item.NS, "1")), "Type mismatch for attribute to update"},
		"delete":             {"n", update("DELETE"), "{} -n"},
		"delete from a set":  {"ss", update("DELETE", item.Set(item.SS, "a")), "{ss: {'b'}}"},
		"delete all":         {"ss", update("DELETE", item.Set(item.SS, "a", "b")), "{} -ss"},
		"delete a number":    {"n", update("DELETE", item.Int(1)), refusedPrefix + "DELETE action with value is not supported for the type NUMBER"},
		"delete other type":  {"n", update("DELETE", item.Set(item.SS, "a")), "Type mismatch for attribute to update"},
		"delete of nothing":  {"z", update("DELETE", item.Set(item.SS, "a")), "{}"},
		"delete bad numbers": {"ns", api.AttributeValueUpdate{Action: new("DELETE"), Value: &api.AttributeValue{NS: []string{"x"}}}, "The parameter cannot be converted to a numeric value: x"},
	} {
		u, err := AttributeUpdates(map[string]api.AttributeValueUpdate{c.attribute: c.update})
		var after item.Item
		if err == nil {
			after, err = u.Apply(sample())
		}
		got := ""
		if err != nil {
			got = message(err)
		} else {
			got = difference(sample(), after)
		}
		if got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	u, err := AttributeUpdates(nil)
	if err != nil {
		t.Fatal(err)
	}
	if after, err := u.Apply(item.Item{"p": item.Int(1)}); err != nil || len(after) != 1 {
		t.Errorf("no updates: %v, %v", after, err)
	}
}

func TestAttributesToGet(t *testing.T) {
	p, err := AttributesToGet([]string{"s", "n", "z", "m.x"})
	if err != nil {
		t.Fatal(err)
	}
	if got := show(item.Map(p.Of(sample()))); got != "{n: 5, s: 'str'}" {
		t.Errorf("got %s", got)
	}
	if _, err := AttributesToGet([]string{""}); err == nil || !strings.Contains(err.Error(), "Empty attribute name") {
		t.Errorf("no name: %v", err)
	}
	if _, err := AttributesToGet([]string{"s", "s"}); err == nil || !strings.Contains(err.Error(), "Duplicate value in attribute name: s") {
		t.Errorf("the same twice: %v", err)
	}
}
