package expression

import (
	"slices"

	"cirro/internal/service/dynamodb/item"
)

// Term is a part of an expression that no text was: another language, as PartiQL, is built of them. The zero Term is
// none.
type Term struct {
	n *node
}

// At is the value at a path.
func At(path Path) Term { return Term{&node{op: opPath, path: path}} }

// Literal is a value.
func Literal(v item.Value) Term { return Term{literal(v)} }

// Call is a function of the given name, which may be none of this language.
func Call(name string, args ...Term) Term {
	return Term{&node{op: opFunction, name: name, args: nodes(args)}}
}

// Operation is an operator between terms, by its name in expressions: AND, OR, NOT, BETWEEN, IN, =, <>, <, <=, >, >=,
// + or -.
func Operation(name string, args ...Term) Term {
	op := slices.Index(operatorNames[:opFunction], name)
	if op < 0 {
		panic("expression: no operator " + name)
	}
	return Term{&node{op: operator(op), args: nodes(args)}}
}

func nodes(terms []Term) []*node {
	all := make([]*node, len(terms))
	for i, t := range terms {
		all[i] = t.n
	}
	return all
}

// Path is the path that the term is; false where it is none.
func (t Term) Path() (Path, bool) { return t.n.path, t.n.op == opPath }

// Value is the value that the term is; false where it is none.
func (t Term) Value() (item.Value, bool) { return t.n.value, t.n.op == opValue }

// IsOperand reports whether the term is a path or a value.
func (t Term) IsOperand() bool { return t.n.op == opPath || t.n.op == opValue }

// IsCondition reports whether the term is true or false of an item.
func (t Term) IsCondition() bool {
	op := t.n.op
	if op == opFunction {
		op = functions[t.n.name]
	}
	return op.isCondition()
}

// NewCondition is the condition that the term is, checked as a written one is. Other than in a written one, conditions
// may be operands: they are values, true or false.
func NewCondition(t Term) (*Condition, error) {
	if err := builtLanguage.checkWords(t.n, asCondition); err != nil {
		return nil, bare(err)
	}
	if err := (resolver{}).resolve(t.n); err != nil {
		return nil, bare(err)
	}
	return &Condition{t.n}, bare(checkCount(t.n))
}

// Action is one change that an update makes.
type Action struct {
	a action
}

// Set gives the path the value that the term has.
func Set(path Path, t Term) Action {
	return Action{action{verb: verbSet, target: At(path).n, value: t.n}}
}

// Remove removes what is at the path.
func Remove(path Path) Action { return Action{action{verb: verbRemove, target: At(path).n}} }

// AddTo adds a number to a number, or a set to a set.
func AddTo(path Path, v item.Value) Action {
	return Action{action{verb: verbAdd, target: At(path).n, value: literal(v)}}
}

// DeleteFrom removes a set from a set.
func DeleteFrom(path Path, v item.Value) Action {
	return Action{action{verb: verbDelete, target: At(path).n, value: literal(v)}}
}

// NewUpdate is the update that makes the changes, checked as a written one is.
func NewUpdate(changes ...Action) (*Update, error) {
	actions := make([]action, len(changes))
	for i, c := range changes {
		actions[i] = c.a
		if c.a.value == nil {
			continue
		}
		if err := updateLanguage.checkWords(c.a.value, asSetValue); err != nil {
			return nil, bare(err)
		}
	}
	if err := resolveActions(actions, nil); err != nil {
		return nil, bare(err)
	}
	return newUpdate(actions), nil
}

// EqualTo returns the values to which the condition holds the attribute equal, by = or IN, wherever it is true; false
// where it may be true of others, too.
func (c *Condition) EqualTo(attribute string) ([]item.Value, bool) { return c.root.equalTo(attribute) }

// Fixed returns the value to which a condition that must hold in every case says by = that the attribute is equal; false
// where there is no such condition, or none at all.
func (c *Condition) Fixed(attribute string) (item.Value, bool) {
	if c == nil {
		return item.Value{}, false
	}
	for _, n := range c.root.conjuncts(nil) {
		if n.op != opEqual {
			continue
		}
		if comparison, ok := n.onKey(attribute); ok {
			return comparison.values[0], true
		}
	}
	return item.Value{}, false
}

func (n *node) equalTo(attribute string) ([]item.Value, bool) {
	switch n.op {
	case opAnd:
		if values, ok := n.args[0].equalTo(attribute); ok {
			return values, true
		}
		return n.args[1].equalTo(attribute)
	case opOr:
		left, ok := n.args[0].equalTo(attribute)
		right, ok2 := n.args[1].equalTo(attribute)
		return append(left, right...), ok && ok2
	case opEqual, opIn:
		if comparison, ok := n.onKey(attribute); ok {
			return comparison.values, true
		}
	}
	return nil, false
}

// onKey is a comparison of the attribute with values alone.
func (n *node) onKey(attribute string) (keyComparison, bool) {
	c := keyComparison{attribute: attribute}
	args := n.args
	if n.op == opEqual && args[0].op == opValue {
		args = []*node{args[1], args[0]}
	}
	if args[0].op != opPath || args[0].path.Nested() || args[0].path.Attribute() != attribute {
		return c, false
	}
	for _, arg := range args[1:] {
		if arg.op != opValue {
			return c, false
		}
		c.values = append(c.values, arg.value)
	}
	return c, true
}

// Keyed reports whether the condition holds the attribute equal to values, by = or IN, in a part of its own, beside AND.
func (c *Condition) Keyed(attribute string) bool {
	for _, n := range c.root.conjuncts(nil) {
		if n.op == opEqual || n.op == opIn {
			if _, ok := n.onKey(attribute); ok {
				return true
			}
		}
	}
	return false
}

// Range returns the limits that the condition sets the sort key in every case. It reports false where there are none,
// or where they are no single comparison.
func (c *Condition) Range(sort string) (Comparison, []item.Value, bool) {
	for _, n := range c.root.conjuncts(nil) {
		comparison, ok := keyComparisons[n.op]
		if !ok {
			continue
		}
		if n.args[0].op == opValue && comparison != BeginsWith && comparison != Between {
			n = &node{op: n.op, args: []*node{n.args[1], n.args[0]}}
			comparison = mirrored[comparison]
		}
		if c, ok := n.onKey(sort); ok {
			return comparison, c.values, true
		}
	}
	return 0, nil, false
}

// conjuncts are the conditions all of which must be true.
func (n *node) conjuncts(all []*node) []*node {
	if n.op != opAnd {
		return append(all, n)
	}
	return n.args[1].conjuncts(n.args[0].conjuncts(all))
}
