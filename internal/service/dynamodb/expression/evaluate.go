package expression

import (
	"strings"
	"unicode/utf16"

	"cirro/internal/service/dynamodb/item"
)

// holds is the truth of a condition. What has no value, or one of an unfit type, makes a comparison false, and <> true.
func (n *node) holds(it item.Item) bool {
	switch n.op {
	case opAnd:
		return n.args[0].holds(it) && n.args[1].holds(it)
	case opOr:
		return n.args[0].holds(it) || n.args[1].holds(it)
	case opNot:
		return !n.args[0].holds(it)
	}
	first, ok := n.args[0].of(it)
	switch n.op {
	case opAttributeExists:
		return ok
	case opAttributeNotExists:
		return !ok
	case opIn:
		return ok && n.in(first, it)
	}
	second, ok2 := n.args[1].of(it)
	if !ok || !ok2 {
		return n.op == opNotEqual
	}
	switch n.op {
	case opEqual:
		return first.Equal(second)
	case opNotEqual:
		return !first.Equal(second)
	case opAttributeType:
		return first.Kind.String() == second.Text
	case opBeginsWith:
		return first.Kind == second.Kind && (first.Kind == item.S || first.Kind == item.B) &&
			strings.HasPrefix(first.Text, second.Text)
	case opContains:
		return contains(first, second)
	case opNotContains:
		return !contains(first, second)
	case opBetween:
		third, ok3 := n.args[2].of(it)
		return ok3 && compares(opGreaterOrEqual, first, second) && compares(opLessOrEqual, first, third)
	}
	return compares(n.op, first, second)
}

func (n *node) in(v item.Value, it item.Item) bool {
	for _, arg := range n.args[1:] {
		if w, ok := arg.of(it); ok && v.Equal(w) {
			return true
		}
	}
	return false
}

func compares(op operator, a, b item.Value) bool {
	order, comparable := item.Compare(a, b)
	if !comparable {
		return false
	}
	switch op {
	case opLess:
		return order < 0
	case opLessOrEqual:
		return order <= 0
	case opGreater:
		return order > 0
	}
	return order >= 0
}

// contains reports whether text has a part, or a set or a list an element.
func contains(whole, part item.Value) bool {
	switch whole.Kind {
	case item.S, item.B:
		return whole.Kind == part.Kind && strings.Contains(whole.Text, part.Text)
	case item.SS, item.NS, item.BS:
		return whole.Kind.Element() == part.Kind && whole.Contains(part.Text)
	case item.L:
		for _, element := range whole.List {
			if element.Equal(part) {
				return true
			}
		}
	}
	return false
}

// of is the value of an operand; false where it has none in this item.
func (n *node) of(it item.Item) (item.Value, bool) {
	switch n.op {
	case opPath:
		return n.path.In(it)
	case opSize:
		v, ok := n.args[0].of(it)
		if !ok {
			return v, false
		}
		return size(v)
	case opValue:
		return n.value, true
	}
	return item.Boolean(n.holds(it)), true
}

// size is what the function gives: of text the number of UTF-16 units, as in the Java of AWS.
func size(v item.Value) (item.Value, bool) {
	n := 0
	switch v.Kind {
	case item.S:
		for _, r := range v.Text {
			n += utf16.RuneLen(r)
		}
	case item.B:
		n = len(v.Text)
	case item.SS, item.NS, item.BS:
		n = len(v.Set)
	case item.M:
		n = len(v.Map)
	case item.L:
		n = len(v.List)
	default:
		return item.Value{}, false
	}
	return item.Int(int64(n)), true
}
