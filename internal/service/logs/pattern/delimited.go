package pattern

import (
	"strconv"
	"strings"
)

// delimited is the form for messages whose fields are divided by spaces.
type delimited struct {
	fields   []field
	ellipsis int // how many fields stand before "...", -1 where there is none
}

// field is one field with its name and conditions.
type field struct {
	name  string
	tests [][]comparison // any of the outer, all of the inner
}

func (f *field) holds(value string) bool {
	if len(f.tests) == 0 {
		return true
	}
	n, numeric := parseNumber(value)
	for _, all := range f.tests {
		holds := true
		for i := range all {
			if numeric {
				holds = holds && all[i].matchNumber(n, value)
			} else {
				holds = holds && all[i].matchText(value)
			}
		}
		if holds {
			return true
		}
	}
	return false
}

func (d *delimited) match(message string, values map[string]string) bool {
	words := splitWords(message)
	if len(words) < len(d.fields) || len(words) == 0 {
		return false
	}
	// Without an ellipsis the last field holds what remains of the message.
	if d.ellipsis < 0 && len(d.fields) > 0 && len(words) > len(d.fields) {
		last := len(d.fields) - 1
		words[last].text = strings.TrimRight(message[words[last].start:], " \t\r\n")
		words = words[:last+1]
	}
	skipped := len(words) - len(d.fields)
	for i := range d.fields {
		at := i
		if d.ellipsis >= 0 && i >= d.ellipsis {
			at += skipped
		}
		words[at].name = d.fields[i].name
		if !d.fields[i].holds(words[at].text) {
			return false
		}
	}
	if values != nil {
		for i, w := range words {
			if w.name == "" {
				w.name = strconv.Itoa(i + 1)
			}
			values["$"+w.name] = w.text
		}
	}
	return true
}

// word is one field of a message, and where it starts.
type word struct {
	name  string
	text  string
	start int
}

// splitWords divides a message at spaces. What stands in brackets or quotation marks is one word,
// without them; where they are not closed, they are characters like others.
func splitWords(message string) []word {
	var words []word
	for i := 0; i < len(message); {
		if isSpace(message[i]) {
			i++
			continue
		}
		start := i
		if end := enclosed(message[i:]); end > 0 {
			words = append(words, word{text: message[i+1 : i+end], start: start})
			i += end + 1
			continue
		}
		for i < len(message) && !isSpace(message[i]) {
			i++
		}
		words = append(words, word{text: message[start:i], start: start})
	}
	return words
}

// enclosed is where the word that s begins with is closed, 0 where it is not enclosed.
func enclosed(s string) int {
	var closing byte
	switch s[0] {
	case '[':
		closing = ']'
	case '"':
		closing = '"'
	default:
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] == closing && (i+1 == len(s) || isSpace(s[i+1])):
			return i
		}
	}
	return 0
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

func (p *parser) delimited() (matcher, error) {
	p.take("[")
	d := &delimited{ellipsis: -1}
	if !p.take("]") {
		if err := p.fields(d); err != nil {
			return nil, err
		}
	}
	if p.space(); p.rest != "" {
		return nil, p.unexpected()
	}
	return d, nil
}

// fields takes the fields and the closing bracket.
func (p *parser) fields(d *delimited) error {
	names := map[string]bool{}
	for {
		if p.take("...") {
			if d.ellipsis >= 0 {
				return syntaxf("Invalid filter pattern: it has more than one ellipsis")
			}
			d.ellipsis = len(d.fields)
		} else {
			f, err := p.field()
			if err != nil {
				return err
			}
			if names[f.name] {
				return syntaxf("Invalid filter pattern: the field '%s' appears twice", f.name)
			}
			names[f.name] = true
			d.fields = append(d.fields, f)
		}
		if p.take("]") {
			return nil
		}
		if !p.take(",") {
			return p.unexpected()
		}
	}
}

func (p *parser) field() (f field, err error) {
	p.space()
	if f.name = p.run(isNameRune); f.name == "" {
		return f, p.unexpected()
	}
	p.space()
	if p.rest == "" || p.at(",") || p.at("]") {
		return f, nil
	}
	c, err := p.comparison()
	f.tests = [][]comparison{{c}}
	for err == nil {
		or := p.take("||")
		if !or && !p.take("&&") {
			break
		}
		if c, err = p.condition(f.name); err != nil {
			break
		}
		if or {
			f.tests = append(f.tests, []comparison{c})
		} else {
			last := len(f.tests) - 1
			f.tests[last] = append(f.tests[last], c)
		}
	}
	return f, err
}

// condition takes a further condition on the field of the given name; AWS's own examples differ in
// the name's case.
func (p *parser) condition(name string) (comparison, error) {
	p.space()
	if again := p.run(isNameRune); !strings.EqualFold(again, name) {
		return comparison{}, syntaxf("Invalid filter pattern: a condition on '%s' stands with the field '%s'", again, name)
	}
	return p.comparison()
}
