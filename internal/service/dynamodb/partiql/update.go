package partiql

import (
	"slices"
	"strings"

	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
)

func (p *parser) update() (Statement, error) {
	s := &Update{}
	var err error
	if s.Source, err = p.source(); err != nil {
		return nil, err
	}
	actions, err := p.actions()
	if err != nil {
		return nil, err
	}
	if s.Where, err = p.where(); err != nil {
		return nil, err
	}
	return p.finishUpdate(s, actions)
}

// fromUpdate reads PartiQL's other form of an update, whose condition comes first: FROM … WHERE … SET ….
func (p *parser) fromUpdate() (Statement, error) {
	s := &Update{}
	var err error
	if s.Source, err = p.source(); err != nil {
		return nil, err
	}
	if s.Where, err = p.where(); err != nil {
		return nil, err
	}
	actions, err := p.actions()
	if err != nil {
		return nil, err
	}
	return p.finishUpdate(s, actions)
}

func (p *parser) finishUpdate(s *Update, actions []expression.Action) (Statement, error) {
	var err error
	if s.Returning, _, err = p.returning(); err != nil {
		return nil, err
	}
	s.Update, err = expression.NewUpdate(actions...)
	return s, err
}

func (p *parser) actions() ([]expression.Action, error) {
	var all []expression.Action
	for {
		switch {
		case p.accept("SET"):
			some, err := p.assignments()
			if err != nil {
				return nil, err
			}
			all = append(all, some...)
		case p.accept("REMOVE"):
			path, err := p.path()
			if err != nil {
				return nil, err
			}
			all = append(all, expression.Remove(path))
		case len(all) == 0:
			return nil, malformed("Expected data manipulation")
		default:
			return all, nil
		}
	}
}

func (p *parser) assignments() ([]expression.Action, error) {
	var all []expression.Action
	for {
		a, err := p.assignment()
		if err != nil {
			return nil, err
		}
		all = append(all, a)
		if !p.accept(",") {
			return all, nil
		}
	}
}

func (p *parser) assignment() (expression.Action, error) {
	path, err := p.path()
	if err != nil {
		return expression.Action{}, err
	}
	if err := p.expect("="); err != nil {
		return expression.Action{}, err
	}
	if name := p.peek(); p.tokens[min(p.at+1, len(p.tokens)-1)].is("(") && (name.word("set_add") || name.word("set_delete")) {
		return p.setFunction(path)
	}
	e := expressions{parser: p, called: "Update"}
	term, err := e.sum()
	if err != nil {
		return expression.Action{}, err
	}
	return expression.Set(path, term), nil
}

// setFunction reads set_add(path, set) or set_delete(path, set), whose path must be that which is assigned to.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html
func (p *parser) setFunction(path expression.Path) (expression.Action, error) {
	function := p.next()
	name := strings.ToUpper(function.text)
	p.next() // the parenthesis
	first := p.peek()
	e := expressions{parser: p, called: "Update"}
	args, err := e.arguments()
	if err != nil {
		return expression.Action{}, err
	}
	if len(args) != 2 {
		return expression.Action{}, refused("%s must have exactly two arguments%s", name, function.at())
	}
	if target, ok := args[0].Path(); !ok || !slices.Equal(target, path) {
		return expression.Action{}, refused("The first argument to %s must equal the assignment value%s", name, function.at())
	}
	v, _ := args[1].Value()
	if v.Kind != item.SS && v.Kind != item.NS && v.Kind != item.BS {
		return expression.Action{}, refused("The second argument to %s must be a value with type SET%s", name, first.at())
	}
	if name == "SET_ADD" {
		return expression.AddTo(path, v), nil
	}
	return expression.DeleteFrom(path, v), nil
}
