// Package filter is the language of Amazon SNS's filter policies: what a subscription wants of the messages
// that are published to its topic, by their attributes or by their body.
//
// It reads policies with AWS's errors, down to the place in the text, and matches them. It knows nothing of
// topics, and it is not the language of EventBridge, which has other operators and other limits.
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html
package filter

import (
	"math"
	"net/netip"
	"strings"
)

// What a policy looks at.
const (
	ScopeAttributes = "MessageAttributes"
	ScopeBody       = "MessageBody"
)

// Policy is a compiled policy. A nil one wants everything.
type Policy struct {
	root node
	// Scope is what the policy looks at.
	Scope string
}

// node wants all of its conditions.
type node struct{ all []condition }

// condition is about one key, or a choice of others.
type condition struct {
	key    string
	values []matcher // any of them, of the key's value
	child  *node     // of the object that is the key's value
	or     []node    // any of them
}

// matcher matches a value. present says whether there is one.
type matcher interface {
	match(v any, present bool) bool
}

// Match reports whether a policy wants an event.
func (p *Policy) Match(e Event) bool {
	return p == nil || len(p.root.all) == 0 || e != nil && p.root.match(e)
}

func (n *node) match(e Event) bool {
	for i := range n.all {
		if !n.all[i].match(e) {
			return false
		}
	}
	return true
}

func (c *condition) match(e Event) bool {
	switch {
	case c.or != nil:
		for i := range c.or {
			if c.or[i].match(e) {
				return true
			}
		}
		return false
	case c.child != nil:
		return c.matchChild(e[c.key])
	}
	return c.matchValues(e[c.key])
}

// matchChild wants all of the child's conditions of one of the objects: of the same element of an array.
func (c *condition) matchChild(found []any) bool {
	object := false
	for _, v := range found {
		if e, ok := v.(Event); ok {
			if object = true; c.child.match(e) {
				return true
			}
		}
	}
	return !object && c.child.match(Event{})
}

func (c *condition) matchValues(found []any) bool {
	present := false
	for _, v := range found {
		if _, object := v.(Event); object {
			continue
		}
		present = true
		for _, m := range c.values {
			if m.match(v, true) {
				return true
			}
		}
	}
	if present {
		return false
	}
	for _, m := range c.values {
		if m.match(nil, false) {
			return true
		}
	}
	return false
}

// exactly wants one value: a string, a float64, a bool or nil.
type exactly struct{ want any }

func (m exactly) match(v any, present bool) bool {
	if want, ok := m.want.(float64); ok {
		n, ok := v.(float64)
		return ok && sameNumber(n, want)
	}
	return present && v == m.want
}

// sameNumber compares numbers as AWS does, to five digits after the point.
func sameNumber(a, b float64) bool { return math.Abs(a-b) < 0.000005 }

// exists wants a value, or none.
type exists bool

func (m exists) match(_ any, present bool) bool { return present == bool(m) }

// text wants a string of which something is true.
type text func(string) bool

func (m text) match(v any, _ bool) bool {
	s, ok := v.(string)
	return ok && m(s)
}

func prefix(want string) text { return func(s string) bool { return strings.HasPrefix(s, want) } }
func suffix(want string) text { return func(s string) bool { return strings.HasSuffix(s, want) } }
func equalFold(want string) text {
	return func(s string) bool { return strings.EqualFold(s, want) }
}

func cidr(want netip.Prefix) text {
	return func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && want.Contains(a.Unmap())
	}
}

// anythingBut wants a value that none of the others matches.
type anythingBut []matcher

func (m anythingBut) match(v any, present bool) bool {
	if !present {
		return false
	}
	for _, not := range m {
		if not.match(v, true) {
			return false
		}
	}
	return true
}

// between wants a number between two others.
type between struct {
	low, high         float64
	lowOpen, highOpen bool // the bound itself is outside
}

func (m between) match(v any, _ bool) bool {
	n, ok := v.(float64)
	if !ok {
		return false
	}
	return (n > m.low || n == m.low && !m.lowOpen) && (n < m.high || n == m.high && !m.highOpen)
}
