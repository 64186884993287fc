// Package route finds the resource that a request's path means among the resources of a REST API. It
// knows paths alone: methods and what they do belong to the service.
//
// A static part wins over {param}, and {param} over {proxy+}:
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-settings-method-request.html
package route

import (
	"net/url"
	"strings"
)

// Tree is the resources of an API by their paths. The zero value has none. It may be read by many
// goroutines once it is built.
type Tree[T any] struct{ root node[T] }

type node[T any] struct {
	value  *T
	static map[string]*node[T]
	param  *node[T]
	greedy *node[T]
	name   string // of the variable that leads here
}

// Add adds a value under a resource's path: "/", "/users/{id}", "/{proxy+}".
func (t *Tree[T]) Add(path string, value T) {
	n := &t.root
	for _, part := range segments(path) {
		n = n.child(part)
	}
	n.value = &value
}

func (n *node[T]) child(part string) *node[T] {
	name, kind := Variable(part)
	var slot **node[T]
	switch kind {
	case Greedy:
		slot = &n.greedy
	case Param:
		slot = &n.param
	default:
		if n.static == nil {
			n.static = map[string]*node[T]{}
		}
		c := n.static[part]
		if c == nil {
			c = &node[T]{}
			n.static[part] = c
		}
		return c
	}
	if *slot == nil {
		*slot = &node[T]{name: name}
	}
	return *slot
}

// Kind says what a path part stands for.
type Kind uint8

// A part stands for itself, for one segment, or for all the segments that follow.
const (
	Static Kind = iota
	Param
	Greedy
)

// Variable returns a part's kind, and the name of its variable.
func Variable(part string) (name string, kind Kind) {
	if len(part) < 3 || part[0] != '{' || part[len(part)-1] != '}' {
		return "", Static
	}
	if name, ok := strings.CutSuffix(part[1:len(part)-1], "+"); ok {
		return name, Greedy
	}
	return part[1 : len(part)-1], Param
}

// Find returns the value of the resource that path means, and the values of its variables as they
// stand in the path: API Gateway does not decode them. path is as it came, percent-encoded. Slashes at
// its end do not count. ok is false where no resource matches.
func (t *Tree[T]) Find(path string) (value T, variables map[string]string, ok bool) {
	m := matcher[T]{}
	found := m.find(&t.root, segments(path))
	if found == nil {
		return value, nil, false
	}
	if len(m.bound) > 0 {
		variables = make(map[string]string, len(m.bound))
		for _, b := range m.bound {
			variables[b[0]] = b[1]
		}
	}
	return *found.value, variables, true
}

type matcher[T any] struct {
	bound [][2]string // the variables on the way from the root
}

func (m *matcher[T]) find(n *node[T], rest []string) *node[T] {
	if len(rest) == 0 {
		if n.value == nil {
			return nil
		}
		return n
	}
	if c := n.static[decoded(rest[0])]; c != nil {
		if found := m.find(c, rest[1:]); found != nil {
			return found
		}
	}
	if n.param != nil && rest[0] != "" {
		if found := m.bind(n.param, rest[0], rest[1:]); found != nil {
			return found
		}
	}
	if n.greedy != nil {
		return m.bind(n.greedy, strings.Join(rest, "/"), nil)
	}
	return nil
}

func (m *matcher[T]) bind(n *node[T], value string, rest []string) *node[T] {
	m.bound = append(m.bound, [2]string{n.name, value})
	found := m.find(n, rest)
	if found == nil {
		m.bound = m.bound[:len(m.bound)-1]
	}
	return found
}

// decoded is what a static part is compared with. A segment with a broken escape stands for itself.
func decoded(segment string) string {
	if s, err := url.PathUnescape(segment); err == nil {
		return s
	}
	return segment
}

func segments(path string) []string {
	path = strings.TrimRight(strings.TrimPrefix(path, "/"), "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}
