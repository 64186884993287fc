package filter

import (
	"fmt"
	"strings"
	"testing"
)

// TestRefusals has what AWS answers to malformed policies, recorded in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns_filter_policy.snapshot.json
func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		policy  string
		message string
		column  int // 0 for none
	}{
		{`{"key":[["value"]]}`, "FilterPolicy: Match value must be String, number, true, false, or null", 10},
		{`{"key":[{"wrong-operator":true}]}`, "FilterPolicy: Unrecognized match type wrong-operator", 31},
		{`{"key":[{"suffix":"value","prefix":"value2"}]}`, "FilterPolicy: Only one key allowed in match expression", 37},
		{`{"key":[{"suffix":100}]}`, "FilterPolicy: suffix match pattern must be a string", 22},
		{`{"key":[{"suffix":null}]}`, "FilterPolicy: suffix match pattern must be a string", 23},
		{`{"key":{"suffix":"value"}}`, `FilterPolicy: "suffix" must be an object or an array`, 19},
		{`{"key":[{"suffix":[]}]}`, "FilterPolicy: suffix match pattern must be a string", 20},
		{`{"key":[{"suffix":["test","test2"]}]}`, "FilterPolicy: suffix match pattern must be a string", 20},
		{`{"key":{"suffix":"value","prefix":"value"}}`, `FilterPolicy: "suffix" must be an object or an array`, 19},
		{`{"key":{"not-an-operator":"value"}}`, `FilterPolicy: "not-an-operator" must be an object or an array`, 28},
		{`{"key":[{"numeric":[]}]}`, "FilterPolicy: Invalid member in numeric match: ]", 22},
		{`{"key":[{"numeric":["operator"]}]}`, "FilterPolicy: Unrecognized numeric range operator: operator", 32},
		{`{"key":[{"numeric":[1,"<="]}]}`, "FilterPolicy: Invalid member in numeric match: 1", 22},
		{`{"key":[{"numeric":["=","000"]}]}`, "FilterPolicy: Value of equals must be numeric", 26},
		{`{"key":[{"numeric":[">="]}]}`, "FilterPolicy: Value of >= must be numeric", 26},
		{`{"key":[{"numeric":["<",100,">",10]}]}`, "FilterPolicy: Too many elements in numeric expression", 30},
		{`{"key":[{"numeric":[">=",1,">",2]}]}`, "FilterPolicy: Bad numeric range operator: >", 31},
		{`{"key":[{"numeric":[">",3,"<",1]}]}`, "FilterPolicy: Bottom must be less than top", 33},
		{`{"key":[{"numeric":[">",20,"<="]}]}`, "FilterPolicy: Value of <= must be numeric", 33},
		{`{"key":[{"numeric":[">",20,30]}]}`, "FilterPolicy: Bad value in numeric range: 30", 30},
		{`{"key":[{"numeric":[">",20,"test"]}]}`, "FilterPolicy: Bad numeric range operator: test", 34},
		{`{"key":[{"numeric":[">","20","<","30"]}]}`, "FilterPolicy: Value of > must be numeric", 26},
		{`{"key":[{"numeric":[">",20,"<","30"]}]}`, "FilterPolicy: Value of < must be numeric", 33},
		{`{"key":[{"numeric":[">",20,"<",30,"<",50]}]}`, "FilterPolicy: Too many terms in numeric range expression", 36},
		{`{"key":[{"exists":null}]}`, "FilterPolicy: exists match pattern must be either true or false.", 23},
		{`{"key":[{"exists":"no"}]}`, "FilterPolicy: exists match pattern must be either true or false.", 20},
		{`{"key":[{"anything-but":{"wrong-operator":null}}]}`, "FilterPolicy: Unsupported anything-but pattern: wrong-operator", 47},
		{`{"key":[{"anything-but":{"suffix":"test"}}]}`, "FilterPolicy: Unsupported anything-but pattern: suffix", 36},
		{`{"key":[{"anything-but":{"exists":false}}]}`, "FilterPolicy: Unsupported anything-but pattern: exists", 40},
		{`{"key":[{"anything-but":{"prefix":false}}]}`, "FilterPolicy: prefix match pattern must be a string", 40},
		{`{"key_a":"value_one"}`, `FilterPolicy: "key_a" must be an object or an array`, 11},
		{`{invalid}`, "FilterPolicy: failed to parse JSON. Unexpected character ('i' (code 105)): was expecting double-quote to start field name", 2},
		{`invalid`, "FilterPolicy: failed to parse JSON. Unrecognized token 'invalid': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", 8},
		{`{"k":[`, "FilterPolicy: failed to parse JSON. Unexpected end-of-input", 7},
		{`[]`, "FilterPolicy: Filter is not an object", 2},
		{`{"k":[]}`, "FilterPolicy: Empty arrays are not allowed", 8},
		{`{"k":[{"cidr":"10.0.0.0"}]}`, "FilterPolicy: Malformed CIDR, one '/' required", 25},
		{`{"k":[{"cidr":"10.0.0.0/x"}]}`, "FilterPolicy: Malformed CIDR, mask bits must be an integer", 27},
		{`{"k":[{"cidr":"10.0.0/8"}]}`, "FilterPolicy: Nonstandard IP address: 10.0.0", 25},
		{`{"k":[{"cidr":8}]}`, "FilterPolicy: prefix match pattern must be a string", 16},
		{keys(6, 1), "FilterPolicy: Filter policy can not have more than 5 keys", 0},
		{keys(1, 151), "FilterPolicy: Filter policy is too complex", 0},
		{keys(2, 13), "FilterPolicy: Filter policy is too complex", 0},
	} {
		want := c.message
		if c.column > 0 {
			want += fmt.Sprintf("\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: %d]", c.column)
		}
		if _, err := Compile(c.policy, ScopeBody); err == nil || err.Error() != want {
			t.Errorf("%s:\n%v, not\n%s", c.policy, err, want)
		}
	}
	if _, err := Compile(`{"a":{"b":["c"]}}`, ScopeAttributes); err != errNested {
		t.Error(err)
	}
}

// keys is a policy of so many keys with so many values each.
func keys(n, values int) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf(`"k%d":["v"%s]`, i, strings.Repeat(`,"w"`, values-1)))
	}
	return "{" + strings.Join(list, ",") + "}"
}

// TestComplexity counts as the documentation does, and with $or as AWS was seen to.
// https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
func TestComplexity(t *testing.T) {
	for policy, fits := range map[string]bool{
		`{"a":{"b":{"c":["1","2","3","4"]}},"d":{"e":["1","2","3"]}}`:                   true, // 72
		`{"a":{"b":{"c":["1","2","3","4"]}},"d":{"e":["1","2","3"]},"f":["1","2","3"]}`: false,
		keys(1, 150): true,
		`{"$or":[` + keys(1, 75) + `,` + keys(1, 75) + `]}`:               true,
		`{"$or":[` + keys(1, 75) + `,` + keys(1, 76) + `]}`:               false,
		`{"k":["1","2"],"$or":[` + keys(1, 30) + `,` + keys(1, 46) + `]}`: false,
	} {
		if _, err := Compile(policy, ScopeBody); (err == nil) != fits {
			t.Errorf("%s: %v", policy, err)
		}
	}
}

// FuzzCompile compiles any text: an error, or a policy that can be matched.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":["b",1,true,null]}`, `{"a":{"b.c":[{"prefix":"x"}]}}`, `{"$or":[{"a":["b"]},{"c":[{"exists":false}]}]}`,
		`{"a":[{"anything-but":{"prefix":"x"}}]}`, `{"a":[{"anything-but":["x"]}]}`, `{"a":[{"numeric":[">",0,"<=",1e3]}]}`,
		`{"a":[{"cidr":"10.0.0.0/8"}]}`, `{"$or":[[`, `{"a"`, "{\"a\":\n[", `{"\ud800":[1]}`, `{"$or":[{"a":[1]},2]}`} {
		f.Add(seed, `{"a":"x","b":{"c":[1,{"d":null}]}}`)
	}
	f.Fuzz(func(t *testing.T, policy, body string) {
		for _, scope := range []string{ScopeAttributes, ScopeBody} {
			if p, err := Compile(policy, scope); err == nil {
				p.Match(Body(body))
			}
		}
	})
}
