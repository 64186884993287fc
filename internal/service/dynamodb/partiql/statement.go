package partiql

import (
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
)

// Statement is a *Select, *Insert, *Update, *Delete or *Exists.
type Statement interface {
	// From is what the statement is about.
	From() Source
}

// Source is a table, and an index of it where Index is not empty. Table may be an ARN.
type Source struct {
	Table, Index string
}

// From is the source itself.
func (s Source) From() Source { return s }

// Select reads items.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.select.html
type Select struct {
	Source
	Columns []Column              // none means whole items
	Where   *expression.Condition // nil where there is none
	OrderBy []Order
}

// Column is a path that is read, and the name of the attribute that holds it in the result.
type Column struct {
	Path expression.Path
	Name string
}

// Order is an attribute that sorts the result.
type Order struct {
	Attribute  string
	Descending bool
}

// Of is what the statement's columns are of an item.
func (s *Select) Of(it item.Item) item.Item {
	if len(s.Columns) == 0 {
		return it
	}
	out := make(item.Item, len(s.Columns))
	for _, c := range s.Columns {
		if v, ok := c.Path.In(it); ok {
			out[c.Name] = v
		}
	}
	return out
}

// Paths are those of the columns.
func (s *Select) Paths() []expression.Path {
	paths := make([]expression.Path, len(s.Columns))
	for i, c := range s.Columns {
		paths[i] = c.Path
	}
	return paths
}

// Insert writes an item that must not be there yet.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.insert.html
type Insert struct {
	Source
	Item item.Item
}

// Update changes an item that must be there, and fulfil the condition.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.update.html
type Update struct {
	Source
	Update    *expression.Update
	Where     *expression.Condition // nil where there is none
	Returning Returning
}

// Delete removes an item.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.delete.html
type Delete struct {
	Source
	Where     *expression.Condition // nil where there is none
	Returning Returning
}

// Exists demands, in a transaction, that an item fulfils the condition of a SELECT.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-functions.exists.html
type Exists struct {
	Select
}

// Returning is what of an item a statement answers with.
type Returning uint8

// What RETURNING can ask for. Update's parameter ReturnValues calls MODIFIED what is UPDATED there.
const (
	ReturningNothing Returning = iota
	ReturningAllOld
	ReturningAllNew
	ReturningModifiedOld
	ReturningModifiedNew
)

// Parse reads a statement. The parameters stand for its question marks, in their order.
func Parse(text string, parameters []item.Value) (Statement, error) {
	tokens, err := tokenize(text)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, parameters: parameters}
	s, err := p.statement()
	if err != nil {
		return nil, err
	}
	if t := p.peek(); t.kind != tokenEOF {
		return nil, malformed("Unexpected token after expression")
	}
	if p.used != len(parameters) {
		return nil, errParameters
	}
	return s, nil
}
