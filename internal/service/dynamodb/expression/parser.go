package expression

import "errors"

// parser reads tokens by recursive descent. Where it tries one reading and then another, the error is that of the
// token that it came furthest to: no reading could go on there.
type parser struct {
	text   string
	tokens []token
	at     int
	// furthest is the token that no reading could take so far.
	furthest int
	// redundant is the first token that closes parentheses which are directly within others; zero where none does.
	redundant int
}

// errSyntax says only that a reading failed; which token is at fault stands in the parser.
var errSyntax = errors.New("syntax error")

// maxSize is how long an expression may be, in bytes.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters
const maxSize = 4096

func newParser(text string) (*parser, error) {
	switch {
	case text == "":
		return nil, problem("The expression can not be empty;")
	case len(text) > maxSize:
		return nil, problem("Expression size has exceeded the maximum allowed size; expression size: %d", len(text))
	}
	return &parser{text: text, tokens: tokens(text)}, nil
}

func (p *parser) peek() token { return p.tokens[p.at] }

// fail notes that the next token is not what a reading needs.
func (p *parser) fail() error {
	p.furthest = max(p.furthest, p.at)
	return errSyntax
}

// accept takes the next token if it is the given symbol or keyword.
func (p *parser) accept(text string) bool {
	if p.peek().is(text) {
		p.at++
		return true
	}
	p.furthest = max(p.furthest, p.at)
	return false
}

func (p *parser) expect(text string) error {
	if !p.accept(text) {
		return errSyntax
	}
	return nil
}

// take takes the next token if it is of the kind.
func (p *parser) take(kind tokenKind) (token, bool) {
	t := p.peek()
	if t.kind != kind {
		p.furthest = max(p.furthest, p.at)
		return t, false
	}
	p.at++
	return t, true
}

// finish is the error of a reading that should have reached the end.
func (p *parser) finish(err error) error {
	complete := err == nil && p.peek().kind == tokenEOF
	p.furthest = max(p.furthest, p.at)
	switch {
	case p.redundant > 0 && p.redundant < p.furthest:
		return problem("The expression has redundant parentheses;")
	case complete:
		return nil
	}
	return p.syntaxError()
}

// noteRedundant is told of parentheses within parentheses when their last one was read.
func (p *parser) noteRedundant(found bool) {
	if found && (p.redundant == 0 || p.at-1 < p.redundant) {
		p.redundant = p.at - 1
	}
}

// syntaxError names the token at fault, and shows it between its neighbours.
func (p *parser) syntaxError() error {
	bad := p.tokens[p.furthest]
	text := p.text[bad.start:bad.end]
	if bad.kind == tokenEOF {
		text = "<EOF>"
	}
	from, to := 0, bad.end
	if p.furthest > 0 {
		from = p.tokens[p.furthest-1].start
	}
	if p.furthest+1 < len(p.tokens) {
		to = p.tokens[p.furthest+1].end
	}
	return problem("Syntax error; token: \"%s\", near: \"%s\"", text, p.text[from:to])
}

// operand reads a path, a value, a function's result, or one of these in parentheses.
func (p *parser) operand() (*node, error) {
	depth := 0
	for p.accept("(") {
		depth++
	}
	n, err := p.bareOperand()
	if err != nil {
		return nil, err
	}
	for range depth {
		if err := p.expect(")"); err != nil {
			return nil, err
		}
	}
	p.noteRedundant(depth > 1)
	return n, nil
}

func (p *parser) bareOperand() (*node, error) {
	if t, ok := p.take(tokenValuePlaceholder); ok {
		return &node{op: opValue, name: t.text}, nil
	}
	if p.peek().kind == tokenName && p.tokens[p.at+1].is("(") {
		return p.function()
	}
	return p.path()
}

func (p *parser) function() (*node, error) {
	name, ok := p.take(tokenName)
	if !ok {
		return nil, errSyntax
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	args, err := p.operands()
	if err != nil {
		return nil, err
	}
	return &node{op: opFunction, name: name.text, args: args}, p.expect(")")
}

// operands reads one or more, with commas between.
func (p *parser) operands() ([]*node, error) {
	var all []*node
	for {
		n, err := p.operand()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if !p.accept(",") {
			return all, nil
		}
	}
}

func (p *parser) path() (*node, error) {
	step, err := p.nameStep()
	if err != nil {
		return nil, err
	}
	n := &node{op: opPath, steps: []writtenStep{step}}
	for {
		switch {
		case p.accept("."):
			step, err = p.nameStep()
		case p.accept("["):
			step, err = p.indexStep()
		default:
			return n, nil
		}
		if err != nil {
			return nil, err
		}
		n.steps = append(n.steps, step)
	}
}

func (p *parser) nameStep() (writtenStep, error) {
	for _, kind := range []tokenKind{tokenName, tokenNamePlaceholder} {
		if t, ok := p.take(kind); ok {
			return writtenStep{kind, t.text}, nil
		}
	}
	return writtenStep{}, errSyntax
}

func (p *parser) indexStep() (writtenStep, error) {
	t, ok := p.take(tokenIndex)
	if !ok {
		return writtenStep{}, errSyntax
	}
	return writtenStep{tokenIndex, t.text}, p.expect("]")
}
