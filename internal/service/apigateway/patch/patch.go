// Package patch applies API Gateway's patch operations: which paths a thing has, which operations each
// path takes, and the errors for all others. It knows JSON pointers; what a path means belongs to the
// tables that the service makes of it.
//
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
package patch

import (
	"fmt"
	"slices"
	"strings"
)

// Operation is one step of a patch.
type Operation struct {
	Op    string  // add, remove, replace, move, copy, test
	Path  *string // nil where the client left it out
	Value *string
	From  *string
}

// Error says why a patch does not apply. Its text is AWS's message.
type Error struct{ Message string }

func (e *Error) Error() string { return e.Message }

// Path is one path of a thing of type T.
type Path[T any] struct {
	// Pattern is a JSON pointer in which {name} stands for any one reference token.
	Pattern string
	Ops     []string
	// Apply makes the change. keys are what the pattern's {names} stand for, unescaped.
	Apply func(t *T, o Operation, keys []string) error
}

// Style is how a kind of thing words its errors: AWS has more than one.
type Style uint8

const (
	// Plain names the path alone, or the operations that the path takes.
	Plain Style = iota
	// PathOnly names the path alone, for a wrong operation too.
	PathOnly
	// Listing names all paths that take the operation.
	Listing
)

// Table is all the paths of a thing of type T.
type Table[T any] struct {
	Style Style
	Paths []Path[T]
	// Unknown, where set, words the error for a path that the table does not have.
	Unknown func(path string) string
}

// Apply applies the operations to t in order. It stops at the first that fails; t is then half
// changed and must be thrown away.
func (tb *Table[T]) Apply(t *T, operations []Operation) error {
	for _, o := range operations {
		if err := tb.apply(t, o); err != nil {
			return err
		}
	}
	return nil
}

func (tb *Table[T]) apply(t *T, o Operation) error {
	if tb.Style == Listing && !tb.takes(o.Op) {
		return &Error{fmt.Sprintf("Invalid patch path  '%s' specified for op '%s'. Please choose supported operations",
			text(o.Path), o.Op)}
	}
	tokens, err := Split(text(o.Path))
	if err != nil || o.Path == nil {
		return tb.unknown(o)
	}
	var ops []string
	for i := range tb.Paths {
		p := &tb.Paths[i]
		keys, ok := match(p.Pattern, tokens)
		if !ok {
			continue
		}
		if slices.Contains(p.Ops, o.Op) {
			return p.Apply(t, o, keys)
		}
		ops = append(ops, p.Ops...)
	}
	if len(ops) > 0 && tb.Style == Plain {
		return &Error{"Invalid patch operation specified. Must be one of: [" + strings.Join(ops, ", ") + "]"}
	}
	return tb.unknown(o)
}

func (tb *Table[T]) takes(op string) bool {
	return slices.ContainsFunc(tb.Paths, func(p Path[T]) bool { return slices.Contains(p.Ops, op) })
}

func (tb *Table[T]) unknown(o Operation) error {
	if tb.Unknown != nil {
		return &Error{tb.Unknown(text(o.Path))}
	}
	if tb.Style != Listing {
		return &Error{"Invalid patch path " + text(o.Path)}
	}
	var paths []string
	for _, p := range tb.Paths {
		if slices.Contains(p.Ops, o.Op) {
			paths = append(paths, p.Pattern)
		}
	}
	return &Error{fmt.Sprintf("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]",
		text(o.Path), o.Op, strings.Join(paths, ", "))}
}

// text is how AWS names a string in a message: null where there is none.
func text(s *string) string {
	if s == nil {
		return "null"
	}
	return *s
}

// match matches a pattern with a pointer's tokens.
func match(pattern string, tokens []string) (keys []string, ok bool) {
	parts := strings.Split(pattern, "/")[1:]
	if len(parts) != len(tokens) {
		return nil, false
	}
	for i, part := range parts {
		switch {
		case strings.HasPrefix(part, "{"):
			keys = append(keys, tokens[i])
		case part != tokens[i]:
			return nil, false
		}
	}
	return keys, true
}

// Split returns the reference tokens of a JSON pointer (RFC 6901).
func Split(pointer string) ([]string, error) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, fmt.Errorf("patch: %q is no JSON pointer", pointer)
	}
	tokens := strings.Split(pointer[1:], "/")
	for i, t := range tokens {
		for j := 0; j < len(t); j++ {
			if t[j] == '~' && (j+1 == len(t) || (t[j+1] != '0' && t[j+1] != '1')) {
				return nil, fmt.Errorf("patch: %q has an escape that is neither ~0 nor ~1", pointer)
			}
		}
		tokens[i] = unescape.Replace(t)
	}
	return tokens, nil
}

// Join makes a JSON pointer of reference tokens.
func Join(tokens ...string) string {
	var b strings.Builder
	for _, t := range tokens {
		b.WriteByte('/')
		b.WriteString(escape.Replace(t))
	}
	return b.String()
}

var (
	unescape = strings.NewReplacer("~1", "/", "~0", "~")
	escape   = strings.NewReplacer("~", "~0", "/", "~1")
)
