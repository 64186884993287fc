// Package postpolicy reads the policies of forms that upload to a bucket, and says whether a form keeps to one.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
package postpolicy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Policy is what a form must be like.
type Policy struct {
	Expires    time.Time
	Conditions []Condition
	Min, Max   int64 // of the file's size; Max below 0 for no bound
}

// Condition is one condition on a field, whose name is in lower case.
type Condition struct {
	Operator string // eq or starts-with
	Field    string
	Value    string
}

// Parse reads a policy in base64. Its errors are in the words of S3, without what stands before them.
func Parse(text string) (*Policy, error) {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, refuse("Could not decode base64.")
	}
	var document struct {
		Expiration *string           `json:"expiration"`
		Conditions []json.RawMessage `json:"conditions"`
	}
	if err := json.Unmarshal(raw, &document); err != nil {
		return nil, refuse("Invalid JSON.")
	}
	switch {
	case document.Expiration == nil:
		return nil, refuse("Policy missing expiration.")
	case document.Conditions == nil:
		return nil, refuse("Policy missing conditions.")
	}
	p := &Policy{Max: -1}
	if p.Expires, err = time.Parse(time.RFC3339, *document.Expiration); err != nil {
		return nil, refuse("Invalid 'expiration' value: '%s'", *document.Expiration)
	}
	for _, c := range document.Conditions {
		if err := p.add(c); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Policy) add(raw json.RawMessage) error {
	refusal := refuse("Invalid Condition: %s", raw)
	var exact map[string]string
	if json.Unmarshal(raw, &exact) == nil {
		if len(exact) != 1 {
			return refuse("Invalid Simple-Condition: Simple-Conditions must have exactly one property specified.")
		}
		for field, value := range exact {
			p.Conditions = append(p.Conditions, Condition{"eq", strings.ToLower(field), value})
		}
		return nil
	}
	var list []any
	if json.Unmarshal(raw, &list) != nil || len(list) != 3 {
		return refusal
	}
	operator, ok := list[0].(string)
	if !ok {
		return refusal
	}
	switch operator = strings.ToLower(operator); operator {
	case "eq", "starts-with":
		field, ok1 := list[1].(string)
		value, ok2 := list[2].(string)
		name, dollar := strings.CutPrefix(field, "$")
		if !ok1 || !ok2 || !dollar {
			return refusal
		}
		p.Conditions = append(p.Conditions, Condition{operator, strings.ToLower(name), value})
		return nil
	case "content-length-range":
		low, ok1 := size(list[1])
		high, ok2 := size(list[2])
		if !ok1 || !ok2 || low > high {
			return refuse("Invalid content-length-range: range out of bounds")
		}
		p.Min, p.Max = low, high
		return nil
	}
	return refuse("Unknown operation: %s", operator)
}

func size(v any) (int64, bool) {
	switch v := v.(type) {
	case float64:
		return int64(v), v >= 0
	case string:
		var n int64
		_, err := fmt.Sscan(v, &n)
		return n, err == nil && n >= 0
	}
	return 0, false
}

// free are the fields that need no condition.
var free = []string{"x-amz-signature", "signature", "awsaccesskeyid", "file", "policy", "bucket", "submit"}

// Check reports why a form does not keep to the policy: fields by their names in lower case, "bucket" among them.
func (p *Policy) Check(fields map[string]string, now time.Time) error {
	if !now.Before(p.Expires) {
		return refuse("Policy expired.")
	}
	named := map[string]bool{}
	for _, c := range p.Conditions {
		named[c.Field] = true
		value := fields[c.Field]
		if c.Operator == "eq" && value == c.Value || c.Operator == "starts-with" && startsWith(c.Field, value, c.Value) {
			continue
		}
		return refuse("Policy Condition failed: %s", c)
	}
	var extra []string
	for field := range fields {
		if !named[field] && !slices.Contains(free, field) && !strings.HasPrefix(field, "x-ignore-") {
			extra = append(extra, field)
		}
	}
	if len(extra) > 0 {
		slices.Sort(extra)
		return refuse("Extra input fields: %s", strings.Join(extra, ", "))
	}
	return nil
}

// startsWith compares beginnings. A content type may be a list, each of whose items must begin so.
func startsWith(field, value, prefix string) bool {
	if field != "content-type" {
		return strings.HasPrefix(value, prefix)
	}
	for item := range strings.SplitSeq(value, ",") {
		if !strings.HasPrefix(strings.TrimSpace(item), prefix) {
			return false
		}
	}
	return true
}

// String is the condition as S3 shows it.
func (c Condition) String() string {
	return fmt.Sprintf(`["%s", "$%s", "%s"]`, c.Operator, c.Field, c.Value)
}
