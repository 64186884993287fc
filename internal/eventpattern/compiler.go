package eventpattern

import (
	"maps"
	"slices"
)

// maxBranches is how many combinations the alternatives of a pattern may have.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-complex-example-or
const maxBranches = 1000

// or is the member whose alternatives each may match.
const or = "$or"

// reserved are the names that make an array behind $or an ordinary one.
var reserved = map[string]bool{"exactly": true, "equals-ignore-case": true, "prefix": true, "suffix": true, "anything-but": true,
	"exists": true, "wildcard": true, "numeric": true, "cidr": true, "=": true, "<": true, "<=": true, ">": true, ">=": true,
	"regex": true, "not-wildcard": true, "not-equals-ignore-case": true, "date-after": true, "date-on-or-after": true,
	"date-before": true, "date-on-or-before": true, "in-date-range": true, "ip-address-in-range": true, "ip-address-not-in-range": true}

// compiler reads a pattern into its branches, in the order in which AWS's compiler reads it: which of several
// errors is answered depends on that.
type compiler struct{ reader }

// alternatives are the branches so far, by path: a path that comes twice counts as it came last.
type alternatives []map[string]field

func (c *compiler) pattern() ([]branch, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if t.kind != '{' {
		return nil, c.fail("Filter is not an object")
	}
	all := alternatives{{}}
	if err := c.object(&all, ""); err != nil {
		return nil, err
	}
	branches := make([]branch, len(all))
	for i, fields := range all {
		branches[i] = slices.Collect(maps.Values(fields))
	}
	return branches, nil
}

func (c *compiler) object(all *alternatives, path string) error {
	for fields := 0; ; fields++ {
		t, err := c.next()
		if err != nil {
			return err
		}
		if t.kind == '}' {
			if fields == 0 {
				return c.fail("Empty objects are not allowed")
			}
			return nil
		}
		if t.text == or && c.hasAlternatives() {
			err = c.alternatives(all, path)
		} else {
			err = c.member(all, path, t.text)
		}
		if err != nil {
			return err
		}
	}
}

func (c *compiler) member(all *alternatives, path, name string) error {
	if path != "" {
		name = path + "." + name
	}
	t, err := c.next()
	if err != nil {
		return err
	}
	switch t.kind {
	case '{':
		return c.object(all, name)
	case '[':
		f, err := c.field(name)
		if err != nil {
			return err
		}
		for _, fields := range *all {
			fields[name] = f
		}
		return nil
	}
	return c.fail("\"%s\" must be an object or an array", c.tokens[c.at-2].text)
}

// hasAlternatives reports whether the array that comes next holds alternatives: two objects or more, without
// operators. Another is an ordinary member's.
func (c *compiler) hasAlternatives() bool {
	if c.peek().kind != '[' {
		return false
	}
	objects, depth := 0, 0
	for _, t := range c.tokens[c.at:] {
		switch {
		case depth == 1 && t.kind == '{':
			objects++
		case depth == 1 && t.kind != ']', depth == 2 && t.name && reserved[t.text]:
			return false
		}
		switch t.kind {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case 0:
			return true // whoever reads on will meet the error
		}
		if depth == 0 {
			break
		}
	}
	return objects >= 2
}

// alternatives reads the array of $or: what was demanded so far is demanded along with each of them.
func (c *compiler) alternatives(all *alternatives, path string) error {
	if _, err := c.next(); err != nil {
		return err
	}
	before := *all
	*all = nil
	for {
		t, err := c.next()
		if err != nil {
			return err
		}
		if t.kind == ']' {
			return nil
		}
		one := make(alternatives, len(before))
		for i := range before {
			one[i] = maps.Clone(before[i])
		}
		if err := c.object(&one, path); err != nil {
			return err
		}
		if *all = append(*all, one...); len(*all) > maxBranches {
			return &Error{Reason: "Rule is too complex - the alternatives of $or make more than 1000 combinations"}
		}
	}
}

// field reads the array of what the values at a path may be.
func (c *compiler) field(path string) (field, error) {
	f := field{path: path}
	for {
		t, err := c.next()
		if err != nil {
			return f, err
		}
		if t.kind == ']' {
			break
		}
		var one condition
		switch t.kind {
		case '{':
			one, err = c.expression()
		case '"':
			one = exactly(c.take(t))
		case '0':
			one = sameNumber{parseNumber(t.text)}
		case 't', 'f', 'n':
			one = literal(t.text)
		default:
			err = c.fail("Match value must be String, number, true, false, or null")
		}
		if err != nil {
			return f, err
		}
		if _, absent := one.(absence); absent {
			f.absent = true
		} else {
			f.conditions = append(f.conditions, one)
		}
	}
	if len(f.conditions) == 0 && !f.absent {
		return f, c.fail("Empty arrays are not allowed")
	}
	return f, nil
}
