// Package jsonpath finds values in JSON documents by the paths that EventBridge, its Scheduler and Pipes take:
// names behind dots or in brackets, indices of arrays, and stars. Values come out as they are written, numbers
// to the last digit and members in their order.
//
// It owns that small language; what becomes of a value is its callers' concern.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
package jsonpath

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Path is a path: steps down from the document.
type Path []step

// step is a member's name, an element's index, or all that there is.
type step struct {
	name  string
	index int // -1 where it is none
	all   bool
}

// Parse reads a path, which begins with "$".
func Parse(text string) (Path, error) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Errorf("%q does not begin with $", text)
	}
	var p Path
	for rest != "" {
		var s step
		var err error
		switch rest[0] {
		case '.':
			s, rest, err = dotted(rest[1:])
		case '[':
			s, rest, err = bracketed(rest[1:])
		default:
			err = fmt.Errorf("a step begins with a dot or a bracket")
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", text, err)
		}
		p = append(p, s)
	}
	return p, nil
}

func dotted(rest string) (s step, after string, err error) {
	end := strings.IndexAny(rest, ".[")
	if end < 0 {
		end = len(rest)
	}
	name := rest[:end]
	if name == "" || strings.ContainsAny(name, "]()?@'\" ") {
		return s, "", fmt.Errorf("%q is no name", name)
	}
	return step{name: name, index: -1, all: name == "*"}, rest[end:], nil
}

func bracketed(rest string) (s step, after string, err error) {
	if rest != "" && (rest[0] == '\'' || rest[0] == '"') {
		quote := rest[:1]
		name, after, ok := strings.Cut(rest[1:], quote+"]")
		if !ok || name == "" {
			return s, "", fmt.Errorf("a quote is not closed")
		}
		return step{name: name, index: -1}, after, nil
	}
	text, after, ok := strings.Cut(rest, "]")
	if !ok {
		return s, "", fmt.Errorf("a bracket is not closed")
	}
	if text == "*" {
		return step{index: -1, all: true}, after, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return s, "", fmt.Errorf("%q is no index", text)
	}
	return step{index: int(n)}, after, nil
}

// many reports whether the path may stand for several values.
func (p Path) many() bool {
	for _, s := range p {
		if s.all {
			return true
		}
	}
	return false
}

// Find returns the value at the path, as it is written; false where there is none. A path with stars finds an
// array of all values.
func (p Path) Find(document []byte) (jsontext.Value, bool) {
	found, err := p.walk([]jsontext.Value{document})
	if err != nil || len(found) == 0 && !p.many() {
		return nil, false
	}
	if !p.many() {
		return found[0], true
	}
	all := []byte{'['}
	for i, v := range found {
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, v...)
	}
	return append(all, ']'), true
}

func (p Path) walk(at []jsontext.Value) ([]jsontext.Value, error) {
	for _, s := range p {
		var next []jsontext.Value
		for _, v := range at {
			found, err := s.take(v)
			if err != nil {
				return nil, err
			}
			next = append(next, found...)
		}
		at = next
	}
	for i, v := range at {
		at[i] = bytes.TrimSpace(v)
	}
	return at, nil
}

// take goes one step down.
func (s step) take(v jsontext.Value) (found []jsontext.Value, err error) {
	d := jsontext.NewDecoder(bytes.NewReader(v), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	open := d.PeekKind()
	if open != '{' && open != '[' || open == '{' && s.index >= 0 || open == '[' && s.index < 0 && !s.all {
		return nil, nil
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	for i := 0; d.PeekKind() != '}' && d.PeekKind() != ']'; i++ {
		wanted := s.all || i == s.index
		if open == '{' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			wanted = s.all || name.String() == s.name
		}
		if !wanted {
			if err := d.SkipValue(); err != nil {
				return nil, err
			}
			continue
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		found = append(found, bytes.Clone(value))
		if !s.all && open == '[' {
			break
		}
	}
	if !s.all && len(found) > 1 { // a name that comes twice counts as it came last
		found = found[len(found)-1:]
	}
	return found, nil
}
