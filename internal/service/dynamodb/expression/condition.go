package expression

import (
	"cirro/internal/service/dynamodb/item"
)

// Condition is true or false of an item: a ConditionExpression, a FilterExpression, or an older parameter that says the
// same. It is safe for concurrent use.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
type Condition struct {
	root *node
}

// ParseCondition reads the text of a parameter, "ConditionExpression" or "FilterExpression", whose name is in the
// errors.
func ParseCondition(parameter, text string, placeholders *Placeholders) (*Condition, error) {
	root, err := parseCondition(text, placeholders)
	if err != nil {
		return nil, in(parameter, err)
	}
	return &Condition{root}, nil
}

func parseCondition(text string, placeholders *Placeholders) (*node, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	c := conditionParser{parser: p}
	root, err := c.or()
	if err := p.finish(err); err != nil {
		return nil, err
	}
	if err := conditionLanguage.checkWords(root, asCondition); err != nil {
		return nil, err
	}
	r := resolver{placeholders}
	if err := r.resolve(root); err != nil {
		return nil, err
	}
	return root, checkCount(root)
}

// Holds reports whether the condition is true of the item, which is nil where there is none. No condition, a nil one,
// always is.
func (c *Condition) Holds(it item.Item) bool { return c == nil || c.root.holds(it) }

// Paths returns every path that the condition looks at.
func (c *Condition) Paths() []Path { return c.root.paths(nil) }

func (n *node) paths(all []Path) []Path {
	if n.op == opPath {
		all = append(all, n.path)
	}
	for _, arg := range n.args {
		all = arg.paths(all)
	}
	return all
}

// conditionParser reads conditions: OR binds weakest, then AND, then NOT.
type conditionParser struct {
	*parser
	// group is the condition that was in the parentheses read last.
	group *node
}

func (p *conditionParser) or() (*node, error) { return p.chain("OR", opOr, p.and) }

func (p *conditionParser) and() (*node, error) { return p.chain("AND", opAnd, p.not) }

func (p *conditionParser) chain(word string, op operator, next func() (*node, error)) (*node, error) {
	left, err := next()
	if err != nil {
		return nil, err
	}
	for p.accept(word) {
		right, err := next()
		if err != nil {
			return nil, err
		}
		left = &node{op: op, args: []*node{left, right}}
	}
	return left, nil
}

func (p *conditionParser) not() (*node, error) {
	if !p.accept("NOT") {
		return p.primary()
	}
	n, err := p.not()
	if err != nil {
		return nil, err
	}
	return &node{op: opNot, args: []*node{n}}, nil
}

// primary reads a condition in parentheses, or a comparison, which may begin with a parenthesis too.
func (p *conditionParser) primary() (*node, error) {
	start := p.at
	if n, err := p.parenthesised(); err == nil && !p.comparesNext() {
		return n, nil
	}
	p.at = start
	return p.comparison()
}

// comparesNext reports whether what was read is an operand, though it could be a condition: (size(a)) > :b.
func (p *conditionParser) comparesNext() bool {
	next := p.peek()
	_, ok := comparators[next.text]
	return next.kind == tokenSymbol && ok || next.is("IN") || next.is("BETWEEN")
}

func (p *conditionParser) parenthesised() (*node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	p.noteRedundant(n == p.group)
	p.group = n
	return n, nil
}

func (p *conditionParser) comparison() (*node, error) {
	start := p.at
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	if op, ok := p.comparator(); ok {
		right, err := p.operand()
		return &node{op: op, args: []*node{left, right}}, err
	}
	switch {
	case p.accept("BETWEEN"):
		return p.between(left)
	case p.accept("IN"):
		return p.in(left)
	case left.op == opFunction && p.tokens[start].kind == tokenName:
		return left, nil
	}
	return nil, p.fail()
}

func (p *conditionParser) comparator() (operator, bool) {
	op, ok := comparators[p.peek().text]
	if !ok || p.peek().kind != tokenSymbol {
		return 0, false
	}
	p.at++
	return op, true
}

func (p *conditionParser) between(value *node) (*node, error) {
	low, err := p.operand()
	if err != nil {
		return nil, err
	}
	if err := p.expect("AND"); err != nil {
		return nil, err
	}
	high, err := p.operand()
	return &node{op: opBetween, args: []*node{value, low, high}}, err
}

func (p *conditionParser) in(value *node) (*node, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	list, err := p.operands()
	if err != nil {
		return nil, err
	}
	return &node{op: opIn, args: append([]*node{value}, list...)}, p.expect(")")
}
