package expression

import (
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/service/dynamodb/item"
)

// KeyCondition says which items of a table or an index a query is about. It is safe for concurrent use.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Query.KeyConditionExpressions.html
type KeyCondition struct {
	conditions []keyComparison
	older      bool // from KeyConditions
}

// Comparison is how a key's value is compared.
type Comparison uint8

// Comparisons. Only Equal is one of hash keys.
const (
	Equal Comparison = iota
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
	Between
	BeginsWith
	// unindexable are those that only older parameters can ask for, and no key can answer.
	unindexable
)

type keyComparison struct {
	attribute  string
	comparison Comparison
	values     []item.Value
}

// Key is a key attribute's name and type; without a name there is none.
type Key struct {
	Name string
	Kind item.Kind
}

// KeyRange is what a key condition selects: one hash key, and all or some of the sort keys under it.
type KeyRange struct {
	Hash       item.Value
	Limited    bool // by Comparison to Values
	Comparison Comparison
	Values     []item.Value // two for Between, else one
}

// ParseKeyCondition reads a KeyConditionExpression.
func ParseKeyCondition(text string, placeholders *Placeholders) (*KeyCondition, error) {
	root, err := parseCondition(text, placeholders)
	if err != nil {
		return nil, in("KeyConditionExpression", err)
	}
	k := &KeyCondition{}
	if err := k.add(root); err != nil {
		return nil, err
	}
	return k, nil
}

var keyComparisons = map[operator]Comparison{
	opEqual: Equal, opLess: Less, opLessOrEqual: LessOrEqual, opGreater: Greater, opGreaterOrEqual: GreaterOrEqual,
	opBetween: Between, opBeginsWith: BeginsWith,
}

// mirrored is the comparison with its sides exchanged.
var mirrored = map[Comparison]Comparison{
	Equal: Equal, Less: Greater, LessOrEqual: GreaterOrEqual, Greater: Less, GreaterOrEqual: LessOrEqual,
}

// add takes a condition apart: ANDs of comparisons between one attribute and values.
func (k *KeyCondition) add(n *node) error {
	if n.op == opAnd {
		if err := k.add(n.args[0]); err != nil {
			return err
		}
		return k.add(n.args[1])
	}
	comparison, ok := keyComparisons[n.op]
	if !ok {
		return invalid("Invalid operator used in KeyConditionExpression: %s", n.op)
	}
	if _, turnable := mirrored[comparison]; !turnable && n.args[0].op != opPath {
		return invalid("Invalid condition in KeyConditionExpression: %s operator must have the key attribute as its first operand", n.op)
	}
	c := keyComparison{comparison: comparison}
	at := -1
	for i, arg := range n.args {
		switch arg.op {
		case opValue:
			c.values = append(c.values, arg.value)
		case opPath:
			if at >= 0 {
				return invalid("Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition")
			}
			at = i
			if arg.path.Nested() {
				return invalid("KeyConditionExpressions cannot have conditions on nested attributes")
			}
			c.attribute = arg.path.Attribute()
		default:
			return invalid("KeyConditionExpressions cannot contain nested operations")
		}
	}
	return k.place(c, at)
}

// place adds a comparison whose attribute is its operand number at.
func (k *KeyCondition) place(c keyComparison, at int) error {
	if at < 0 {
		return invalid("Invalid condition in KeyConditionExpression: No key attribute specified")
	}
	if at > 0 {
		c.comparison = mirrored[c.comparison]
	}
	if slices.ContainsFunc(k.conditions, func(other keyComparison) bool { return other.attribute == c.attribute }) {
		return invalid("Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key")
	}
	k.conditions = append(k.conditions, c)
	return nil
}

// keyLength is how many attributes a key has.
func keyLength(sort Key) int {
	if sort.Name == "" {
		return 1
	}
	return 2
}

// Match returns what the condition selects under the given keys, or AWS's error where it does not fit them.
func (k *KeyCondition) Match(hash, sort Key) (KeyRange, error) {
	switch n := len(k.conditions); {
	case n > 2 && !k.older:
		return KeyRange{}, invalid("The number of query conditions (%d) exceeds the number of key attributes defined in the schema (%d)", n, keyLength(sort))
	case n == 0 || n > 2:
		return KeyRange{}, invalid("Conditions can be of length 1 or 2 only")
	}
	if sort.Name == "" && len(k.conditions) > 1 {
		return KeyRange{}, errKeyCondition
	}
	onHash, ok := k.on(hash)
	if !ok {
		return KeyRange{}, missedKey(hash)
	}
	if err := onHash.check(hash); err != nil {
		return KeyRange{}, err
	}
	if onHash.comparison != Equal {
		return KeyRange{}, errKeyCondition
	}
	r := KeyRange{Hash: onHash.values[0]}
	if len(k.conditions) == 1 {
		return r, nil
	}
	onSort, ok := k.on(sort)
	if !ok {
		return KeyRange{}, missedKey(sort)
	}
	if err := onSort.check(sort); err != nil {
		return KeyRange{}, err
	}
	r.Limited, r.Comparison, r.Values = true, onSort.comparison, onSort.values
	return r, nil
}

var errKeyCondition = awsapi.ValidationException.New("Query key condition not supported")

func missedKey(key Key) error {
	return invalid("Query condition missed key schema element: %s", key.Name)
}

func (k *KeyCondition) on(key Key) (keyComparison, bool) {
	for _, c := range k.conditions {
		if c.attribute == key.Name {
			return c, true
		}
	}
	return keyComparison{}, false
}

// check refuses values that are not of the key's type, or empty.
func (c keyComparison) check(key Key) error {
	if c.comparison == unindexable {
		return invalid("Attempted conditional constraint is not an indexable operation")
	}
	for _, v := range c.values {
		if v.Kind != key.Kind {
			return invalid("One or more parameter values were invalid: Condition parameter type does not match schema type")
		}
		if v.Kind != item.N && v.Text == "" && c.comparison != BeginsWith {
			word := map[item.Kind]string{item.S: "string", item.B: "binary"}[v.Kind]
			return invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %s",
				word, key.Name)
		}
	}
	return nil
}

// Holds reports whether a sort key's value is among those selected.
func (r KeyRange) Holds(v item.Value) bool {
	if !r.Limited {
		return true
	}
	if r.Comparison == BeginsWith {
		return v.Kind == r.Values[0].Kind && strings.HasPrefix(v.Text, r.Values[0].Text)
	}
	order, comparable := item.Compare(v, r.Values[0])
	if !comparable {
		return false
	}
	switch r.Comparison {
	case Less:
		return order < 0
	case LessOrEqual:
		return order <= 0
	case Greater:
		return order > 0
	case GreaterOrEqual:
		return order >= 0
	case Between:
		high, _ := item.Compare(v, r.Values[1])
		return order >= 0 && high <= 0
	}
	return order == 0
}
