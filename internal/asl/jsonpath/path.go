// Package jsonpath is JSONPath as Amazon States Language has it: paths into a state's input ($), into the
// context object ($$) and into variables ($name). Its dialect is that of Jayway's library, which the
// service uses: names after a dot may hold what dots, brackets, parentheses and spaces do not part.
//
// Definite paths, by far the most, are walked here; all others are ohler55/ojg's.
//
// https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
package jsonpath

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/asl/document"

	"github.com/ohler55/ojg/jp"
)

// Root is what a path begins in.
type Root int

// The roots.
const (
	Input Root = iota
	Context
	Variable
)

// Path is a compiled path.
type Path struct {
	Text     string
	Root     Root
	Name     string // of the variable
	Definite bool   // it names at most one value

	steps []any     // of a definite path: names and indexes
	parts []jp.Expr // of another path: one after the other, each below what the one before found
}

// maxFound bounds how many values a path may find on its way: more than an input has.
const maxFound = 1 << 18

// Parse compiles a path.
func Parse(text string) (*Path, error) {
	p := &Path{Text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, errors.New("a path begins with $")
	}
	if after, ok := strings.CutPrefix(rest, "$"); ok {
		p.Root, rest = Context, after
	} else if n := nameLength(rest); n > 0 {
		p.Root, p.Name, rest = Variable, rest[:n], rest[n:]
	}
	s := scanner{text: rest}
	if err := s.path(); err != nil {
		return nil, err
	}
	if s.definite() {
		p.Definite, p.steps = true, s.steps
		return p, nil
	}
	expr, err := jp.ParseString("$" + s.out.String())
	if err != nil {
		return nil, err
	}
	p.parts = parts(expr[1:])
	return p, nil
}

// parts cuts an expression, so that what it finds can be counted on the way: the library finds all at once, and of
// what two descents find it leaves some out. A filter that looks at the root needs it, and is not cut off.
func parts(expr jp.Expr) (list []jp.Expr) {
	if strings.Contains(expr.String(), "$") {
		return []jp.Expr{expr}
	}
	for i := 0; i < len(expr); i++ {
		first := i
		if _, descends := expr[i].(jp.Descent); descends {
			i++ // to what it looks for at every depth
		}
		list = append(list, expr[first:i+1])
	}
	return list
}

// nameLength is how much of s is a variable's name.
// https://docs.aws.amazon.com/step-functions/latest/dg/workflow-variables.html#limits-and-considerations
func nameLength(s string) int {
	for i, r := range s {
		if !(r == '_' || isLetter(r) || i > 0 && (r >= '0' && r <= '9' || r == '-')) {
			return i
		}
	}
	return len(s)
}

func isLetter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127 }

// Steps are the names (string) and indexes (int) of a definite path.
func (p *Path) Steps() []any { return p.steps }

// Parent is a definite path without its last step.
func (p *Path) Parent() *Path {
	parent := *p
	parent.steps = p.steps[:len(p.steps)-1]
	return &parent
}

// Get reads what the path names below root. found is false where a definite path leads nowhere; a path
// that is not definite finds a list, which may be empty, and nothing where that would be very long.
func (p *Path) Get(root any) (v any, found bool) {
	if !p.Definite {
		return p.all(root)
	}
	for _, step := range p.steps {
		switch step := step.(type) {
		case string:
			object, ok := root.(*document.Object)
			if !ok {
				return nil, false
			}
			if root, ok = object.Get(step); !ok {
				return nil, false
			}
		case int:
			list, ok := root.([]any)
			if step < 0 {
				step += len(list)
			}
			if !ok || step < 0 || step >= len(list) {
				return nil, false
			}
			root = list[step]
		}
	}
	return root, true
}

func (p *Path) all(root any) (any, bool) {
	found := []any{root}
	for _, part := range p.parts {
		next := []any{}
		for _, v := range found {
			if next = append(next, part.Get(v)...); len(next) > maxFound {
				return nil, false
			}
		}
		found = next
	}
	return found, true
}

// Reference compiles a path that names one place, of names and indexes only.
// https://states-language.net/spec.html#ref-paths
func Reference(text string) (*Path, error) {
	p, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if !p.Definite || p.Root != Input {
		return nil, fmt.Errorf("%q is not a reference path", text)
	}
	return p, nil
}

// Set returns what root is with v at the path's place: objects on the way are made, lists must be there.
// root itself stays as it is. Where the path leads through what is neither, there is an error.
func (p *Path) Set(root, v any) (any, error) { return set(root, p.steps, v) }

var errNoPlace = errors.New("the path leads through what is no object")

func set(at any, steps []any, v any) (any, error) {
	if len(steps) == 0 {
		return v, nil
	}
	switch step := steps[0].(type) {
	case string:
		object, ok := at.(*document.Object)
		switch {
		case at == nil:
			object = document.NewObject()
		case !ok:
			return nil, errNoPlace
		default:
			object = object.Clone()
		}
		below, _ := object.Get(step)
		below, err := set(below, steps[1:], v)
		if err != nil {
			return nil, err
		}
		object.Set(step, below)
		return object, nil
	case int:
		list, ok := at.([]any)
		if !ok || step < 0 || step >= len(list) {
			return nil, errNoPlace
		}
		below, err := set(list[step], steps[1:], v)
		if err != nil {
			return nil, err
		}
		list = slices.Clone(list)
		list[step] = below
		return list, nil
	}
	return nil, errNoPlace
}

// scanner reads a path after its root. It knows the steps of a definite one, and writes any one out again
// with all names in brackets, as the library wants them.
type scanner struct {
	text  string
	at    int
	out   strings.Builder
	steps []any
	many  bool // not definite
}

func (s *scanner) definite() bool { return !s.many }

func (s *scanner) path() error {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case '.':
			if err := s.dot(); err != nil {
				return err
			}
		case '[':
			if err := s.bracket(); err != nil {
				return err
			}
		default:
			return s.unexpected()
		}
	}
	return nil
}

func (s *scanner) unexpected() error {
	if s.at >= len(s.text) {
		return errors.New("the path ends too early")
	}
	return fmt.Errorf("unexpected %q in the path", s.text[s.at:])
}

func (s *scanner) dot() error {
	s.at++
	if strings.HasPrefix(s.text[s.at:], ".") {
		s.at++
		s.many = true
		s.out.WriteString("..")
		if strings.HasPrefix(s.text[s.at:], "[") {
			return s.bracket()
		}
		return s.name("")
	}
	return s.name(".")
}

// name reads a name or * after a dot or two.
func (s *scanner) name(dot string) error {
	n := strings.IndexAny(s.text[s.at:], ".[]() ")
	if n < 0 {
		n = len(s.text) - s.at
	}
	name := s.text[s.at : s.at+n]
	if name == "" || s.at+n < len(s.text) && strings.ContainsAny(s.text[s.at+n:s.at+n+1], "]() ") {
		s.at += n
		return s.unexpected()
	}
	s.at += n
	if name == "*" {
		s.many = true
		s.out.WriteString(dot + "*")
		return nil
	}
	s.step(name)
	s.out.WriteString(quoted(name))
	return nil
}

func (s *scanner) step(v any) { s.steps = append(s.steps, v) }

func quoted(name string) string {
	return "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(name) + "']"
}

// bracket reads [...].
func (s *scanner) bracket() error {
	end := closing(s.text[s.at:])
	if end < 0 {
		return errors.New("a bracket is not closed")
	}
	inner := strings.TrimSpace(s.text[s.at+1 : s.at+end])
	s.at += end + 1
	if inner == "" {
		return errors.New("empty brackets in the path")
	}
	if name, ok := unquote(inner); ok {
		s.step(name)
		s.out.WriteString(quoted(name))
		return nil
	}
	if n, err := strconv.Atoi(inner); err == nil {
		s.step(n)
		s.out.WriteString("[" + inner + "]")
		return nil
	}
	s.many = true
	if strings.HasPrefix(inner, "?") {
		filter, err := filterNames(inner)
		if err != nil {
			return err
		}
		inner = filter
	} else if strings.ContainsAny(inner, "()@$") {
		return fmt.Errorf("[%s] is not supported", inner)
	}
	s.out.WriteString("[" + inner + "]")
	return nil
}

// closing is where the bracket that s begins with is closed, -1 for nowhere.
func closing(s string) int {
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
		case c == ']' || c == ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// unquote reads one quoted name.
func unquote(s string) (string, bool) {
	if len(s) < 2 || s[0] != '\'' && s[0] != '"' || s[len(s)-1] != s[0] {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == s[0] {
			return "", false // more than one
		}
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), true
}

// filterNames puts the names after dots in a filter into brackets.
func filterNames(filter string) (string, error) {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(filter); i++ {
		c := filter[i]
		switch {
		case quote != 0:
			b.WriteByte(c)
			if c == '\\' && i+1 < len(filter) {
				i++
				b.WriteByte(filter[i])
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
			b.WriteByte(c)
		case c == '.' && i > 0 && afterPath(filter[:i]):
			n := strings.IndexAny(filter[i+1:], ".[]() <>=!&|,~")
			if n < 0 {
				n = len(filter) - i - 1
			}
			name := filter[i+1 : i+1+n]
			if name == "" || name == "*" || i+1+n < len(filter) && filter[i+1+n] == '(' {
				return "", fmt.Errorf("unexpected %q in a filter", filter[i:])
			}
			b.WriteString(quoted(name))
			i += n
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// afterPath reports whether a dot after s goes on with a path: it is no number's.
func afterPath(s string) bool {
	c := s[len(s)-1]
	return c == '@' || c == '$' || c == ']' || !(c >= '0' && c <= '9') && !strings.ContainsRune(" (<>=!&|,", rune(c))
}
