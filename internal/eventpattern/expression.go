package eventpattern

import (
	"errors"
	"strings"
)

// expression reads the operator in an object: {"prefix": "a"}.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
func (c *compiler) expression() (condition, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if !t.name {
		return nil, c.fail("Match expression name not found")
	}
	var one condition
	const end = "Only one key allowed in match expression"
	switch t.text {
	case "exactly":
		one, err = c.ofText("exact match pattern must be a string", func(s string) condition { return exactly(s) })
	case "prefix":
		one, err = c.affix("prefix", "Prefix", prefix, foldedPrefix)
	case "suffix":
		one, err = c.affix("suffix", "Suffix", suffix, foldedSuffix)
	case "equals-ignore-case":
		one, err = c.ofText("equals-ignore-case match pattern must be a string", equalFold)
	case "wildcard":
		one, err = c.wildcard()
	case "cidr":
		one, err = c.cidr()
	case "exists":
		one, err = c.exists()
	case "numeric":
		if one, err = c.numeric(); err == nil {
			err = c.close("Too many elements in numeric expression")
		}
		return one, err
	case "anything-but":
		return c.anythingBut()
	default:
		return nil, c.fail("Unrecognized match type %s", t.text)
	}
	if err == nil {
		err = c.close(end)
	}
	return one, err
}

// close reads the end of an object.
func (c *compiler) close(otherwise string) error {
	t, err := c.next()
	if err == nil && t.kind != '}' {
		err = c.fail("%s", otherwise)
	}
	return err
}

func (c *compiler) ofText(otherwise string, make func(string) condition) (condition, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if t.kind != '"' {
		return nil, c.fail("%s", otherwise)
	}
	return make(c.take(t)), nil
}

// affix reads a prefix or a suffix, or how either is to match in any case.
func (c *compiler) affix(operator, title string, plain, folded func(string) condition) (condition, error) {
	if c.peek().kind != '{' {
		return c.ofText(operator+" match pattern must be a string", plain)
	}
	c.at++
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if !t.name {
		return nil, c.fail("%s expression name not found", title)
	}
	if t.text != "equals-ignore-case" {
		return nil, c.fail("Unsupported %s pattern: %s", operator, t.text)
	}
	one, err := c.ofText("equals-ignore-case match pattern must be a string", folded)
	if err == nil {
		err = c.close("Only one key allowed in match expression")
	}
	return one, err
}

func (c *compiler) wildcard() (condition, error) {
	var broken error
	one, err := c.ofText("wildcard match pattern must be a string", func(s string) (w condition) {
		w, broken = parseWildcard(s)
		return w
	})
	if err == nil && broken != nil {
		err = c.worded(broken)
	}
	return one, err
}

// unplaced is why a text is refused, in AWS's words, before the place is added.
type unplaced string

func (u unplaced) Error() string { return string(u) }

// worded adds the place to an error that has none, unless it is complete as it is.
func (c *compiler) worded(err error) error {
	var complete *Error
	if errors.As(err, &complete) {
		return err
	}
	return c.fail("%s", err.Error())
}

// cidr's message for other types is AWS's, which speaks of prefixes here too.
func (c *compiler) cidr() (condition, error) {
	var broken error
	one, err := c.ofText("prefix match pattern must be a string", func(s string) (n condition) {
		n, broken = parseNetwork(s)
		return n
	})
	if err == nil {
		err = broken
	}
	return one, err
}

func (c *compiler) exists() (condition, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	switch t.kind {
	case 't':
		return presence{}, nil
	case 'f':
		return absence{}, nil
	}
	return nil, c.fail("exists match pattern must be either true or false.")
}

// numeric reads a comparison, or two that bound a range: [">", 0, "<=", 5].
func (c *compiler) numeric() (condition, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if t.kind != '[' {
		return nil, c.fail("Value of numeric must be an array.")
	}
	if t, err = c.next(); err != nil {
		return nil, err
	}
	if t.kind != '"' {
		return nil, c.fail("Invalid member in numeric match: %s", c.take(t))
	}
	operator := c.take(t)
	bound, err := c.bound(operator)
	if err != nil {
		return nil, err
	}
	var r span
	switch operator {
	case "=":
		return sameNumber{bound}, c.endOfNumeric("Too many elements in numeric expression")
	case "<", "<=":
		r.top, r.openTop = &bound, operator == "<"
		return r, c.endOfNumeric("Too many elements in numeric expression")
	}
	r.bottom, r.openBottom = &bound, operator == ">"
	if t, err = c.next(); err != nil || t.kind == ']' {
		return r, err
	}
	if t.kind != '"' {
		return nil, c.fail("Bad value in numeric range: %s", c.take(t))
	}
	if operator = c.take(t); operator != "<" && operator != "<=" {
		return nil, c.fail("Bad numeric range operator: %s", operator)
	}
	top, err := c.bound(operator)
	if err != nil {
		return nil, err
	}
	r.top, r.openTop = &top, operator == "<"
	if err := c.endOfNumeric("Too many terms in numeric range expression"); err != nil {
		return nil, err
	}
	if bound.compare(&top) >= 0 {
		return nil, c.fail("Bottom must be less than top")
	}
	return r, nil
}

func (c *compiler) bound(operator string) (number, error) {
	name := operator
	switch operator {
	case "=":
		name = "equals"
	case "<", "<=", ">", ">=":
	default:
		if _, err := c.next(); err != nil {
			return number{}, err
		}
		return number{}, c.fail("Unrecognized numeric range operator: %s", operator)
	}
	t, err := c.next()
	if err != nil {
		return number{}, err
	}
	if t.kind != '0' {
		return number{}, c.fail("Value of %s must be numeric", name)
	}
	return parseNumber(t.text), nil
}

func (c *compiler) endOfNumeric(otherwise string) error {
	t, err := c.next()
	if err == nil && t.kind != ']' {
		err = c.fail("%s", otherwise)
	}
	return err
}

// anythingBut reads {"anything-but": …}: values, or an operator over texts.
func (c *compiler) anythingBut() (condition, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	var but []condition
	switch t.kind {
	case '{':
		but, err = c.butOperator()
		if err == nil {
			err = c.close("Only one key allowed in match expression")
		}
	case '[':
		but, err = c.butList()
	case '"':
		but = []condition{exactly(c.take(t))}
	case '0':
		but = []condition{sameNumber{parseNumber(t.text)}}
	default:
		err = c.fail("Value of anything-but must be an array or single string/number value.")
	}
	if err == nil {
		err = c.close("Too many elements in numeric expression")
	}
	return anythingBut(but), err
}

func (c *compiler) butList() (but []condition, err error) {
	var texts, numbers bool
	for {
		t, err := c.next()
		if err != nil {
			return nil, err
		}
		switch t.kind {
		case ']':
			if texts == numbers {
				return nil, c.fail("Inside anything but list, either all values are number or string, mixed type is not supported")
			}
			return but, nil
		case '"':
			texts = true
			but = append(but, exactly(c.take(t)))
		case '0':
			numbers = true
			but = append(but, sameNumber{parseNumber(t.text)})
		default:
			return nil, c.failInList("Inside anything but list, start|null|boolean is not supported.")
		}
	}
}

// failInList gives the place twice, as AWS does for what is wrong within a list.
func (c *compiler) failInList(message string) error { return c.fail("%s%s", message, c.here()) }

// butOperator reads {"prefix": …} and its like within anything-but, with a text or a list of them.
func (c *compiler) butOperator() ([]condition, error) {
	t, err := c.next()
	if err != nil {
		return nil, err
	}
	if !t.name {
		return nil, c.fail("Anything-But expression name not found")
	}
	operator := t.text
	var make func(string) (condition, error)
	otherwise := "prefix/suffix match pattern must be a string"
	switch operator {
	case "prefix":
		make = nonEmpty(prefix)
	case "suffix":
		make = nonEmpty(suffix)
	case "equals-ignore-case":
		make = func(s string) (condition, error) { return equalFold(s), nil }
		otherwise = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
	case "wildcard":
		make = parseWildcard
		otherwise = "wildcard match pattern must be a string"
	default:
		return nil, c.fail("Unsupported anything-but pattern: %s", operator)
	}
	if t, err = c.next(); err != nil {
		return nil, err
	}
	switch t.kind {
	case '[':
		return c.butTexts(otherwise, make)
	case '"':
		one, err := make(c.take(t))
		if err != nil {
			return nil, c.worded(err)
		}
		return []condition{one}, nil
	case '0':
		return nil, c.fail("%s", otherwise)
	}
	return nil, c.fail("Value of anything-but must be an array or single string/number value.")
}

func nonEmpty(make func(string) condition) func(string) (condition, error) {
	return func(s string) (condition, error) {
		if s == "" {
			return nil, unplaced("Null prefix/suffix not allowed")
		}
		return make(s), nil
	}
}

func (c *compiler) butTexts(otherwise string, make func(string) (condition, error)) (but []condition, err error) {
	for {
		t, err := c.next()
		if err != nil {
			return nil, err
		}
		if t.kind == ']' {
			return but, nil
		}
		if t.kind != '"' {
			return nil, c.failInList(otherwise)
		}
		one, err := make(c.take(t))
		if err != nil {
			err = c.worded(err)
			if e := err.(*Error); strings.Contains(e.Reason, "\n") {
				e.Reason += c.here()
			}
			return nil, err
		}
		but = append(but, one)
	}
}
