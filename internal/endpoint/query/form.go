package query

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/wire"
)

// MalformedQueryString is the answer to a form that cannot be read.
var MalformedQueryString = &awsapi.ErrorType{Code: "MalformedQueryString", Status: 404}

// ParseForm reads an application/x-www-form-urlencoded body.
func ParseForm(body string) (*wire.Form, error) {
	form := &wire.Form{}
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return nil, MalformedQueryString.New("The query string contains a syntax error.")
		}
		form.Names = append(form.Names, name)
		form.Values = append(form.Values, value)
	}
	return form, nil
}

// tree is the form by the dots in its names.
type tree struct {
	name     string
	value    string
	set      bool
	children []*tree          // in the order they came
	index    map[string]*tree // nil while the children are few
}

// What a form may hold: how deep its names nest, and how many different parts they have in all. No
// operation of any service comes near.
const (
	maxDepth = 32
	maxParts = 1 << 18
	few      = 8
)

var errTooManyParts = wire.Malformed("The request has too many parameters")

// plant makes the tree of a form. Of two values for one name the last counts.
func plant(form *wire.Form) (*tree, error) {
	root, parts := &tree{}, 0
	for i, name := range form.Names {
		t, depth := root, 0
		for part := range strings.SplitSeq(name, ".") {
			if depth++; depth > maxDepth {
				return nil, wire.ErrTooDeep
			}
			c := t.child(part)
			if c == nil {
				if parts++; parts > maxParts {
					return nil, errTooManyParts
				}
				c = t.grow(part)
			}
			t = c
		}
		t.value, t.set = form.Values[i], true
	}
	return root, nil
}

// child returns the child of that name, or nil.
func (t *tree) child(name string) *tree {
	if t.index != nil {
		return t.index[name]
	}
	for _, c := range t.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

func (t *tree) grow(name string) *tree {
	c := &tree{name: name}
	t.children = append(t.children, c)
	switch {
	case t.index != nil:
		t.index[name] = c
	case len(t.children) > few:
		t.index = make(map[string]*tree, 2*few)
		for _, c := range t.children {
			t.index[c.name] = c
		}
	}
	return c
}

// numbered returns the children that numbers name, in the numbers' order.
func (t *tree) numbered() []*tree {
	type entry struct {
		n int
		t *tree
	}
	var found []entry
	for _, c := range t.children {
		if n, err := strconv.Atoi(c.name); err == nil && n >= 0 {
			found = append(found, entry{n, c})
		}
	}
	slices.SortStableFunc(found, func(a, b entry) int { return a.n - b.n })
	out := make([]*tree, len(found))
	for i, e := range found {
		out[i] = e.t
	}
	return out
}
