package filter

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Limits of a policy.
// https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
const (
	maxKeys         = 5
	maxCombinations = 150
	maxSize         = 256 << 10
)

// refusal is what is wrong with a policy, in AWS's words.
type refusal string

func (r refusal) Error() string { return string(r) }

const errNested = refusal("Filter policy scope MessageAttributes does not support nested filter policy")

// Compile reads a policy. An empty text is a nil Policy. Errors are worded as AWS's after "Invalid parameter: ",
// as recorded in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns_filter_policy.snapshot.json
func Compile(text, scope string) (*Policy, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > maxSize {
		return nil, refusal("FilterPolicy: Filter policy is too large")
	}
	src, err := scan(text)
	if err != nil {
		return nil, fmt.Errorf("FilterPolicy: failed to parse JSON. %w", err)
	}
	c := compiler{source: src, scope: scope}
	p := &Policy{Scope: scope}
	if p.root, err = c.policy(); err != nil {
		if errors.Is(err, errNested) {
			return nil, err
		}
		return nil, fmt.Errorf("FilterPolicy: %w", err)
	}
	return p, nil
}

// compiler reads a policy's tokens. Each of its methods begins at the first token of what it reads and ends at
// the last.
type compiler struct {
	*source
	scope string
}

func (c *compiler) policy() (node, error) {
	if c.now().kind != '{' {
		return node{}, c.refuse("Filter is not an object")
	}
	if c.tokens[1].kind == '}' {
		return node{}, nil
	}
	keys, combinations := 0, 1
	n, err := c.object(1, &keys, &combinations)
	switch {
	case err != nil:
		return node{}, err
	case keys > maxKeys:
		return node{}, refusal("Filter policy can not have more than 5 keys")
	case combinations > maxCombinations:
		return node{}, refusal("Filter policy is too complex")
	}
	return n, nil
}

// object reads an object of keys. It counts those at the top, and the combinations: each array multiplies them
// by its length and by its depth.
func (c *compiler) object(depth int, keys, combinations *int) (n node, err error) {
	if depth > 1 && c.scope == ScopeAttributes {
		return n, errNested
	}
	if c.next().kind == '}' {
		return n, c.refuse("Empty objects are not allowed")
	}
	for ; c.now().kind != '}'; c.next() {
		key := c.now().text
		if depth == 1 {
			*keys++
		}
		c.next()
		switch {
		case key == "$or" && c.isChoice():
			or, err := c.choice(depth, combinations)
			if err != nil {
				return n, err
			}
			n.all = append(n.all, condition{or: or})
		case c.now().kind == '[':
			values, err := c.values()
			if err != nil {
				return n, err
			}
			*combinations = capped(*combinations * len(values) * depth)
			n.put(strings.Split(key, "."), condition{values: values})
		case c.now().kind == '{':
			child, err := c.object(depth+1, keys, combinations)
			if err != nil {
				return n, err
			}
			n.put(strings.Split(key, "."), condition{child: &child})
		default:
			return n, c.refuse("\"%s\" must be an object or an array", key)
		}
	}
	return n, nil
}

// capped keeps a count from overflowing; it is too many anyway.
func capped(n int) int { return min(n, math.MaxInt32) }

// put adds a condition under a path of keys. Conditions within one key are of the same object.
func (n *node) put(path []string, leaf condition) {
	leaf.key = path[0]
	if len(path) > 1 {
		child := &node{}
		child.put(path[1:], leaf)
		leaf = condition{key: path[0], child: child}
	}
	if leaf.child != nil {
		for i := range n.all {
			if n.all[i].key == leaf.key && n.all[i].child != nil {
				n.all[i].child.all = append(n.all[i].child.all, leaf.child.all...)
				return
			}
		}
	}
	n.all = append(n.all, leaf)
}

// isChoice reports whether the value of a $or is a list of two objects or more; else it is a key like others.
func (c *compiler) isChoice() bool {
	if c.now().kind != '[' || c.tokens[c.at+1].kind != '{' {
		return false
	}
	depth, elements := 0, 0
	for _, t := range c.tokens[c.at:] {
		switch t.kind {
		case '[', '{':
			if depth++; depth == 2 {
				elements++
			}
		case ']', '}':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	return elements > 1
}

// choice reads the list of a $or. Its combinations are the sum of those of its members.
func (c *compiler) choice(depth int, combinations *int) (or []node, err error) {
	before, sum := *combinations, 0
	for c.next(); c.now().kind != ']'; c.next() {
		if c.now().kind != '{' {
			return nil, c.refuse("Only JSON objects are allowed in array when $or has one")
		}
		ignored, each := 0, before
		n, err := c.object(depth, &ignored, &each)
		if err != nil {
			return nil, err
		}
		or, sum = append(or, n), capped(sum+each)
	}
	*combinations = sum
	return or, nil
}

// values reads an array of values.
func (c *compiler) values() (list []matcher, err error) {
	if c.next().kind == ']' {
		return nil, c.refuse("Empty arrays are not allowed")
	}
	for ; c.now().kind != ']'; c.next() {
		m, err := c.value()
		if err != nil {
			return nil, err
		}
		list = append(list, m)
	}
	return list, nil
}

func (c *compiler) value() (matcher, error) {
	if c.now().kind == '{' {
		return c.expression()
	}
	if m, ok := c.scalar(); ok {
		return m, nil
	}
	return nil, c.refuse("Match value must be String, number, true, false, or null")
}

func (c *compiler) scalar() (exactly, bool) {
	switch t := c.now(); t.kind {
	case '"':
		return exactly{t.text}, true
	case '0':
		n, err := strconv.ParseFloat(t.text, 64)
		return exactly{n}, err == nil
	case 't', 'f':
		return exactly{t.kind == 't'}, true
	case 'n':
		return exactly{nil}, true
	}
	return exactly{}, false
}

// expression reads an object with one operator.
func (c *compiler) expression() (m matcher, err error) {
	if !c.next().name {
		return nil, c.refuse("Match expression name not found")
	}
	operator := c.now().text
	c.next()
	switch operator {
	case "prefix", "suffix", "equals-ignore-case":
		m, err = c.text(operator)
	case "exists":
		if k := c.now().kind; k != 't' && k != 'f' {
			return nil, c.refuse("exists match pattern must be either true or false.")
		}
		m = exists(c.now().kind == 't')
	case "numeric":
		m, err = c.numeric()
	case "cidr":
		m, err = c.cidr()
	case "anything-but":
		m, err = c.anythingBut()
	default:
		return nil, c.refuse("Unrecognized match type %s", operator)
	}
	if err != nil {
		return nil, err
	}
	if c.next().kind != '}' {
		return nil, c.refuse("Only one key allowed in match expression")
	}
	return m, nil
}

func (c *compiler) text(operator string) (matcher, error) {
	if !c.now().string() {
		return nil, c.refuse("%s match pattern must be a string", operator)
	}
	want := c.now().text
	switch {
	case operator == "equals-ignore-case":
		return equalFold(want), nil
	case want == "":
		return nil, c.refuseKnown("Null prefix/suffix not allowed")
	case operator == "prefix":
		return prefix(want), nil
	}
	return suffix(want), nil
}

func (c *compiler) cidr() (matcher, error) {
	if !c.now().string() {
		return nil, c.refuse("prefix match pattern must be a string")
	}
	want := c.now().text
	address, bits, ok := strings.Cut(want, "/")
	if !ok || strings.Contains(bits, "/") {
		return nil, c.refuseKnown("Malformed CIDR, one '/' required")
	}
	if _, err := strconv.Atoi(bits); err != nil {
		return nil, c.refuseKnown("Malformed CIDR, mask bits must be an integer")
	}
	p, err := netip.ParsePrefix(want)
	if err != nil {
		return nil, c.refuseKnown("Nonstandard IP address: %s", address)
	}
	return cidr(p), nil
}

func (c *compiler) anythingBut() (matcher, error) {
	switch c.now().kind {
	case '{':
		return c.anythingButText()
	case '[':
		return c.anythingButList()
	case '"', '0':
		m, _ := c.scalar()
		return anythingBut{m}, nil
	}
	return nil, c.refuse("Value of anything-but must be an array or single string/number value.")
}

func (c *compiler) anythingButText() (matcher, error) {
	if !c.next().name {
		return nil, c.refuse("Match expression name not found")
	}
	if c.now().text != "prefix" {
		return nil, c.refuse("Unsupported anything-but pattern: %s", c.now().text)
	}
	c.next()
	m, err := c.text("prefix")
	if err != nil {
		return nil, err
	}
	if c.next().kind != '}' {
		return nil, c.refuse("Only one key allowed in match expression")
	}
	return anythingBut{m}, nil
}

func (c *compiler) anythingButList() (matcher, error) {
	var list anythingBut
	kind := c.next().kind
	if kind == ']' {
		return nil, c.refuse("Empty arrays are not allowed")
	}
	for ; c.now().kind != ']'; c.next() {
		switch k := c.now().kind; {
		case k != '"' && k != '0':
			return nil, c.refuse("Inside anything but list, start|null|boolean is not supported.")
		case k != kind:
			return nil, c.refuse("Inside anything but list, either all values are number or string, mixed type is not supported")
		}
		m, _ := c.scalar()
		list = append(list, m)
	}
	return list, nil
}

// numeric reads a comparison, or two that make a range.
func (c *compiler) numeric() (matcher, error) {
	if c.now().kind != '[' {
		return nil, c.refuse("Value of numeric must be an array.")
	}
	if !c.next().string() {
		return nil, c.refuseKnown("Invalid member in numeric match: %s", c.now().text)
	}
	operator := c.now().text
	c.next()
	whole := between{low: math.Inf(-1), high: math.Inf(1)}
	switch operator {
	case "=", "<", "<=":
		n, err := c.number(operator)
		if err != nil {
			return nil, err
		}
		if c.next().kind != ']' {
			return nil, c.refuse("Too many elements in numeric expression")
		}
		if operator == "=" {
			return exactly{n}, nil
		}
		whole.high, whole.highOpen = n, operator == "<"
		return whole, nil
	case ">", ">=":
		n, err := c.number(operator)
		if err != nil {
			return nil, err
		}
		whole.low, whole.lowOpen = n, operator == ">"
		return c.upper(whole)
	}
	return nil, c.refuse("Unrecognized numeric range operator: %s", operator)
}

// upper reads the upper bound of a range, if it has one.
func (c *compiler) upper(m between) (matcher, error) {
	switch t := c.next(); {
	case t.kind == ']':
		return m, nil
	case !t.string():
		return nil, c.refuseKnown("Bad value in numeric range: %s", t.text)
	case t.text != "<" && t.text != "<=":
		return nil, c.refuseKnown("Bad numeric range operator: %s", t.text)
	}
	operator := c.now().text
	c.next()
	n, err := c.number(operator)
	if err != nil {
		return nil, err
	}
	if c.next().kind != ']' {
		return nil, c.refuse("Too many terms in numeric range expression")
	}
	if m.low >= n {
		return nil, c.refuse("Bottom must be less than top")
	}
	m.high, m.highOpen = n, operator == "<"
	return m, nil
}

func (c *compiler) number(operator string) (float64, error) {
	if operator == "=" {
		operator = "equals"
	}
	n, err := strconv.ParseFloat(c.now().text, 64)
	if c.now().kind != '0' || err != nil {
		return 0, c.refuse("Value of %s must be numeric", operator)
	}
	return n, nil
}
