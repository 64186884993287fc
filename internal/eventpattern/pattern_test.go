package eventpattern

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const instance = `{
  "version": "0", "id": "ddddd4-aaaa-7777-4444-345dd43cc333", "detail-type": "EC2 Instance State-change Notification",
  "source": "aws.ec2", "account": "012345679012", "time": "2017-10-02T16:24:49Z", "region": "us-east-1",
  "resources": ["arn:aws:ec2:us-east-1:123456789012:instance/i-000000aaaaaa00000", "b"],
  "detail": {"c-count": 5, "d-count": 3, "x-limit": 301.8, "source-ip": "10.0.0.33", "v6": "2001:db8:1234:1a00::1", "state": "running", "none": null,
    "yes": true, "empty": "", "file": "a/b/c.PNG", "path": "dir\\*x", "big": 123456789012345678, "list": [], "object": {}, "mixed": [1, "two", null],
    "dotted.name": {"x": "y"}}
}`

// TestMatch has the operators by what AWS documents of them.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"source": ["aws.ec2"]}`, true},
		{`{"source": ["aws.s3", "aws.ec2"]}`, true},
		{`{"source": ["aws.s3"]}`, false},
		{`{"source": ["AWS.ec2"]}`, false},
		{`{"Source": ["aws.ec2"]}`, false},
		{`{"source": ["aws.ec2"], "detail": {"state": ["stopped"]}}`, false},
		{`{"source": ["aws.ec2"], "detail": {"state": ["stopped", "running"]}}`, true},
		{`{"resources": ["b"]}`, true},
		{`{"resources": ["c"]}`, false},
		{`{"detail": ["aws.ec2"]}`, false},
		{`{"detail": {"none": [null]}}`, true},
		{`{"detail": {"none": ["null"]}}`, false},
		{`{"detail": {"missing": [null]}}`, false},
		{`{"detail": {"yes": [true]}}`, true},
		{`{"detail": {"yes": [false]}}`, false},
		{`{"detail": {"yes": ["true"]}}`, false},
		{`{"detail": {"empty": [""]}}`, true},
		{`{"detail": {"state": [""]}}`, false},
		{`{"detail": {"c-count": [5]}}`, true},
		{`{"detail": {"c-count": [5.0]}}`, true},
		{`{"detail": {"c-count": ["5"]}}`, false},
		{`{"detail": {"x-limit": [3.018e2]}}`, true},
		{`{"detail": {"big": [123456789012345678]}}`, true},
		{`{"detail": {"big": [123456789012345679]}}`, false},
		{`{"detail": {"mixed": ["two"]}}`, true},
		{`{"detail": {"mixed": [null]}}`, true},

		{`{"time": [{"prefix": "2017-10-02"}]}`, true},
		{`{"time": [{"prefix": "2018"}]}`, false},
		{`{"detail": {"c-count": [{"prefix": "5"}]}}`, false},
		{`{"detail": {"state": [{"prefix": ""}]}}`, true},
		{`{"source": [{"prefix": {"equals-ignore-case": "AWS"}}]}`, true},
		{`{"source": [{"prefix": {"equals-ignore-case": "AWX"}}]}`, false},
		{`{"detail": {"file": [{"suffix": ".PNG"}]}}`, true},
		{`{"detail": {"file": [{"suffix": ".png"}]}}`, false},
		{`{"detail": {"file": [{"suffix": {"equals-ignore-case": ".png"}}]}}`, true},
		{`{"source": [{"equals-ignore-case": "Aws.Ec2"}]}`, true},
		{`{"source": [{"equals-ignore-case": "aws"}]}`, false},
		{`{"source": [{"exactly": "aws.ec2"}]}`, true},

		{`{"detail": {"file": [{"wildcard": "a/*/c.PNG"}]}}`, true},
		{`{"detail": {"file": [{"wildcard": "a/*"}]}}`, true},
		{`{"detail": {"file": [{"wildcard": "*.PNG"}]}}`, true},
		{`{"detail": {"file": [{"wildcard": "*"}]}}`, true},
		{`{"detail": {"file": [{"wildcard": "a/b/c.PNG*"}]}}`, true},
		{`{"detail": {"file": [{"wildcard": "a/b/c"}]}}`, false},
		{`{"detail": {"file": [{"wildcard": "*/d*"}]}}`, false},
		{`{"detail": {"file": [{"wildcard": "a/b*b/c.PNG"}]}}`, false},
		{`{"detail": {"path": [{"wildcard": "dir\\\\\\*x"}]}}`, true},
		{`{"detail": {"path": [{"wildcard": "dir\\*x"}]}}`, false},
		{`{"detail": {"c-count": [{"wildcard": "*"}]}}`, false},

		{`{"detail": {"state": [{"anything-but": "stopped"}]}}`, true},
		{`{"detail": {"state": [{"anything-but": "running"}]}}`, false},
		{`{"detail": {"state": [{"anything-but": ["stopped", "running"]}]}}`, false},
		{`{"detail": {"none": [{"anything-but": ["stopped", "running"]}]}}`, true},
		{`{"detail": {"c-count": [{"anything-but": ["stopped"]}]}}`, true},
		{`{"detail": {"missing": [{"anything-but": ["stopped"]}]}}`, false},
		{`{"detail": {"x-limit": [{"anything-but": [100, 301.8]}]}}`, false},
		{`{"detail": {"x-limit": [{"anything-but": 100}]}}`, true},
		{`{"detail": {"state": [{"anything-but": {"prefix": "run"}}]}}`, false},
		{`{"detail": {"state": [{"anything-but": {"prefix": ["stop", "init"]}}]}}`, true},
		{`{"detail": {"c-count": [{"anything-but": {"prefix": ["stop"]}}]}}`, true},
		{`{"detail": {"state": [{"anything-but": {"suffix": "ing"}}]}}`, false},
		{`{"detail": {"state": [{"anything-but": {"suffix": ["ed"]}}]}}`, true},
		{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": "RUNNING"}}]}}`, false},
		{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["RUNNING", "x"]}}]}}`, false},
		{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": ["x"]}}]}}`, true},
		{`{"detail": {"file": [{"anything-but": {"wildcard": "a/*"}}]}}`, false},
		{`{"detail": {"file": [{"anything-but": {"wildcard": ["b/*", "*.txt"]}}]}}`, true},
		{`{"detail": {"file": [{"anything-but": {"wildcard": ""}}]}}`, true},
		{`{"resources": [{"anything-but": "b"}]}`, true}, // the other one

		{`{"detail": {"c-count": [{"numeric": [">", 0, "<=", 5]}], "d-count": [{"numeric": ["<", 10]}], "x-limit": [{"numeric": ["=", 3.018e2]}]}}`, true},
		{`{"detail": {"c-count": [{"numeric": [">", 0, "<", 5]}]}}`, false},
		{`{"detail": {"c-count": [{"numeric": [">=", 5]}]}}`, true},
		{`{"detail": {"c-count": [{"numeric": [">", 5]}]}}`, false},
		{`{"detail": {"c-count": [{"numeric": ["<=", 5]}]}}`, true},
		{`{"detail": {"state": [{"numeric": ["<=", 5]}]}}`, false},
		{`{"detail": {"none": [{"numeric": ["<=", 5]}]}}`, false},

		{`{"detail": {"source-ip": [{"cidr": "10.0.0.0/24"}]}}`, true},
		{`{"detail": {"source-ip": [{"cidr": "10.0.0.34/8"}]}}`, false}, // AWS counts from the address as it is written
		{`{"detail": {"source-ip": [{"cidr": "10.0.1.0/24"}]}}`, false},
		{`{"detail": {"v6": [{"cidr": "2001:db8:1234:1a00::/64"}]}}`, true},
		{`{"detail": {"v6": [{"cidr": "2001:db8:1234:1b00::/64"}]}}`, false},
		{`{"detail": {"v6": [{"cidr": "0.0.0.0/0"}]}}`, false},
		{`{"detail": {"v6": ["2001:0db8:1234:1a00:0000:0000:0000:0001"]}}`, true},
		{`{"detail": {"state": [{"cidr": "10.0.0.0/24"}]}}`, false},
		{`{"detail": {"c-count": [{"cidr": "0.0.0.0/0"}]}}`, false},

		{`{"detail": {"state": [{"exists": true}]}}`, true},
		{`{"detail": {"none": [{"exists": true}]}}`, true},
		{`{"detail": {"missing": [{"exists": true}]}}`, false},
		{`{"detail": {"missing": [{"exists": false}]}}`, true},
		{`{"detail": {"state": [{"exists": false}]}}`, false},
		{`{"detail": [{"exists": true}]}`, false}, // leaves alone exist
		{`{"detail": [{"exists": false}]}`, true},
		{`{"detail": {"list": [{"exists": true}]}}`, false},
		{`{"detail": {"list": [{"exists": false}]}}`, true},
		{`{"nothing": {"at": {"all": [{"anything-but": ["x"]}, {"exists": false}]}}}`, true},
		{`{"detail": {"state": ["stopped", {"exists": false}]}}`, false},

		{`{"source": ["aws.ec2"], "$or": [{"region": ["x"]}, {"detail": {"state": ["running"]}}]}`, true},
		{`{"source": ["aws.s3"], "$or": [{"region": ["x"]}, {"detail": {"state": ["running"]}}]}`, false},
		{`{"$or": [{"region": ["x"]}, {"detail": {"state": ["stopped"]}}], "source": ["aws.ec2"]}`, false},
		{`{"detail": {"$or": [{"c-count": [{"numeric": [">", 10]}]}, {"d-count": [{"numeric": ["<", 10]}]}]}}`, true},
		{`{"detail": {"$or": [{"c-count": [1], "$or": [{"state": ["running"]}, {"state": ["x"]}]}, {"c-count": [5], "state": ["running"]}]}}`, true},
		{`{"detail": {"$or": [{"c-count": [1], "$or": [{"state": ["running"]}, {"state": ["x"]}]}, {"c-count": [5], "state": ["x"]}]}}`, false},
		{`{"$or": ["x", "y"]}`, false}, // a member of that name
		{`{"$or": {"source": ["aws.ec2"]}}`, false},

		{`{"detail.state": ["running"]}`, true},
		{`{"detail": {"dotted": {"name": {"x": ["y"]}}}}`, true},
		{`{"detail": {"dotted.name": {"x": ["y"]}}}`, true},
		{`{"source": ["aws.s3"], "source": ["aws.ec2"]}`, true}, // the last counts
	} {
		p, err := Compile([]byte(c.pattern))
		if err != nil {
			t.Errorf("%s: %v", c.pattern, err)
			continue
		}
		if got := p.Match([]byte(instance)); got != c.want {
			t.Errorf("%s: %v", c.pattern, got)
		}
	}
}

// TestArrays holds a match to one element of each array.
// https://github.com/aws/event-ruler#json-array-matching
func TestArrays(t *testing.T) {
	const employees = `{"employees": [
		{"firstName": "John", "lastName": "Doe", "phones": [{"kind": "home", "number": "1"}, {"kind": "work", "number": "2"}]},
		{"firstName": "Anna", "lastName": "Smith", "phones": [{"kind": "home", "number": "3"}]},
		{"firstName": "Peter", "lastName": "Jones", "nickname": "Pete"}],
		"ids": [{"id": 1}, {"id": 2}], "nested": [[1, 2], [3]]}`
	for _, c := range []struct {
		pattern string
		want    bool
	}{
		{`{"employees": {"firstName": ["Anna"]}}`, true},
		{`{"employees": {"firstName": ["Anna"], "lastName": ["Smith"]}}`, true},
		{`{"employees": {"firstName": ["Anna"], "lastName": ["Jones"]}}`, false},
		{`{"employees": {"firstName": ["Anna", "Peter"], "lastName": ["Jones"]}}`, true},
		{`{"employees": {"firstName": ["Anna"]}, "ids": {"id": [2]}}`, true},
		{`{"employees": {"firstName": ["John"], "phones": {"kind": ["work"], "number": ["2"]}}}`, true},
		{`{"employees": {"firstName": ["John"], "phones": {"kind": ["home"], "number": ["2"]}}}`, false},
		{`{"employees": {"firstName": ["Anna"], "phones": {"kind": ["home"], "number": ["1"]}}}`, false},
		{`{"employees": {"lastName": ["Doe"], "phones": {"number": ["3"]}}}`, false},
		{`{"employees": {"firstName": ["Anna"], "nickname": [{"exists": false}]}}`, true},
		{`{"employees": {"firstName": ["Peter"], "nickname": [{"exists": false}]}}`, false},
		{`{"nested": [3]}`, true},
		{`{"nested": [4]}`, false},
	} {
		p, err := Compile([]byte(c.pattern))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match([]byte(employees)); got != c.want {
			t.Errorf("%s: %v", c.pattern, got)
		}
		var decoded any
		if err := json.Unmarshal([]byte(employees), &decoded); err != nil {
			t.Fatal(err)
		}
		if got := p.MatchValue(decoded); got != c.want {
			t.Errorf("%s, decoded: %v", c.pattern, got)
		}
	}
}

// TestManyArrays matches an event made to have as many ways to match as it can.
func TestManyArrays(t *testing.T) {
	var lists, pattern []string
	for i := range 6 {
		elements := make([]string, 1000)
		for j := range elements {
			elements[j] = fmt.Sprintf(`{"x": 1, "y": %d}`, j)
		}
		lists = append(lists, fmt.Sprintf(`"l%d": [%s]`, i, strings.Join(elements, ",")))
		pattern = append(pattern, fmt.Sprintf(`"l%d": {"x": [1], "y": [999]}`, i))
	}
	p, err := Compile([]byte("{" + strings.Join(pattern, ",") + "}"))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Match([]byte("{" + strings.Join(lists, ",") + "}")) {
		t.Error("no match")
	}
}

// TestRefused has AWS's answers to broken patterns, places included. Most were recorded from AWS:
// https://github.com/localstack/localstack/blob/master/tests/aws/services/events/test_events_patterns.snapshot.json
func TestRefused(t *testing.T) {
	at := func(pattern string, column int) string {
		return fmt.Sprintf("\n at [Source: (String)\"%s\"; line: 1, column: %d]", pattern, column)
	}
	for _, c := range []struct {
		pattern, reason string
		columns         []int
	}{
		{`{"int": 42}`, `"int" must be an object or an array`, []int{11}},
		{`{"string": "my-value"}`, `"string" must be an object or an array`, []int{13}},
		{`{"resources": []}`, `Empty arrays are not allowed`, []int{17}},
		{`{}`, `Empty objects are not allowed`, []int{3}},
		{`["not", "a", "dict", "but valid json"]`, `Filter is not an object`, []int{2}},
		{`this is valid json but not a dict`, `Unrecognized token 'this': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`, []int{5}},
		{`{'bad': 'quotation'}`, `Unexpected character (''' (code 39)): was expecting double-quote to start field name`, []int{2}},
		{`{"not": closed mark"`, `Unrecognized token 'closed': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')`, []int{15}},
		{`{"my_key": [{"EXISTS": true}]}`, `Unrecognized match type EXISTS`, []int{28}},
		{`{"detail": {"equal": [{"NUMERIC": ["=", 5]}]}}`, `Unrecognized match type NUMERIC`, []int{36}},
		{`{"detail": {"c-count": [{"numeric": [">", 0, ">", 0]}]}}`, `Bad numeric range operator: >`, []int{49}},
		{`{"detail": {"c-count": [{"numeric": [">", 0, "<"]}]}}`, `Value of < must be numeric`, []int{50}},
		{`{"detail-type": [{"equals-ignore-case": ["ec2 instance state-change notification"]}]}`, `equals-ignore-case match pattern must be a string`, []int{42}},
		{`{"detail-type": [{"equals-ignore-case": {"prefix": "ec2"}}]}`, `equals-ignore-case match pattern must be a string`, []int{42}},
		{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": 123}}]}}`, `Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.`, []int{66}},
		{`{"detail": {"state": [{"anything-but": {"equals-ignore-case": [123, 456]}}]}}`, `Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.`, []int{67, 67}},
		{`{"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]}`, `Consecutive wildcard characters at pos 26`, []int{72}},
		{`{"key": [{"wildcard": "abc**def"}]}`, `Consecutive wildcard characters at pos 4`, []int{33}},
		{`{"EventBusArn": [{"wildcard": 123}]}`, `wildcard match pattern must be a string`, []int{34}},
		{`{"detail": {"state": [{"anything-but": {"wildcard": [123, "*/dir/*"]}}]}}`, `wildcard match pattern must be a string`, []int{57, 57}},
		{`{"detail": {"FilePath": [{"anything-but": {"wildcard": 123}}]}}`, `wildcard match pattern must be a string`, []int{59}},
		{`{"EventBusArn": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}`, `Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character`, nil},
		{`{"detail": {"FileName": [{"anything-but": {"suffix": [123, ".txt"]}}]}}`, `prefix/suffix match pattern must be a string`, []int{58, 58}},
		{`{"detail": {"FileName": [{"anything-but": {"suffix": 123}}]}}`, `prefix/suffix match pattern must be a string`, []int{57}},
		{`{"detail": {"FileName": [{"anything-but": {"prefix": {"equals-ignore-case": "file"}}}]}}`, `Value of anything-but must be an array or single string/number value.`, []int{55}},
		{`{"time": [{"prefix": ["2022-07-13"]}]}`, `prefix match pattern must be a string`, []int{23}},
		{`{"time": [{"prefix": 123}]}`, `prefix match pattern must be a string`, []int{25}},
		{`{"FileName": [{"suffix": [".png"]}]}`, `suffix match pattern must be a string`, []int{27}},
		{`{"detail": {"sourceIPAddress": [{"cidr": ["bad-type"]}]}}`, `prefix match pattern must be a string`, []int{43}},
		{`{"ip": [{"cidr": "10.0.0.0"}]}`, `Malformed CIDR, one '/' required`, nil},
		{`{"ip": [{"cidr": "10.0.0.0/xx"}]}`, `Malformed CIDR, mask bits must be an integer`, nil},
		{`{"ip": [{"cidr": "xx.11.xx/8"}]}`, `Nonstandard IP address: xx.11.xx`, nil},
		{`{"ip": [{"cidr": "xxxx:db8:1234:1a00::/64"}]}`, `Nonstandard IP address: xxxx:db8:1234:1a00::`, nil},
		{`{"ip": [{"cidr": "10.0.0.0/32"}]}`, `IPv4 mask bits must be < 32`, nil},
	} {
		want := "Event pattern is not valid. Reason: " + c.reason
		for _, column := range c.columns {
			want += at(c.pattern, column)
		}
		_, err := Compile([]byte(c.pattern))
		if err == nil || err.Error() != want {
			t.Errorf("%s:\n%v\nwant\n%s", c.pattern, err, want)
		}
	}
	for _, pattern := range []string{``, `{`, `{"a": [`, `{"a": ["b"]`, `{"a": [{}]}`, `{"a": [["b"]]}`, `{"a": [{"prefix": "x", "suffix": "y"}]}`, `{"a": [{"anything-but": []}]}`,
		`{"a": [{"anything-but": [1, "x"]}]}`, `{"a": [{"anything-but": [null]}]}`, `{"a": [{"anything-but": null}]}`, `{"a": [{"anything-but": {"prefix": ""}}]}`,
		`{"a": [{"anything-but": {"cidr": "10.0.0.0/8"}}]}`, `{"a": [{"exists": "true"}]}`, `{"a": [{"numeric": "x"}]}`, `{"a": [{"numeric": []}]}`, `{"a": [{"numeric": ["!", 1]}]}`,
		`{"a": [{"numeric": [">", 5, "<", 1]}]}`, `{"a": [{"numeric": [">", 1, "<", 5, 6]}]}`, `{"a": [{"wildcard": "x\\y"}]}`, `{"a": [{"wildcard": "x\\"}]}`,
		`{"$or": [{"a": ["b"]}]}`, `{"$or": [{"prefix": ["b"]}, {"a": ["c"]}]}`, `{"$or": [{"a": ["b"]}, {}]}`, `null`, `"x"`, `{"a": [{"prefix": {"wildcard": "x"}}]}`} {
		if _, err := Compile([]byte(pattern)); err == nil {
			t.Errorf("%s is taken", pattern)
		} else if !strings.HasPrefix(err.Error(), "Event pattern is not valid. Reason: ") {
			t.Errorf("%s: %v", pattern, err)
		}
	}
}

// TestAlternativesAreBounded makes more combinations than AWS takes.
func TestAlternativesAreBounded(t *testing.T) {
	var parts []string
	for i := range 10 {
		parts = append(parts, fmt.Sprintf(`"f%d": {"$or": [{"a": ["1"]}, {"b": ["2"]}]}`, i))
	}
	if _, err := Compile([]byte("{" + strings.Join(parts[:9], ",") + "}")); err != nil {
		t.Error(err)
	}
	if _, err := Compile([]byte("{" + strings.Join(parts, ",") + "}")); err == nil {
		t.Error("1,024 combinations are taken")
	}
}

// TestSet finds in a set what matches one by one.
func TestSet(t *testing.T) {
	var patterns []*Pattern
	var want []int
	for i, text := range []string{
		`{"source": ["aws.ec2"], "detail": {"state": ["stopped"]}}`,
		`{"source": ["aws.ec2"], "detail": {"state": ["running"]}}`,
		`{"source": [{"prefix": "aws."}]}`,
		`{"detail": {"missing": [{"exists": false}]}}`,
		`{"detail": {"missing": [{"exists": true}]}}`,
		`{"detail": {"c-count": [5]}}`,
		`{"detail": {"yes": [true, false]}}`,
		`{"resources": ["b"], "source": ["aws.s3"]}`,
		`{"$or": [{"source": ["aws.ec2"]}, {"region": ["us-east-1"]}]}`,
		`{"detail": {"v6": ["2001:db8:1234:1a00:0::1"]}}`,
		`{"detail": {"mixed": [1]}}`,
		`{"detail": {"file": [{"suffix": ".txt"}, {"suffix": ".PNG"}]}}`,
		`{"detail": {"file": [{"suffix": "a longer end than the file has"}, {"prefix": "b"}]}}`,
		`{"detail": {"file": [{"prefix": ""}]}}`,
	} {
		p, err := Compile([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		patterns = append(patterns, p)
		if p.Match([]byte(instance)) {
			want = append(want, i)
		}
	}
	if len(want) != 10 {
		t.Errorf("one by one: %v", want)
	}
	s := NewSet(patterns)
	for range 3 { // the pool's memory is used again
		if got := s.Match([]byte(instance)); !reflect.DeepEqual(got, want) {
			t.Errorf("the set finds %v, not %v", got, want)
		}
		if got := s.Match([]byte(`{"source": "x", "detail": {"missing": 1}}`)); !reflect.DeepEqual(got, []int{4}) {
			t.Errorf("the set finds %v in another", got)
		}
		for _, broken := range []string{``, `[]`, `"x"`, `{"source": "aws.ec2"`, `{"source" "aws.ec2"}`} {
			if got := s.Match([]byte(broken)); got != nil {
				t.Errorf("%s: %v", broken, got)
			}
		}
	}
}

// FuzzCompile takes any pattern and any event: whatever is refused is refused in AWS's words, and a pattern
// alone matches as it does in a set.
func FuzzCompile(f *testing.F) {
	for _, p := range []string{`{"source": ["a", 1, null, true]}`, `{"a": [{"anything-but": {"wildcard": ["*x", "y*"]}}], "$or": [{"b": [1]}, {"c": [{"exists": false}]}]}`,
		`{"a": {"b": [{"numeric": [">", 1e400, "<=", 2]}]}}`, `{"a": [{"cidr": "::/12"}, "::1", {"suffix": {"equals-ignore-case": "É"}}]}`, `{"a": [{"prefix":`, "{\"a\n\": [\xff]}"} {
		f.Add(p, instance)
		f.Add(p, `{"a": [{"b": 1}, {"b": [2, {"c": "x"}]}], "c": null}`)
	}
	other, err := Compile([]byte(`{"a": ["x"]}`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, pattern, event string) {
		p, err := Compile([]byte(pattern))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "Event pattern is not valid. Reason: ") {
				t.Fatal(err)
			}
			return
		}
		alone := p.Match([]byte(event))
		found := NewSet([]*Pattern{other, p}).Match([]byte(event))
		if together := len(found) > 0 && found[len(found)-1] == 1; alone != together {
			t.Fatalf("alone %v, together %v", alone, together)
		}
	})
}

// BenchmarkSet matches events against 1,000 rules, one of which matches.
func BenchmarkSet(b *testing.B) {
	for _, kind := range []struct{ name, pattern string }{
		{"exact", `{"source": ["app.orders"], "detail-type": ["OrderPlaced"], "detail": {"customer": {"id": ["c-%d"]}}}`},
		{"source", `{"source": ["app.%d"], "detail": {"amount": [{"numeric": [">", 10]}]}}`},
		{"prefix", `{"source": ["app.orders"], "detail": {"customer": {"id": [{"prefix": "c-%d-"}]}}}`},
		{"numeric", `{"source": ["app.orders"], "detail": {"amount": [{"numeric": [">=", %d, "<", 1000]}], "none": [{"exists": false}]}}`},
	} {
		b.Run(kind.name, func(b *testing.B) {
			patterns := make([]*Pattern, 1000)
			for i := range patterns {
				var err error
				if patterns[i], err = Compile(fmt.Appendf(nil, kind.pattern, i)); err != nil {
					b.Fatal(err)
				}
			}
			s := NewSet(patterns)
			event := []byte(`{"version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"OrderPlaced","source":"app.orders","account":"000000000000",` +
				`"time":"2017-12-22T18:43:48Z","region":"us-east-1","resources":["arn:aws:ec2:us-west-1:123456789012:instance/i-1234567890abcdef0"],` +
				`"detail":{"order":"o-123456","customer":{"id":"c-999","name":"Anna Smith","address":{"street":"Main Street 1","city":"Springfield"}},"amount":12.5,"items":[{"sku":"a","n":1},{"sku":"b","n":2}]}}`)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				s.Match(event)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
