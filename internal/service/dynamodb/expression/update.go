package expression

import (
	"slices"

	"cirro/internal/awsapi"
	"cirro/internal/service/dynamodb/item"
)

// Update changes an item: an UpdateExpression, or AttributeUpdates. It is safe for concurrent use.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
type Update struct {
	actions []action
	touched *Projection
}

// verb is what an action does to its path.
type verb string

const (
	verbSet    verb = "SET"
	verbRemove verb = "REMOVE"
	verbAdd    verb = "ADD"
	verbDelete verb = "DELETE"
)

type action struct {
	verb   verb
	target *node // a path
	value  *node // nil for REMOVE
	// older actions take more types, and word their failures differently.
	older bool
}

// ParseUpdate reads an UpdateExpression.
func ParseUpdate(text string, placeholders *Placeholders) (*Update, error) {
	u, err := parseUpdate(text, placeholders)
	if err != nil {
		return nil, in("UpdateExpression", err)
	}
	return u, nil
}

func parseUpdate(text string, placeholders *Placeholders) (*Update, error) {
	if len(text) > maxSize { // of an update AWS does not say how long it is
		return nil, problem("Expression size has exceeded the maximum allowed size;")
	}
	base, err := newParser(text)
	if err != nil {
		return nil, err
	}
	p := updateParser{parser: base}
	err = p.sections()
	if err := p.finish(err); err != nil {
		return nil, err
	}
	if err := p.checkWords(); err != nil {
		return nil, err
	}
	if err := resolveActions(p.actions, placeholders); err != nil {
		return nil, err
	}
	return newUpdate(p.actions), nil
}

func newUpdate(actions []action) *Update {
	paths := make([]Path, len(actions))
	for i, a := range actions {
		paths[i] = a.target.path
	}
	return &Update{actions: actions, touched: NewProjection(paths)}
}

// Touched is what the update changes: of the item before it is UPDATED_OLD, of the item after it UPDATED_NEW.
func (u *Update) Touched() *Projection { return u.touched }

// Assigned is what the update gives to whole attributes as it stands in the request, so that it can be checked before
// there is an item.
func (u *Update) Assigned() item.Item {
	assigned := item.Item{}
	for _, a := range u.actions {
		if (a.verb == verbSet || a.verb == verbAdd) && !a.target.path.Nested() && a.value.op == opValue {
			assigned[a.target.path.Attribute()] = a.value.value
		}
	}
	return assigned
}

// updateParser reads the sections of an update.
type updateParser struct {
	*parser
	actions []action
	// order is the sections as they came.
	order []verb
	// starts is, for each section, the number of actions before it.
	starts []int
	// group is what was in the parentheses read last.
	group *node
}

func (p *updateParser) sections() error {
	for first := true; first || p.peek().kind != tokenEOF; first = false {
		if err := p.section(); err != nil {
			return err
		}
	}
	return nil
}

func (p *updateParser) section() error {
	for _, v := range []verb{verbSet, verbRemove, verbAdd, verbDelete} {
		if p.accept(string(v)) {
			p.order = append(p.order, v)
			p.starts = append(p.starts, len(p.actions))
			return p.actionList(v)
		}
	}
	return errSyntax
}

func (p *updateParser) actionList(v verb) error {
	for {
		a, err := p.action(v)
		if err != nil {
			return err
		}
		p.actions = append(p.actions, a)
		if !p.accept(",") {
			return nil
		}
	}
}

func (p *updateParser) action(v verb) (action, error) {
	target, err := p.path()
	if err != nil {
		return action{}, err
	}
	a := action{verb: v, target: target}
	switch v {
	case verbSet:
		if err := p.expect("="); err != nil {
			return a, err
		}
		a.value, err = p.setValue()
	case verbAdd, verbDelete:
		t, ok := p.take(tokenValuePlaceholder)
		if !ok {
			return a, errSyntax
		}
		a.value = &node{op: opValue, name: t.text}
	}
	return a, err
}

// setValue reads an operand, or a sum or difference of two, which may stand in parentheses.
func (p *updateParser) setValue() (*node, error) {
	start := p.at
	if n, err := p.arithmetic(); err == nil {
		return n, nil
	}
	p.at = start
	if err := p.expect("("); err != nil {
		return nil, err
	}
	n, err := p.setValue()
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

func (p *updateParser) arithmetic() (*node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	op := opPlus
	if !p.accept("+") {
		if op = opMinus; !p.accept("-") {
			return left, nil
		}
	}
	right, err := p.operand()
	return &node{op: op, args: []*node{left, right}}, err
}

// checkWords checks each section's words, and that none comes twice, in the order in which they were written.
func (p *updateParser) checkWords() error {
	for i, v := range p.order {
		end := len(p.actions)
		if i+1 < len(p.starts) {
			end = p.starts[i+1]
		}
		for _, a := range p.actions[p.starts[i]:end] {
			if err := checkReserved(a.target); err != nil {
				return err
			}
			if a.value == nil {
				continue
			}
			if err := updateLanguage.checkWords(a.value, asSetValue); err != nil {
				return err
			}
		}
		if slices.Contains(p.order[:i], v) {
			return problem("The \"%s\" section can only be used once in an update expression;", string(v))
		}
	}
	return nil
}

// resolveActions resolves paths before values, and goes through both from the last to the first, as AWS does.
func resolveActions(actions []action, placeholders *Placeholders) error {
	r := resolver{placeholders}
	paths := make([]Path, len(actions))
	for i, a := range slices.Backward(actions) {
		if err := r.path(a.target); err != nil {
			return err
		}
		paths[i] = a.target.path
		if err := checkClash(paths[i:]); err != nil {
			return err
		}
	}
	var values []*node
	for _, a := range slices.Backward(actions) {
		if a.value == nil {
			continue
		}
		if err := r.action(a); err != nil {
			return err
		}
		values = append(values, a.value)
	}
	return checkCount(values...)
}

func (r resolver) action(a action) error {
	if err := r.resolve(a.value); err != nil {
		return err
	}
	return checkActionValue(a)
}

var kindWords = map[item.Kind]string{
	item.S: "STRING", item.N: "NUMBER", item.B: "BINARY", item.SS: "STRING_SET", item.NS: "NUMBER_SET",
	item.BS: "BINARY_SET", item.M: "MAP", item.L: "LIST", item.NULL: "NULL", item.BOOL: "BOOLEAN",
}

// checkActionValue refuses values that can be neither added nor deleted: numbers are only added, sets are both.
func checkActionValue(a action) error {
	if a.verb != verbAdd && a.verb != verbDelete {
		return nil
	}
	kind := a.value.value.Kind
	if kind.Element() != 0 || a.verb == verbAdd && kind == item.N {
		return nil
	}
	return problem("Incorrect operand type for operator or function; operator: %s, operand type: %s, typeSet: ALLOWED_FOR_%s_OPERAND",
		string(a.verb), kindWords[kind], string(a.verb))
}

var (
	errNoAttribute = awsapi.ValidationException.New("The provided expression refers to an attribute that does not exist in the item")
	errOperandType = awsapi.ValidationException.New("An operand in the update expression has an incorrect data type")
	errInvalidPath = awsapi.ValidationException.New("The document path provided in the update expression is invalid for update")
	errOlderType   = awsapi.ValidationException.New("Type mismatch for attribute to update")
)
