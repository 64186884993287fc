package partiql

import (
	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
)

// parser reads statements by recursive descent.
type parser struct {
	tokens     []token
	at         int
	parameters []item.Value
	used       int // parameters so far
}

func (p *parser) peek() token { return p.tokens[p.at] }

// next takes a token. The end is never passed.
func (p *parser) next() token {
	t := p.tokens[p.at]
	if t.kind != tokenEOF {
		p.at++
	}
	return t
}

// accept takes the next token if it is the given symbol or reserved word.
func (p *parser) accept(text string) bool {
	if p.peek().is(text) {
		p.at++
		return true
	}
	return false
}

func (p *parser) expect(text string) error {
	if p.accept(text) {
		return nil
	}
	return malformed("Expected " + parserName(text))
}

// parserName is what AWS's parser calls a token in its messages.
func parserName(text string) string {
	switch text {
	case "(":
		return "LEFT_PAREN"
	case ")":
		return "RIGHT_PAREN"
	case "]":
		return "RIGHT_BRACKET"
	case "}":
		return "RIGHT_BRACE"
	case ">>":
		return "RIGHT_DOUBLE_ANGLE_BRACKET"
	case ":":
		return "COLON"
	}
	return text
}

func (p *parser) statement() (Statement, error) {
	s, err := p.manipulation()
	if err != nil {
		return nil, err
	}
	p.accept(";")
	return s, nil
}

func (p *parser) manipulation() (Statement, error) {
	switch t := p.next(); {
	case t.is("SELECT"):
		return p.selection()
	case t.is("INSERT"):
		return p.insertion()
	case t.is("UPDATE"):
		return p.update()
	case t.is("FROM"):
		return p.fromUpdate()
	case t.is("DELETE"):
		return p.deletion()
	case t.is("EXISTS"):
		return p.exists()
	}
	return nil, malformed("Expected data manipulation")
}

func (p *parser) exists() (Statement, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	if err := p.expect("SELECT"); err != nil {
		return nil, err
	}
	s, err := p.selection()
	if err != nil {
		return nil, err
	}
	return &Exists{*s}, p.expect(")")
}

func (p *parser) selection() (*Select, error) {
	s := &Select{}
	var err error
	if s.Columns, err = p.columns(); err != nil {
		return nil, err
	}
	if err = p.expect("FROM"); err != nil {
		return nil, err
	}
	if s.Source, err = p.source(); err != nil {
		return nil, err
	}
	if p.peek().is(",") {
		return nil, refused("Only select from a single table or index is supported.")
	}
	if s.Where, err = p.where(); err != nil {
		return nil, err
	}
	if s.OrderBy, err = p.orderBy(); err != nil {
		return nil, err
	}
	if len(s.OrderBy) > 0 && s.Where == nil {
		if p.peek().is("WHERE") {
			return nil, malformed("Unexpected token after expression")
		}
		return nil, refused("Must have WHERE clause in the statement when using ORDER BY clause.")
	}
	return s, p.unsupportedClause()
}

// unsupportedClause refuses what PartiQL has after a SELECT, and DynamoDB has not.
func (p *parser) unsupportedClause() error {
	switch t := p.peek(); {
	case t.is("GROUP"):
		return refused("Unsupported clause: GROUP BY")
	case t.is("LIMIT"), t.is("HAVING"):
		p.next()
		return refused("Unsupported clause: %s%s", t.text, p.peek().at())
	}
	return nil
}

func (p *parser) columns() ([]Column, error) {
	switch t := p.peek(); {
	case p.accept("*"):
		return nil, nil
	case t.is("DISTINCT"):
		return nil, refused("Unsupported token in expression: DISTINCT")
	case t.is("VALUE"), t.is("PIVOT"):
		return nil, refused("Select projection doesn't support value or pivot keywords")
	}
	var columns []Column
	names := map[string]bool{}
	for {
		c, err := p.column()
		if err != nil {
			return nil, err
		}
		if names[c.Name] {
			return nil, refused("Duplicate identifiers in select clause: %s", c.Name)
		}
		names[c.Name] = true
		columns = append(columns, c)
		if !p.accept(",") {
			return columns, checkColumns(columns)
		}
	}
}

// checkColumns refuses paths of which one leads to the other.
func checkColumns(columns []Column) error {
	paths := make([]expression.Path, len(columns))
	for i, c := range columns {
		paths[i] = c.Path
	}
	return expression.CheckPaths(paths)
}

func (p *parser) column() (Column, error) {
	t := p.peek()
	isPath := t.kind == tokenName && !p.tokens[p.at+1].is("(")
	if !isPath && t.kind != tokenEOF && (t.kind != tokenKeyword || p.tokens[p.at+1].is("(")) {
		return Column{}, refused("Unexpected path component%s", t.at())
	}
	path, err := p.path()
	if err != nil {
		return Column{}, err
	}
	if p.peek().kind == tokenName || p.peek().is("AS") {
		return Column{}, refused("Aliasing is not supported")
	}
	return Column{path, columnName(path)}, nil
}

// columnName is a path's last name, with the indexes after it.
func columnName(path expression.Path) string {
	name := ""
	for _, step := range path {
		if step.IsIndex {
			name += step.String()
		} else {
			name = step.Name
		}
	}
	return name
}

// source reads a table's name, and an index's after a point. An alias is refused.
func (p *parser) source() (Source, error) {
	var names []string
	for {
		t := p.next()
		if t.kind != tokenName {
			return Source{}, malformed("Expected identifier for simple path")
		}
		if t.text == "" {
			return Source{}, refused("Path component cannot be an empty string")
		}
		names = append(names, t.text)
		if !p.accept(".") {
			break
		}
	}
	if len(names) > 2 {
		return Source{}, refused("A path may contain at most 2 components in the FROM clause")
	}
	if p.peek().kind == tokenName || p.peek().is("AS") {
		return Source{}, refused("Aliasing is not supported")
	}
	s := Source{Table: names[0]}
	if len(names) == 2 {
		s.Index = names[1]
	}
	return s, nil
}

func (p *parser) orderBy() ([]Order, error) {
	if !p.accept("ORDER") {
		return nil, nil
	}
	if err := p.expect("BY"); err != nil {
		return nil, err
	}
	var all []Order
	for {
		path, err := p.path()
		if err != nil {
			return nil, err
		}
		o := Order{Attribute: path.Attribute()}
		if path.Nested() {
			o.Attribute = columnName(path)
		}
		if !p.accept("ASC") {
			o.Descending = p.accept("DESC")
		}
		all = append(all, o)
		if !p.accept(",") {
			return all, nil
		}
	}
}

func (p *parser) insertion() (Statement, error) {
	if err := p.expect("INTO"); err != nil {
		return nil, err
	}
	t := p.next()
	if t.kind != tokenName {
		return nil, malformed("Expected identifier for simple path")
	}
	if p.peek().is(".") {
		return nil, refused("FROM clause may only contain a single table name in data manipulation statements")
	}
	s := &Insert{Source: Source{Table: t.text}}
	if p.peek().kind == tokenName {
		return nil, malformed("Unexpected token after expression")
	}
	if err := p.expect("VALUE"); err != nil {
		return nil, err
	}
	if t := p.next(); !t.is("{") {
		return nil, refused("Unsupported format in item expression. Please use struct format {...} to express item values for insert statement.%s", t.at())
	}
	v, err := p.tuple("root", true)
	if err != nil {
		return nil, err
	}
	s.Item = v.Map
	if p.peek().is("RETURNING") {
		return nil, refused("RETURNING is not supported in INSERT")
	}
	return s, s.Item.CheckDepth()
}

func (p *parser) deletion() (Statement, error) {
	if err := p.expect("FROM"); err != nil {
		return nil, err
	}
	s := &Delete{}
	var err error
	if s.Source, err = p.source(); err != nil {
		return nil, err
	}
	if s.Where, err = p.where(); err != nil {
		return nil, err
	}
	var words string
	if s.Returning, words, err = p.returning(); err != nil {
		return nil, err
	}
	if s.Returning != ReturningNothing && s.Returning != ReturningAllOld {
		return nil, refused("Invalid returning clause: RETURNING %s *. Only RETURNING ALL OLD * is allowed in DELETE statements.", words)
	}
	return s, nil
}

// returning reads what a statement answers with, and returns its words too.
func (p *parser) returning() (Returning, string, error) {
	if !p.accept("RETURNING") {
		return ReturningNothing, "", nil
	}
	which, when := p.next(), p.next()
	returning := map[string]Returning{
		"ALL OLD": ReturningAllOld, "ALL NEW": ReturningAllNew,
		"MODIFIED OLD": ReturningModifiedOld, "MODIFIED NEW": ReturningModifiedNew,
	}[which.text+" "+when.text]
	if returning == ReturningNothing {
		return 0, "", malformed("Expected ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause")
	}
	if !p.accept("*") {
		return 0, "", refused("Expected '*' after ( MODIFIED | ALL ) ( NEW | OLD ) in RETURNING clause")
	}
	return returning, which.text + " " + when.text, nil
}
