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
	children []*tree // in the order they came
	index    map[string]*tree
}

// plant makes the tree of a form. Of two values for one name the last counts.
func plant(form *wire.Form) (*tree, error) {
	root := &tree{}
	for i, name := range form.Names {
		t, depth := root, 0
		for part := range strings.SplitSeq(name, ".") {
			if depth++; depth > wire.MaxDepth {
				return nil, wire.ErrTooDeep
			}
			t = t.child(part)
		}
		t.value, t.set = form.Values[i], true
	}
	return root, nil
}

func (t *tree) child(name string) *tree {
	if c := t.index[name]; c != nil {
		return c
	}
	c := &tree{name: name}
	if t.index == nil {
		t.index = map[string]*tree{}
	}
	t.index[name] = c
	t.children = append(t.children, c)
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
