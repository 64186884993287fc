package expression

import (
	"slices"
	"strconv"
	"strings"

	"cirro/internal/service/dynamodb/item"
)

// Limits of expressions.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-expression-parameters
const (
	maxOperators  = 300
	maxInOperands = 100
	maxPathDepth  = 32
	maxListIndex  = 1<<31 - 1
)

// language is what functions an expression may use, and where.
type language struct {
	name string // in "The function is not allowed in a condition expression"
	// functions may be used at all; operands among them as operands of others.
	functions, operands []operator
}

var (
	conditionLanguage = language{
		name: "a condition",
		functions: []operator{opAttributeExists, opAttributeNotExists, opAttributeType, opBeginsWith, opContains,
			opSize},
		operands: []operator{opSize},
	}
	builtLanguage = language{
		name:      conditionLanguage.name,
		functions: conditionLanguage.functions,
		operands:  conditionLanguage.functions,
	}
	updateLanguage = language{
		name:      "an update",
		functions: []operator{opIfNotExists, opListAppend},
		operands:  []operator{opIfNotExists},
	}
)

// position is where in an expression a node stands.
type position uint8

const (
	asCondition position = iota // its truth counts
	asSetValue                  // the right side of SET
	asOperand
)

// checkWords looks up functions and refuses those that do not belong where they are, and reserved words as names. It
// goes from left to right, what contains before what is contained.
func (l language) checkWords(n *node, at position) error {
	if n.op == opFunction {
		if err := l.checkFunction(n, at); err != nil {
			return err
		}
	}
	if n.op == opPath {
		return checkReserved(n)
	}
	below := asOperand
	if n.op == opAnd || n.op == opOr || n.op == opNot {
		below = asCondition
	}
	for _, arg := range n.args {
		if err := l.checkWords(arg, below); err != nil {
			return err
		}
	}
	return nil
}

func (l language) checkFunction(n *node, at position) error {
	op, ok := functions[n.name]
	switch {
	case !ok:
		return problem("Invalid function name; function: %s", n.name)
	case !slices.Contains(l.functions, op):
		return problem("The function is not allowed in %s expression; function: %s", l.name, n.name)
	case at == asOperand && !slices.Contains(l.operands, op), at == asCondition && op == opSize:
		return problem("The function is not allowed to be used this way in an expression; function: %s", n.name)
	}
	n.op = op
	return nil
}

func checkReserved(n *node) error {
	for _, step := range n.steps {
		if step.kind == tokenName && isReserved(step.text) {
			return problem("Attribute name is a reserved keyword; reserved keyword: %s", step.text)
		}
	}
	return nil
}

// resolver puts names and values in the place of placeholders, and checks what then can be checked: numbers of
// operands, their types, limits. It goes from left to right, what is contained before what contains.
type resolver struct {
	placeholders *Placeholders
}

func (r resolver) resolve(n *node) error {
	switch n.op {
	case opPath:
		return r.path(n)
	case opValue:
		if n.name == "" {
			return nil // built, not written
		}
		var err error
		n.value, err = r.placeholders.value(n.name)
		return err
	}
	for _, arg := range n.args {
		if err := r.resolve(arg); err != nil {
			return err
		}
	}
	return checkOperator(n)
}

// checkCount refuses expressions of too many operators and functions. It comes last.
func checkCount(roots ...*node) error {
	count := 0
	for _, root := range roots {
		count += root.operators()
	}
	if count > maxOperators {
		return problem("The expression contains too many operators; operator count: %d", maxOperators+1)
	}
	return nil
}

func (n *node) operators() int {
	if n.op == opPath || n.op == opValue {
		return 0
	}
	count := 1
	for _, arg := range n.args {
		count += arg.operators()
	}
	return count
}

func (r resolver) path(n *node) error {
	if n.steps == nil {
		return nil // built, not written
	}
	if len(n.steps) > maxPathDepth {
		return problem("The document path has too many nesting levels; nesting levels: %d", len(n.steps))
	}
	n.path = make(Path, len(n.steps))
	for i, written := range n.steps {
		step, err := r.step(written)
		if err != nil {
			return err
		}
		n.path[i] = step
	}
	return nil
}

func (r resolver) step(written writtenStep) (Step, error) {
	switch written.kind {
	case tokenIndex:
		index, err := strconv.ParseInt(written.text, 10, 64)
		if err != nil || index > maxListIndex {
			return Step{}, problem("List index is not within the allowable range; index: [%s]", written.text)
		}
		return Step{Index: int(index), IsIndex: true}, nil
	case tokenNamePlaceholder:
		name, err := r.placeholders.name(written.text)
		return Step{Name: name}, err
	}
	return Step{Name: written.text}, nil
}

// operandCounts is how many operands a function has.
var operandCounts = map[operator]int{
	opAttributeExists: 1, opAttributeNotExists: 1, opAttributeType: 2, opBeginsWith: 2, opContains: 2, opSize: 1,
	opIfNotExists: 2, opListAppend: 2,
}

func checkOperator(n *node) error {
	if want, ok := operandCounts[n.op]; ok && len(n.args) != want {
		return problem("Incorrect number of operands for operator or function; operator or function: %s, number of operands: %d",
			n.op, len(n.args))
	}
	if n.op == opIn && len(n.args)-1 > maxInOperands {
		return problem("The IN operator is provided with too many operands; number of operands: %d", len(n.args)-1)
	}
	if n.op == opBetween {
		if err := checkKinds(n, ordered); err != nil {
			return err
		}
	}
	if err := checkDistinct(n); err != nil {
		return err
	}
	return checkOperands(n)
}

// checkDistinct refuses to compare a path to itself.
func checkDistinct(n *node) error {
	if n.op == opAnd || n.op == opOr || n.op == opNot || n.op == opPlus || n.op == opMinus || n.op == opListAppend {
		return nil
	}
	first := n.args[0]
	for _, arg := range n.args[1:] {
		if first.op == opPath && arg.op == opPath && slices.Equal(first.path, arg.path) {
			return problem("The first operand must be distinct from the remaining operands for this operator or function; "+
				"operator: %s, first operand: %s", n.op, first.path)
		}
	}
	return nil
}

// kind is the type of what a node gives, as far as it is known before there is an item; zero where it is not.
func (n *node) kind() item.Kind {
	switch n.op {
	case opValue:
		return n.value.Kind
	case opSize, opPlus, opMinus:
		return item.N
	case opListAppend:
		return item.L
	}
	if n.op.isCondition() {
		return item.BOOL
	}
	return 0
}

var (
	ordered = []item.Kind{item.S, item.N, item.B}
	texts   = []item.Kind{item.S, item.B}
	sized   = []item.Kind{item.S, item.B, item.SS, item.NS, item.BS, item.M, item.L}
)

func checkOperands(n *node) error {
	switch n.op {
	case opAttributeExists, opAttributeNotExists, opIfNotExists:
		if n.args[0].op != opPath {
			return problem("Operator or function requires a document path; operator or function: %s", n.op)
		}
	case opLess, opLessOrEqual, opGreater, opGreaterOrEqual:
		return checkKinds(n, ordered)
	case opBetween:
		return checkBounds(n)
	case opBeginsWith:
		return checkKinds(n, texts)
	case opSize:
		return checkKinds(n, sized)
	case opPlus, opMinus:
		return checkKinds(n, []item.Kind{item.N})
	case opListAppend:
		return checkKinds(n, []item.Kind{item.L})
	case opAttributeType:
		return checkAttributeType(n)
	}
	return nil
}

func checkKinds(n *node, allowed []item.Kind) error {
	for _, arg := range n.args {
		if kind := arg.kind(); kind != 0 && !slices.Contains(allowed, kind) {
			return wrongKind(n.op, kind.String())
		}
	}
	return nil
}

func wrongKind(op operator, kind string) error {
	return problem("Incorrect operand type for operator or function; operator or function: %s, operand type: %s", op, kind)
}

// Neither list is in an order that means anything; both are as AWS prints them.
const (
	anyKind    = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"
	validKinds = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
)

func checkAttributeType(n *node) error {
	second := n.args[1]
	switch kind := second.kind(); kind {
	case 0:
		return wrongKind(n.op, anyKind)
	case item.S:
	default:
		return wrongKind(n.op, kind.String())
	}
	if _, ok := item.KindOf(second.value.Text); !ok {
		return problem("Invalid attribute type name found; type: %s, valid types: %s", second.value.Text, validKinds)
	}
	return nil
}

func checkBounds(n *node) error {
	low, high := n.args[1], n.args[2]
	if low.op != opValue || high.op != opValue {
		return nil
	}
	order, comparable := item.Compare(low.value, high.value)
	switch {
	case !comparable:
		return problem("The BETWEEN operator requires same data type for lower and upper bounds; %s", bounds(low, high))
	case order > 0:
		return problem("The BETWEEN operator requires upper bound to be greater than or equal to lower bound; %s", bounds(low, high))
	}
	return nil
}

func bounds(low, high *node) string {
	var b strings.Builder
	for i, bound := range []*node{low, high} {
		b.WriteString([]string{"lower bound operand: ", ", upper bound operand: "}[i])
		b.WriteString("AttributeValue: {" + bound.value.Kind.String() + ":" + printed(bound.value) + "}")
	}
	return b.String()
}

// printed is how a value of S, N or B stands in AWS's messages. Of bytes only the number is shown.
func printed(v item.Value) string {
	if v.Kind == item.B {
		n := strconv.Itoa(len(v.Text))
		return "java.nio.HeapByteBuffer[pos=0 lim=" + n + " cap=" + n + "]"
	}
	return v.Text
}
