package expression

import (
	"maps"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// The parameters that were there before expressions say what expressions say, and become the same trees. Attributes
// are gone through by name, so that the same request has the same answer.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html

// olderOperator is what a ComparisonOperator asks for.
type olderOperator struct {
	op       operator
	min, max int         // operands
	kinds    []item.Kind // nil where all will do
}

const anyNumber = 1 << 30

var (
	containable = []item.Kind{item.S, item.N, item.B, item.BOOL, item.NULL}

	olderOperators = map[string]olderOperator{
		"EQ":           {opEqual, 1, 1, nil},
		"NE":           {opNotEqual, 1, 1, nil},
		"LE":           {opLessOrEqual, 1, 1, ordered},
		"LT":           {opLess, 1, 1, ordered},
		"GE":           {opGreaterOrEqual, 1, 1, ordered},
		"GT":           {opGreater, 1, 1, ordered},
		"CONTAINS":     {opContains, 1, 1, containable},
		"NOT_CONTAINS": {opNotContains, 1, 1, containable},
		"BEGINS_WITH":  {opBeginsWith, 1, 1, texts},
		"IN":           {opIn, 1, anyNumber, ordered},
		"BETWEEN":      {opBetween, 2, 2, ordered},
		"NULL":         {opAttributeNotExists, 0, 0, nil},
		"NOT_NULL":     {opAttributeExists, 0, 0, nil},
	}
)

var errNoName = awsapi.ValidationException.New("Empty attribute name")

func refused(format string, args ...any) error {
	return invalid("One or more parameter values were invalid: "+format, args...)
}

// Expected is the condition that the parameter Expected is; nil where it has no attributes.
func Expected(expected map[string]api.ExpectedAttributeValue, conditionalOperator *string) (*Condition, error) {
	var conditions []*node
	for _, name := range slices.Sorted(maps.Keys(expected)) {
		n, err := expectation(name, expected[name])
		if err != nil {
			return nil, err
		}
		conditions = append(conditions, n)
	}
	return joined(conditions, conditionalOperator)
}

func expectation(name string, e api.ExpectedAttributeValue) (*node, error) {
	if e.Value != nil && e.AttributeValueList != nil {
		return nil, refused("Value and AttributeValueList cannot be used together for Attribute: %s", name)
	}
	if e.ComparisonOperator == nil {
		return existence(name, e)
	}
	operator := *e.ComparisonOperator
	list := e.AttributeValueList
	switch {
	case e.Exists != nil:
		return nil, refused("Exists and ComparisonOperator cannot be used together for Attribute: %s", name)
	case e.Value != nil:
		list = []api.AttributeValue{*e.Value}
	case list == nil && operator != "NULL" && operator != "NOT_NULL":
		return nil, refused("Value or AttributeValueList must be used with ComparisonOperator: %s for Attribute: %s", operator, name)
	}
	return olderCondition(name, operator, list)
}

// existence is an expectation without an operator: of a value, or that there is none.
func existence(name string, e api.ExpectedAttributeValue) (*node, error) {
	exists := e.Exists == nil || *e.Exists
	switch {
	case e.AttributeValueList != nil:
		return nil, refused("AttributeValueList can only be used with a ComparisonOperator for Attribute: %s", name)
	case exists && e.Value == nil && e.Exists == nil:
		return nil, refused("Value must be provided when Exists is null for Attribute: %s", name)
	case exists && e.Value == nil:
		return nil, refused("Value must be provided when Exists is true for Attribute: %s", name)
	case !exists && e.Value != nil:
		return nil, refused("Value cannot be used when Exists is false for Attribute: %s", name)
	case !exists:
		return &node{op: opAttributeNotExists, args: []*node{attribute(name)}}, nil
	}
	v, err := item.ValueFromAPI(*e.Value)
	return &node{op: opEqual, args: []*node{attribute(name), literal(v)}}, err
}

// Filter is the condition that the parameter QueryFilter or ScanFilter is; nil where it has no attributes.
func Filter(conditions map[string]api.Condition, conditionalOperator *string) (*Condition, error) {
	nodes, err := olderConditions(conditions)
	if err != nil {
		return nil, err
	}
	return joined(nodes, conditionalOperator)
}

// KeyConditions is the key condition that the parameter of that name is.
func KeyConditions(conditions map[string]api.Condition) (*KeyCondition, error) {
	nodes, err := olderConditions(conditions)
	if err != nil {
		return nil, err
	}
	k := &KeyCondition{older: true}
	for _, n := range nodes {
		comparison, ok := keyComparisons[n.op]
		if !ok {
			comparison = unindexable
		}
		c := keyComparison{attribute: n.args[0].path.Attribute(), comparison: comparison}
		for _, arg := range n.args[1:] {
			c.values = append(c.values, arg.value)
		}
		k.conditions = append(k.conditions, c)
	}
	return k, nil
}

func olderConditions(conditions map[string]api.Condition) ([]*node, error) {
	var nodes []*node
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		c := conditions[name]
		n, err := olderCondition(name, awsapi.Val(c.ComparisonOperator), c.AttributeValueList)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

func olderCondition(name, comparison string, list []api.AttributeValue) (*node, error) {
	if name == "" {
		return nil, errNoName
	}
	n := &node{args: []*node{attribute(name)}}
	for _, v := range list {
		value, err := item.ValueFromAPI(v)
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, literal(value))
	}
	operator, ok := olderOperators[comparison]
	if !ok {
		return nil, invalid("Comparison type does not exist in DynamoDB")
	}
	n.op = operator.op
	return n, operator.check(comparison, n.args[1:])
}

// check refuses operands that are too few, too many, of different types, or of unfit ones.
func (o olderOperator) check(comparison string, operands []*node) error {
	if len(operands) < o.min || len(operands) > o.max {
		return refused("Invalid number of argument(s) for the %s ComparisonOperator", comparison)
	}
	for _, operand := range operands {
		if operand.value.Kind != operands[0].value.Kind {
			return refused("AttributeValues inside AttributeValueList must be of same type")
		}
	}
	for _, operand := range operands {
		if o.kinds != nil && !slices.Contains(o.kinds, operand.value.Kind) {
			return refused("ComparisonOperator %s is not valid for %s AttributeValue type", comparison, operand.value.Kind)
		}
	}
	if o.op == opBetween {
		if order, _ := item.Compare(operands[0].value, operands[1].value); order > 0 {
			return invalid("The BETWEEN condition was provided a range where the lower bound is greater than the upper bound")
		}
	}
	return nil
}

func attribute(name string) *node { return &node{op: opPath, path: Path{{Name: name}}} }

func literal(v item.Value) *node { return &node{op: opValue, value: v} }

// joined is all of the conditions, or any of them where the operator is OR.
func joined(conditions []*node, conditionalOperator *string) (*Condition, error) {
	if conditionalOperator != nil && len(conditions) == 0 {
		return nil, invalid("ConditionalOperator cannot be used without Filter or Expected")
	}
	if conditionalOperator != nil && len(conditions) == 1 {
		return nil, invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")
	}
	if len(conditions) == 0 {
		return nil, nil
	}
	op := opAnd
	if awsapi.Val(conditionalOperator) == "OR" {
		op = opOr
	}
	root := conditions[0]
	for _, n := range conditions[1:] {
		root = &node{op: op, args: []*node{root, n}}
	}
	return &Condition{root}, nil
}

// AttributeUpdates is the update that the parameter of that name is.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.AttributeUpdates.html
func AttributeUpdates(updates map[string]api.AttributeValueUpdate) (*Update, error) {
	var actions []action
	for _, name := range slices.Sorted(maps.Keys(updates)) {
		a, err := olderAction(name, updates[name])
		if err != nil {
			return nil, err
		}
		actions = append(actions, a)
	}
	return newUpdate(actions), nil
}

func olderAction(name string, u api.AttributeValueUpdate) (action, error) {
	if name == "" {
		return action{}, errNoName
	}
	a := action{verb: verbSet, target: attribute(name), older: true}
	if u.Action != nil && *u.Action != "PUT" {
		a.verb = verb(*u.Action)
	}
	if u.Value == nil {
		if a.verb != verbDelete {
			return a, refused("Only DELETE action is allowed when no attribute value is specified")
		}
		a.verb = verbRemove
		return a, nil
	}
	v, err := item.ValueFromAPI(*u.Value)
	if err != nil {
		return a, err
	}
	a.value = literal(v)
	isSet := v.Kind.Element() != 0
	switch {
	case a.verb == verbDelete && !isSet:
		return a, refused("DELETE action with value is not supported for the type %s", kindWords[v.Kind])
	case a.verb == verbAdd && !isSet && v.Kind != item.N && v.Kind != item.L:
		return a, refused("ADD action is not supported for the type %s", kindWords[v.Kind])
	}
	return a, nil
}

// AttributesToGet is the projection that the parameter of that name is.
func AttributesToGet(names []string) (*Projection, error) {
	paths := make([]Path, len(names))
	for i, name := range names {
		if name == "" {
			return nil, errNoName
		}
		if slices.Contains(names[:i], name) {
			return nil, refused("Duplicate value in attribute name: %s", name)
		}
		paths[i] = Path{{Name: name}}
	}
	return NewProjection(paths), nil
}
