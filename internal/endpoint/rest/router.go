package rest

import (
	"net/http"
	"net/url"
	"strings"

	"cirro/internal/awsapi"
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
	needs  []need      // what else the operation cannot do without
	op     *wire.Operation
}

// need is a parameter of the query string, or a header in canonical form.
type need struct {
	name   string
	header bool
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
	n.routes = append(n.routes, route{op.Method, parameters(query), needs(op), op})
}

// needs are the members that an operation requires outside path and body: some operations of S3 differ by them
// alone.
func needs(op *wire.Operation) (out []need) {
	if op.Input == awsapi.NoShape {
		return nil
	}
	for _, m := range op.Service.Shape(op.Input).Members {
		switch {
		case m.Required && m.Location == awsapi.QueryString:
			out = append(out, need{m.WireName(), false})
		case m.Required && m.Location == awsapi.Header:
			out = append(out, need{http.CanonicalHeaderKey(m.WireName()), true})
		}
	}
	return out
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
// Where several paths fit, constants win over labels. Of several operations with one path the one wins that
// names more of the query's parameters, then the one that has all it needs and needs more, then the one that is
// not deprecated.
func (r *Router) Match(method, path, query string, header http.Header) Match {
	s := search{method: method, query: query, header: header}
	if len(path) > 0 && path[0] == '/' {
		path = path[1:]
	}
	s.walk(&r.root, path, path != "")
	return s.Match
}

type search struct {
	Match
	method, query string
	header        http.Header
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
	var best *route
	rank := 0
	for i := range n.routes {
		s.Path = true
		r := &n.routes[i]
		if r.method != s.method || !hasAll(s.query, r.query) {
			continue
		}
		if new := s.rank(r); best == nil || new > rank || new == rank && best.op.Deprecated && !r.op.Deprecated {
			best, rank = r, new
		}
	}
	if best == nil {
		return false
	}
	s.Operation = best.op
	return true
}

// rank says how well a request fits a route.
func (s *search) rank(r *route) int {
	for _, n := range r.needs {
		if n.header && len(s.header[n.name]) == 0 || !n.header && !has(s.query, parameter{name: n.name}) {
			return len(r.query) << 8
		}
	}
	return len(r.query)<<8 + 1 + len(r.needs)
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
