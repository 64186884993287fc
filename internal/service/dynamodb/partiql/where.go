package partiql

import (
	"strings"

	"cirro/internal/service/dynamodb/expression"
	"cirro/internal/service/dynamodb/item"
)

func (p *parser) where() (*expression.Condition, error) {
	if !p.accept("WHERE") {
		return nil, nil
	}
	e := expressions{parser: p, called: "Condition"}
	term, err := e.or()
	if err != nil {
		return nil, err
	}
	if !term.IsCondition() {
		return nil, refused("WHERE clause must contain an expression that resolves to a boolean")
	}
	return expression.NewCondition(term)
}

// expressions reads conditions and values: OR binds weakest, then AND, NOT, comparisons, and sums.
type expressions struct {
	*parser
	called string // "Condition" or "Update", in errors
}

func (e expressions) unsupported(operator string) error {
	return refused("Unsupported operator in %s Expression. Operator: %s", e.called, operator)
}

func (e expressions) or() (expression.Term, error) { return e.chain("OR", e.and) }

func (e expressions) and() (expression.Term, error) { return e.chain("AND", e.not) }

func (e expressions) chain(word string, next func() (expression.Term, error)) (expression.Term, error) {
	left, err := next()
	for err == nil && e.accept(word) {
		var right expression.Term
		if right, err = next(); err != nil {
			break
		}
		if !left.IsCondition() || !right.IsCondition() {
			return left, refused("The arguments to AND/OR must be Expressions")
		}
		left = expression.Operation(word, left, right)
	}
	return left, err
}

func (e expressions) not() (expression.Term, error) {
	if !e.accept("NOT") {
		return e.comparison()
	}
	term, err := e.not()
	if err != nil {
		return term, err
	}
	if !term.IsCondition() {
		return term, refused("The argument to NOT must be a Type or Expression")
	}
	return expression.Operation("NOT", term), nil
}

var comparators = map[string]string{"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}

// comparison reads a sum and what it is compared with; the result, true or false, may be compared again.
func (e expressions) comparison() (expression.Term, error) {
	left, err := e.sum()
	for more := true; more && err == nil; {
		left, more, err = e.compared(left)
	}
	return left, err
}

// compared reads a comparison of the left side; false where none follows.
func (e expressions) compared(left expression.Term) (expression.Term, bool, error) {
	t := e.peek()
	if operator := comparators[t.text]; t.kind == tokenSymbol && operator != "" {
		e.next()
		right, err := e.sum()
		if err != nil {
			return left, false, err
		}
		return expression.Operation(operator, left, right), true, nil
	}
	if e.accept("IS") {
		left, err := e.is(t, left)
		return left, true, err
	}
	negated := e.accept("NOT")
	var err error
	switch {
	case e.accept("IN"):
		left, err = e.in(left)
	case e.accept("BETWEEN"):
		left, err = e.between(left)
	case e.peek().is("LIKE"):
		err = e.unsupported("like")
	case negated:
		err = malformed("Unexpected token after expression")
	default:
		return left, false, nil
	}
	if err == nil && negated {
		left = expression.Operation("NOT", left)
	}
	return left, true, err
}

// kinds are the types that IS knows, besides MISSING.
var kinds = map[string]item.Kind{
	"NULL": item.NULL, "BOOL": item.BOOL, "BOOLEAN": item.BOOL, "BLOB": item.B, "STRING": item.S, "NUMERIC": item.N,
	"STRUCT": item.M, "TUPLE": item.M, "LIST": item.L,
}

// otherKinds are types of PartiQL that DynamoDB does not have, by what its messages call them.
var otherKinds = map[string]string{
	"INT": "INTEGER", "INTEGER": "INTEGER", "SMALLINT": "SMALLINT", "DECIMAL": "DECIMAL", "FLOAT": "FLOAT", "REAL": "REAL",
	"SYMBOL": "SYMBOL", "VARCHAR": "CHARACTER_VARYING", "CHAR": "CHARACTER", "CHARACTER": "CHARACTER", "SEXP": "SEXP",
	"BAG": "BAG", "CLOB": "CLOB", "TIMESTAMP": "TIMESTAMP", "DATE": "DATE", "TIME": "TIME",
}

// is reads IS [NOT] and MISSING or a type; word is the IS.
func (e expressions) is(word token, left expression.Term) (expression.Term, error) {
	if !left.IsOperand() {
		return left, refused("The left hand side argument to IS must be a Variable Reference, Literal, or Path")
	}
	negated := e.accept("NOT")
	t := e.next()
	var term expression.Term
	switch kind, ok := kinds[t.text]; {
	case t.kind != tokenKeyword:
		return left, malformed("Expected type name")
	case t.text == "MISSING":
		term = expression.Call("attribute_not_exists", left)
	case ok:
		term = expression.Call("attribute_type", left, expression.Literal(item.String(kind.String())))
	case otherKinds[t.text] != "":
		return left, refused("Unsupported data type for IS operator: %s. Supported data types are "+
			"[MISSING, NULL, BOOLEAN, BLOB, STRING, NUMERIC, STRUCT, TUPLE, LIST]%s", otherKinds[t.text], word.at())
	default:
		return left, malformed("Expected type name")
	}
	if negated {
		term = expression.Operation("NOT", term)
	}
	return term, nil
}

func (e expressions) between(left expression.Term) (expression.Term, error) {
	low, err := e.sum()
	if err != nil {
		return low, err
	}
	if err := e.expect("AND"); err != nil {
		return low, err
	}
	high, err := e.sum()
	if err != nil {
		return high, err
	}
	return expression.Operation("BETWEEN", left, low, high), nil
}

// in reads a list in brackets or parentheses, or a bag.
func (e expressions) in(left expression.Term) (expression.Term, error) {
	closing := map[string]string{"[": "]", "(": ")", "<<": ">>"}[e.peek().text]
	if e.peek().kind != tokenSymbol || closing == "" {
		return left, errIn()
	}
	e.next()
	terms := []expression.Term{left}
	for !e.peek().is(closing) {
		if len(terms) > 1 {
			if err := e.expect(","); err != nil {
				return left, err
			}
		}
		term, err := e.or()
		if err != nil {
			return left, err
		}
		terms = append(terms, term)
	}
	e.next()
	if len(terms) == 1 {
		return left, errIn()
	}
	return expression.Operation("IN", terms...), nil
}

func errIn() error {
	return refused("IN operator must have a left hand argument of type Variable Reference and " +
		"right hand argument of type Seq with at least one member")
}

func (e expressions) sum() (expression.Term, error) {
	left, err := e.operand()
	for err == nil && e.peek().kind == tokenSymbol {
		operator := e.peek().text
		switch operator {
		case "+", "-":
			if e.called != "Update" {
				return left, e.unsupported(operator)
			}
		case "*", "/", "%", "||":
			return left, e.unsupported(operator)
		default:
			return left, nil
		}
		e.next()
		var right expression.Term
		if right, err = e.operand(); err == nil {
			left = expression.Operation(operator, left, right)
		}
	}
	return left, err
}

// operand reads a path, a value, a function's result, or anything in parentheses.
func (e expressions) operand() (expression.Term, error) {
	t := e.peek()
	following := e.tokens[min(e.at+1, len(e.tokens)-1)]
	switch {
	case t.is("("):
		return e.parentheses()
	case (t.kind == tokenName && !t.quoted || t.kind == tokenKeyword) && following.is("("):
		return e.call()
	case t.kind == tokenName || t.is("@"):
		e.accept("@")
		path, err := e.path()
		if err != nil {
			return expression.Term{}, err
		}
		return expression.At(path), nil
	case t.is("CASE"):
		return expression.Term{}, refused("Unsupported token in expression: CASE%s", t.at())
	case t.is("-") && following.kind != tokenNumber:
		return expression.Term{}, e.unsupported("-")
	}
	v, err := e.value("root")
	if err != nil {
		return expression.Term{}, err
	}
	return expression.Literal(v), item.Item{"": v}.CheckDepth()
}

func (e expressions) parentheses() (expression.Term, error) {
	e.next()
	term, err := e.or()
	if err != nil {
		return term, err
	}
	return term, e.expect(")")
}

// dynamoFunctions may be called, in any case.
var dynamoFunctions = map[string]map[string]bool{
	"Condition": {"attribute_exists": true, "attribute_not_exists": true, "attribute_type": true, "begins_with": true,
		"contains": true, "size": true},
	"Update": {"if_not_exists": true, "list_append": true},
}

func (e expressions) call() (expression.Term, error) {
	t := e.next()
	name := strings.ToLower(t.text)
	if !dynamoFunctions[e.called][name] {
		return expression.Term{}, refused("Unrecognized function: %s%s", name, t.at())
	}
	e.next() // the parenthesis
	args, err := e.arguments()
	if err != nil {
		return expression.Term{}, err
	}
	return expression.Call(name, args...), nil
}

// arguments reads what is between parentheses, after the first.
func (e expressions) arguments() ([]expression.Term, error) {
	var args []expression.Term
	for !e.accept(")") {
		if len(args) > 0 {
			if err := e.expect(","); err != nil {
				return nil, malformed("Expected RIGHT_PAREN")
			}
		}
		arg, err := e.sum()
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	return args, nil
}
