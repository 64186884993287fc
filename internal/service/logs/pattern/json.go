package pattern

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// object is the form for messages that are JSON objects.
type object struct {
	condition condition
	needs     []string // of the condition
}

// condition is a node of the expression.
type condition interface {
	holds(root any, values map[string]string) bool
	// needs are texts that a message must hold somewhere, as far as it escapes nothing: most messages
	// are refused by them without being parsed.
	needs() []string
}

func (o object) match(message string, values map[string]string) bool {
	if !strings.HasPrefix(strings.TrimLeft(message, " \t\r\n"), "{") {
		return false
	}
	if strings.IndexByte(message, '\\') < 0 {
		for _, text := range o.needs {
			if !strings.Contains(message, text) {
				return false
			}
		}
	}
	d := json.NewDecoder(strings.NewReader(message))
	d.UseNumber() // a comparison with text sees a number as it is written
	var root map[string]any
	if d.Decode(&root) != nil {
		return false
	}
	if _, err := d.Token(); err != io.EOF {
		return false
	}
	return o.condition.holds(root, values)
}

type and []condition

func (a and) holds(root any, values map[string]string) bool {
	for _, c := range a {
		if !c.holds(root, values) {
			return false
		}
	}
	return true
}

func (a and) needs() (all []string) {
	for _, c := range a {
		all = append(all, c.needs()...)
	}
	return all
}

type or []condition

func (o or) holds(root any, values map[string]string) bool {
	for _, c := range o {
		if c.holds(root, values) {
			return true
		}
	}
	return false
}

func (or) needs() []string { return nil }

// compare holds where one of the selected values does. A value that is missing never does, not even
// for "!=".
type compare struct {
	selector   selector
	comparison comparison
}

func (c compare) holds(root any, values map[string]string) bool {
	return c.selector.any(root, func(v any) bool {
		var text string
		var holds bool
		switch v := v.(type) {
		case string:
			text, holds = v, c.comparison.matchText(v)
		case json.Number:
			n, err := v.Float64()
			text = v.String()
			holds = err == nil && c.comparison.matchNumber(n, text)
		}
		if holds {
			c.selector.extract(text, values)
		}
		return holds
	})
}

func (c compare) needs() []string {
	if c.comparison.operator == "=" {
		return append(c.selector.needs(), c.comparison.needs()...)
	}
	return c.selector.needs()
}

// is holds where one of the selected values is null, true or false.
type is struct {
	selector selector
	value    any // nil, true or false
	name     string
}

func (c is) holds(root any, values map[string]string) bool {
	return c.selector.any(root, func(v any) bool {
		switch v := v.(type) {
		case nil, bool:
			if v != c.value {
				return false
			}
		case []any:
			// A null in an array counts as the array's, where the array itself is selected.
			if c.value != nil || !containsNull(v) {
				return false
			}
		default:
			return false
		}
		c.selector.extract(c.name, values)
		return true
	})
}

func (c is) needs() []string { return append(c.selector.needs(), c.name) }

func containsNull(list []any) bool {
	for _, v := range list {
		if v == nil {
			return true
		}
	}
	return false
}

// missing holds where nothing is selected.
type missing struct{ selector selector }

func (c missing) holds(root any, _ map[string]string) bool {
	return !c.selector.any(root, func(any) bool { return true })
}

func (missing) needs() []string { return nil }

func (p *parser) json() (matcher, error) {
	p.take("{")
	c, err := p.or()
	if err != nil {
		return nil, err
	}
	if !p.take("}") {
		return nil, p.unexpected()
	}
	if p.space(); p.rest != "" {
		return nil, p.unexpected()
	}
	// In a message's place of an invalid byte stands a replacement character.
	needs := slices.DeleteFunc(c.needs(), func(s string) bool { return strings.ContainsRune(s, utf8.RuneError) })
	return object{c, needs}, nil
}

func (p *parser) or() (condition, error) {
	var all or
	for {
		c, err := p.and()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if !p.take("||") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) and() (condition, error) {
	var all and
	for {
		c, err := p.primary()
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		if !p.take("&&") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return all, nil
}

func (p *parser) primary() (condition, error) {
	if p.take("(") {
		c, err := p.or()
		if err == nil && !p.take(")") {
			err = p.unexpected()
		}
		return c, err
	}
	s, err := p.selector()
	if err != nil {
		return nil, err
	}
	p.space()
	switch word := p.word(); word {
	case "IS":
		return p.is(s)
	case "NOT":
		if p.space(); p.word() != "EXISTS" {
			return nil, syntaxf("Invalid filter pattern: NOT is followed by EXISTS alone")
		}
		return missing{s}, nil
	case "":
	default:
		return nil, syntaxf("Invalid filter pattern: '%s' is not an operator", word)
	}
	c, err := p.comparison()
	if err == nil && c.regex == nil && !c.numeric && c.text == "null" {
		err = syntaxf("Invalid filter pattern: compare with null by IS NULL")
	}
	return compare{s, c}, err
}

func (p *parser) is(s selector) (condition, error) {
	p.space()
	switch word := p.word(); word {
	case "NULL":
		return is{s, nil, "null"}, nil
	case "TRUE":
		return is{s, true, "true"}, nil
	case "FALSE":
		return is{s, false, "false"}, nil
	default:
		return nil, syntaxf("Invalid filter pattern: IS is followed by NULL, TRUE or FALSE, not '%s'", word)
	}
}

// word takes a keyword and returns it in upper case, "" where there is none.
func (p *parser) word() string { return strings.ToUpper(p.run(isNameRune)) }
