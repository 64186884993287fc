// Package intrinsic is the functions that a payload template may call: States.Format and its kin, nested,
// with arguments that are literals, paths or calls.
//
// https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
package intrinsic

import (
	"errors"
	"fmt"
	"strings"

	"cirro/internal/asl/document"
	"cirro/internal/asl/jsonpath"
)

// Call is a compiled call.
type Call struct {
	Text     string
	function function
	args     []argument
}

// argument is a *Call, a *jsonpath.Path, or else a literal's value.
type argument any

// literal is a string in quotes: for Format it is the template, with its escapes.
type literal struct{ value, raw string }

// Is reports whether a template's text is a call, not a path.
func Is(text string) bool { return strings.HasPrefix(text, "States.") }

// maxNesting is how deep calls may nest.
// https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
const maxNesting = 10

// Parse compiles a call.
func Parse(text string) (*Call, error) {
	p := parser{text: text}
	call, err := p.call(0)
	if err != nil {
		return nil, err
	}
	if p.space(); p.at < len(text) {
		return nil, fmt.Errorf("unexpected %q after the call", text[p.at:])
	}
	return call, nil
}

// Paths are the paths of all arguments.
func (c *Call) Paths() (paths []*jsonpath.Path) {
	for _, a := range c.args {
		switch a := a.(type) {
		case *jsonpath.Path:
			paths = append(paths, a)
		case *Call:
			paths = append(paths, a.Paths()...)
		}
	}
	return paths
}

// Eval calls the function. lookup finds what a path names; its errors are returned as they are. All errors are about
// the whole call, whichever function within it failed.
func (c *Call) Eval(lookup func(*jsonpath.Path) (any, error)) (any, error) {
	left := document.MaxWork
	return c.eval(lookup, &left)
}

// eval takes the size of what it makes from what is left: so what a function gets is not larger either.
func (c *Call) eval(lookup func(*jsonpath.Path) (any, error), left *int) (any, error) {
	args := make([]any, len(c.args))
	for i, a := range c.args {
		var err error
		switch a := a.(type) {
		case *Call:
			args[i], err = a.eval(lookup, left)
		case *jsonpath.Path:
			if args[i], err = lookup(a); err == nil && !a.Definite && !document.Fits(args[i], left) {
				err = c.invalid(errArguments)
			}
		case literal:
			if args[i] = a.value; c.function.template && i == 0 {
				args[i] = a
			}
		default:
			args[i] = a
		}
		if err != nil {
			return nil, err
		}
	}
	if n := len(args); n < c.function.least || c.function.most >= 0 && n > c.function.most {
		return nil, c.invalid(errArguments)
	}
	v, err := c.function.apply(args)
	if err == nil && !document.Fits(v, left) {
		err = errArguments
	}
	if err != nil {
		return nil, c.invalid(err)
	}
	return v, nil
}

// invalid says which function has the wrong arguments.
func (c *Call) invalid(err error) error {
	return reason(strings.ReplaceAll(err.Error(), "%s", c.function.name))
}

type parser struct {
	text string
	at   int
}

func (p *parser) space() {
	for p.at < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.at])) {
		p.at++
	}
}

func (p *parser) take(c byte) bool {
	p.space()
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *parser) call(depth int) (*Call, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("calls nest more than %d deep", maxNesting)
	}
	p.space()
	start := p.at
	n := strings.IndexByte(p.text[p.at:], '(')
	if n < 0 {
		return nil, errors.New("a call has its arguments in parentheses")
	}
	name := strings.TrimSpace(p.text[p.at : p.at+n])
	f, ok := functions[name]
	if !ok {
		return nil, fmt.Errorf("there is no function %q", name)
	}
	f.name = name
	c := &Call{function: f}
	p.at += n + 1
	for first := true; !p.take(')'); first = false {
		if !first && !p.take(',') {
			return nil, errors.New("arguments are parted by commas, and end with a parenthesis")
		}
		a, err := p.argument(depth)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, a)
	}
	c.Text = p.text[start:p.at]
	return c, nil
}

func (p *parser) argument(depth int) (argument, error) {
	p.space()
	rest := p.text[p.at:]
	switch {
	case rest == "":
		return nil, errors.New("an argument is missing")
	case rest[0] == '\'':
		return p.quoted()
	case rest[0] == '$':
		end := pathEnd(rest)
		p.at += end
		return jsonpath.Parse(strings.TrimSpace(rest[:end]))
	case Is(rest):
		return p.call(depth + 1)
	}
	end := strings.IndexAny(rest, ",)")
	if end < 0 {
		return nil, errors.New("the arguments do not end")
	}
	p.at += end
	v, err := document.Decode([]byte(rest[:end]))
	if err != nil {
		return nil, fmt.Errorf("%q is no argument", rest[:end])
	}
	switch v.(type) {
	case string, []any, *document.Object:
		return nil, fmt.Errorf("%q is no argument", rest[:end])
	}
	return v, nil
}

// quoted reads a string in single quotes. A backslash escapes a quote, a brace and itself.
func (p *parser) quoted() (argument, error) {
	var value, raw strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case '\'':
			p.at++
			return literal{value.String(), raw.String()}, nil
		case '\\':
			if p.at+1 == len(p.text) {
				return nil, errors.New("a string ends in a backslash")
			}
			p.at++
			next := p.text[p.at]
			switch next {
			case '\'', '{', '}', '\\':
				value.WriteByte(next)
			case 'n':
				value.WriteByte('\n')
			case 't':
				value.WriteByte('\t')
			case 'r':
				value.WriteByte('\r')
			default:
				value.WriteByte('\\')
				value.WriteByte(next)
			}
			raw.WriteByte('\\')
			raw.WriteByte(next)
		default:
			value.WriteByte(c)
			raw.WriteByte(c)
		}
	}
	return nil, errors.New("a string is not closed")
}

// pathEnd is where the path that s begins with ends: at a comma or a parenthesis outside of brackets.
func pathEnd(s string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quote != 0 && c == '\\':
			i++
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[' || c == '(':
			depth++
		case (c == ',' || c == ')') && depth == 0:
			return i
		case c == ']' || c == ')':
			depth--
		}
	}
	return len(s)
}
