package policy

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// condition is one operator on one key.
type condition struct {
	key      string
	values   []string
	test     func(have, want string) bool
	negated  bool   // true where no value matches
	ifExists bool   // true where the key is not there
	null     bool   // asks whether the key is there
	each     string // "", ForAllValues or ForAnyValue
	operator string // without what stands before and behind it
}

// operators are the tests. Those that deny begin with another name.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
var operators = map[string]func(have, want string) bool{
	"StringEquals":              func(have, want string) bool { return have == want },
	"StringEqualsIgnoreCase":    strings.EqualFold,
	"StringLike":                func(have, want string) bool { return newWildcard(want, false).match(have) },
	"ArnEquals":                 matchARN,
	"ArnLike":                   matchARN,
	"Bool":                      strings.EqualFold,
	"BinaryEquals":              func(have, want string) bool { return have == want },
	"IpAddress":                 inNetwork,
	"NumericEquals":             numeric(func(c int) bool { return c == 0 }),
	"NumericLessThan":           numeric(func(c int) bool { return c < 0 }),
	"NumericLessThanEquals":     numeric(func(c int) bool { return c <= 0 }),
	"NumericGreaterThan":        numeric(func(c int) bool { return c > 0 }),
	"NumericGreaterThanEquals":  numeric(func(c int) bool { return c >= 0 }),
	"DateEquals":                dated(func(c int) bool { return c == 0 }),
	"DateLessThan":              dated(func(c int) bool { return c < 0 }),
	"DateLessThanEquals":        dated(func(c int) bool { return c <= 0 }),
	"DateGreaterThan":           dated(func(c int) bool { return c > 0 }),
	"DateGreaterThanEquals":     dated(func(c int) bool { return c >= 0 }),
	"StringNotEquals":           nil,
	"StringNotEqualsIgnoreCase": nil,
	"StringNotLike":             nil,
	"ArnNotEquals":              nil,
	"ArnNotLike":                nil,
	"NotIpAddress":              nil,
	"NumericNotEquals":          nil,
	"DateNotEquals":             nil,
	"Null":                      nil,
}

func newCondition(operator, key string, values []string) (condition, error) {
	c := condition{key: strings.ToLower(key), values: values}
	name := operator
	if each, rest, ok := strings.Cut(name, ":"); ok {
		if each != "ForAllValues" && each != "ForAnyValue" {
			return c, refuse("Invalid Condition type : %s", operator)
		}
		c.each, name = each, rest
	}
	name, c.ifExists = strings.CutSuffix(name, "IfExists")
	if _, ok := operators[name]; !ok {
		return c, refuse("Invalid Condition type : %s", operator)
	}
	if name == "Null" {
		c.null = true
		return c, nil
	}
	positive := strings.Replace(name, "Not", "", 1)
	c.negated, c.operator, c.test = positive != name, positive, operators[positive]
	return c, nil
}

// holds reports whether the condition is met by the values of its key, which a request has where ok.
func (c *condition) holds(have []string, ok bool) bool {
	if c.null {
		return len(c.values) > 0 && strings.EqualFold(c.values[0], "true") == !ok
	}
	if !ok {
		return c.ifExists || c.negated || c.each == "ForAllValues"
	}
	matches := func(h string) bool {
		return slices.ContainsFunc(c.values, func(want string) bool { return c.test(h, want) }) != c.negated
	}
	if c.each == "ForAnyValue" || c.each == "" && !c.negated {
		return slices.ContainsFunc(have, matches)
	}
	return !slices.ContainsFunc(have, func(h string) bool { return !matches(h) })
}

// matchARN compares ARNs part by part, so that a star does not cross a colon of the first five.
func matchARN(have, want string) bool {
	h, w := strings.SplitN(have, ":", 6), strings.SplitN(want, ":", 6)
	if len(h) != len(w) {
		return want == "*"
	}
	for i := range h {
		if !newWildcard(w[i], false).match(h[i]) {
			return false
		}
	}
	return true
}

func inNetwork(have, want string) bool {
	ip, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	if p, err := netip.ParsePrefix(want); err == nil {
		return p.Contains(ip.Unmap())
	}
	one, err := netip.ParseAddr(want)
	return err == nil && one == ip.Unmap()
}

func numeric(holds func(int) bool) func(have, want string) bool {
	return func(have, want string) bool {
		h, err1 := strconv.ParseFloat(have, 64)
		w, err2 := strconv.ParseFloat(want, 64)
		if err1 != nil || err2 != nil {
			return false
		}
		switch {
		case h < w:
			return holds(-1)
		case h > w:
			return holds(1)
		}
		return holds(0)
	}
}

func dated(holds func(int) bool) func(have, want string) bool {
	return func(have, want string) bool {
		h, ok1 := parseTime(have)
		w, ok2 := parseTime(want)
		return ok1 && ok2 && holds(h.Compare(w))
	}
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return time.Unix(n, 0), err == nil
}
