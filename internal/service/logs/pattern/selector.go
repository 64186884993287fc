package pattern

import "strconv"

// selector is the path to one value in a JSON message, or, with a wildcard, to several.
type selector struct {
	source string // "$.users[0].email"
	steps  []step
}

// step is one step of the path: a property, an element, or all of either.
type step struct {
	name  string
	index int // -1 where the step is not an element
	all   bool
}

// any walks the selected values until f accepts one, and reports whether it did.
func (s selector) any(root any, f func(any) bool) bool { return walk(root, s.steps, f) }

func walk(v any, steps []step, f func(any) bool) bool {
	if len(steps) == 0 {
		return f(v)
	}
	first, rest := steps[0], steps[1:]
	switch v := v.(type) {
	case map[string]any:
		if first.all {
			for _, child := range v {
				if walk(child, rest, f) {
					return true
				}
			}
			return false
		}
		child, ok := v[first.name]
		return ok && first.index < 0 && walk(child, rest, f)
	case []any:
		if first.all {
			for _, child := range v {
				if walk(child, rest, f) {
					return true
				}
			}
			return false
		}
		return 0 <= first.index && first.index < len(v) && walk(v[first.index], rest, f)
	}
	return false
}

// needs are the names on the path.
func (s selector) needs() (names []string) {
	for _, st := range s.steps {
		if !st.all && st.index < 0 {
			names = append(names, st.name)
		}
	}
	return names
}

func (s selector) extract(text string, values map[string]string) {
	if values != nil {
		values[s.source] = text
	}
}

// selector takes a path: $.name.name[0]['odd.name'].*[*]
func (p *parser) selector() (s selector, err error) {
	p.space()
	start := p.rest
	if !p.at("$") {
		return s, p.unexpected()
	}
	p.rest = p.rest[1:]
	wildcards := 0
	for p.at(".") || p.at("[") {
		st, err := p.step()
		if err != nil {
			return s, err
		}
		if st.all {
			wildcards++
			p.wildcards++
		}
		s.steps = append(s.steps, st)
	}
	s.source = start[:len(start)-len(p.rest)]
	switch {
	case len(s.steps) == 0:
		return s, badCharacter("$" + p.next())
	case wildcards > 1:
		return s, syntaxf("Invalid filter pattern: the selector '%s' has more than one wildcard", s.source)
	case p.wildcards > maxWildcards:
		return s, syntaxf("Invalid filter pattern: it has more than %d wildcard selectors", maxWildcards)
	}
	return s, nil
}

func (p *parser) step() (step, error) {
	dot := p.at(".")
	if dot {
		p.rest = p.rest[1:]
	}
	switch {
	case p.at("["):
		return p.element()
	case p.at("*"):
		p.rest = p.rest[1:]
		return step{index: -1, all: true}, nil
	}
	name := p.run(func(r rune) bool { return isNameRune(r) || r == '@' || r == ':' || r == '#' || r == '/' })
	if name == "" {
		return step{}, badCharacter("$." + p.next())
	}
	return step{name: name, index: -1}, nil
}

// element takes what stands in brackets: a number, a star, or a property's name in quotation marks.
func (p *parser) element() (st step, err error) {
	p.rest = p.rest[1:]
	p.space()
	st.index = -1
	switch {
	case p.at("*"):
		p.rest = p.rest[1:]
		st.all = true
	case p.at("'") || p.at(`"`):
		st.name, err = p.quoted(p.rest[0])
	default:
		digits := p.run(func(r rune) bool { return '0' <= r && r <= '9' })
		if st.index, err = strconv.Atoi(digits); err != nil {
			return st, p.unexpected()
		}
	}
	if err == nil && !p.take("]") {
		err = p.unexpected()
	}
	return st, err
}
