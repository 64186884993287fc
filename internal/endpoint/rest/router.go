package rest

import (
	"net/url"
	"strings"

	"cirro/internal/endpoint/wire"
)

// Router finds a service's operation by method and path. It is a tree with one level a segment.
type Router struct{ root node }

type node struct {
	static map[string]*node
	label  *node
	greedy *node   // behind a {label+}
	next   []*node // of a greedy node: those whose path goes on behind it
	suffix string  // with which the path of such a node ends
	routes []route // of paths that end here
}

type route struct {
	method string
	query  []parameter // that the path in the model names
	op     *wire.Operation
}

type parameter struct{ name, value string }

// NewRouter compiles the paths of a service's operations.
func NewRouter(s *wire.Service) *Router {
	r := &Router{}
	for i := range s.Operations {
		r.add(s.Lookup(s.Operations[i].Name))
	}
	return r
}

func (r *Router) add(op *wire.Operation) {
	path, query, _ := strings.Cut(op.Path, "?")
	n := &r.root
	segments := split(path)
	for i, segment := range segments {
		if strings.HasSuffix(segment, "+}") {
			n = n.behindGreedy(segments[i+1:])
			break
		}
		n = n.child(segment)
	}
	n.routes = append(n.routes, route{op.Method, parameters(query), op})
}

func (n *node) child(segment string) *node {
	if strings.HasPrefix(segment, "{") {
		if n.label == nil {
			n.label = &node{}
		}
		return n.label
	}
	if n.static == nil {
		n.static = map[string]*node{}
	}
	if n.static[segment] == nil {
		n.static[segment] = &node{}
	}
	return n.static[segment]
}

func (n *node) behindGreedy(suffix []string) *node {
	if n.greedy == nil {
		n.greedy = &node{}
	}
	if len(suffix) == 0 {
		return n.greedy
	}
	next := &node{suffix: "/" + strings.Join(suffix, "/")}
	n.greedy.next = append(n.greedy.next, next)
	return next
}

func parameters(query string) []parameter {
	var out []parameter
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" {
			out = append(out, parameter{name, value})
		}
	}
	return out
}

func split(path string) []string {
	path = strings.Trim(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// Match is what a router finds.
type Match struct {
	Operation *wire.Operation // nil for none
	Labels    []string        // values of the labels in the path's order, unescaped
	Path      bool            // some operation has the path, if not the method
}

// Match finds the operation for a request. path is escaped as it came; query is the raw query string.
// Where several paths fit, constants win over labels, and the one that names more query parameters wins.
func (r *Router) Match(method, path, query string) Match {
	s := search{method: method, query: query}
	if len(path) > 0 && path[0] == '/' {
		path = path[1:]
	}
	s.walk(&r.root, path, path != "")
	return s.Match
}

type search struct {
	Match
	method, query string
	labels        [8]string
}

// walk tries the rest of the path below n. more says that a segment follows, if an empty one.
func (s *search) walk(n *node, path string, more bool) bool {
	if !more {
		return s.end(n)
	}
	if path == "" && len(n.routes) > 0 && s.end(n) { // a slash at the end counts for nothing
		return true
	}
	segment, rest, more := strings.Cut(path, "/")
	if next := n.static[segment]; next != nil && s.walk(next, rest, more) {
		return true
	}
	if n.label != nil {
		if s.try(segment, func() bool { return s.walk(n.label, rest, more) }) {
			return true
		}
	}
	return n.greedy != nil && s.walkGreedy(n.greedy, path)
}

func (s *search) walkGreedy(n *node, path string) bool {
	for _, next := range n.next {
		if value, ok := strings.CutSuffix(strings.TrimSuffix(path, "/"), next.suffix); ok {
			if s.try(value, func() bool { return s.end(next) }) {
				return true
			}
		}
	}
	return s.try(path, func() bool { return s.end(n) })
}

// try goes on with one more label, and takes it back where that leads nowhere.
func (s *search) try(escaped string, on func() bool) bool {
	value, err := url.PathUnescape(escaped)
	if err != nil {
		return false
	}
	if s.Labels == nil {
		s.Labels = s.labels[:0]
	}
	s.Labels = append(s.Labels, value)
	if on() {
		return true
	}
	s.Labels = s.Labels[:len(s.Labels)-1]
	return false
}

// end chooses among the operations whose path ends at n.
func (s *search) end(n *node) bool {
	best := -1
	for i := range n.routes {
		s.Path = true
		r := &n.routes[i]
		if r.method == s.method && (best < 0 || len(r.query) > len(n.routes[best].query)) && hasAll(s.query, r.query) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	s.Operation = n.routes[best].op
	return true
}

func hasAll(query string, want []parameter) bool {
	for _, p := range want {
		if !has(query, p) {
			return false
		}
	}
	return true
}

func has(query string, want parameter) bool {
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		name, value, _ := strings.Cut(pair, "=")
		if name == want.name && (want.value == "" || value == want.value) {
			return true
		}
	}
	return false
}
