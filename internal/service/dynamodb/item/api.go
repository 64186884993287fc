package item

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
)

// maxDepth is how deep lists and maps may be nested.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes
const maxDepth = 32

var (
	errDepth = awsapi.ValidationException.New("Nesting Levels have exceeded supported limits: " +
		"Attributes in the item have nested levels beyond supported limit")
	errNoName = awsapi.ValidationException.New("Empty attribute name")
)

// FromAPI returns the item that a request holds, checked: each value has one type, numbers are such as DynamoDB can
// hold, sets are neither empty nor with duplicates, nesting is bounded. What a table demands of its keys is checked
// elsewhere.
func FromAPI(attributes map[string]api.AttributeValue) (Item, error) {
	return fromMap(attributes, 0)
}

// ValueFromAPI is FromAPI for one value.
func ValueFromAPI(v api.AttributeValue) (Value, error) { return fromValue(&v, 0) }

func fromMap(attributes map[string]api.AttributeValue, depth int) (Item, error) {
	it := make(Item, len(attributes))
	for name, v := range attributes {
		value, err := fromValue(&v, depth)
		if name == "" || err != nil {
			return nil, firstFailure(attributes, depth)
		}
		it[name] = value
	}
	return it, nil
}

// firstFailure is the error of the first attribute that has one, by name, so that the same request has the same answer.
func firstFailure(attributes map[string]api.AttributeValue, depth int) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if name == "" {
			return errNoName
		}
		v := attributes[name]
		if _, err := fromValue(&v, depth); err != nil {
			return err
		}
	}
	return nil
}

func fromValue(v *api.AttributeValue, depth int) (Value, error) {
	if depth >= maxDepth {
		return Value{}, errDepth
	}
	types, n := typesOf(v)
	if n == 1 {
		return read(v, types[0], depth)
	}
	for _, kind := range types[:n] {
		if _, err := read(v, kind, depth); err != nil {
			return Value{}, err
		}
	}
	if n == 0 {
		return Value{}, awsapi.ValidationException.New("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
	}
	return Value{}, awsapi.ValidationException.New("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes")
}

// typesOf are the n types of which the value has a member. It is on the way of every write: no slice, no allocation.
func typesOf(v *api.AttributeValue) (types [len(kindNames)]Kind, n int) {
	for kind, present := range [...]bool{
		S: v.S != nil, N: v.N != nil, B: v.B != nil, SS: v.SS != nil, NS: v.NS != nil, BS: v.BS != nil,
		M: v.M != nil, L: v.L != nil, NULL: v.NULL != nil, BOOL: v.BOOL != nil,
	} {
		if present {
			types[n] = Kind(kind)
			n++
		}
	}
	return types, n
}

// read reads the value's member of one type.
func read(v *api.AttributeValue, kind Kind, depth int) (Value, error) {
	switch kind {
	case S:
		return String(*v.S), nil
	case N:
		return Number(*v.N)
	case B:
		return Bytes(v.B), nil
	case SS:
		return stringSet(v.SS)
	case NS:
		return numberSet(v.NS)
	case BS:
		return binarySet(v.BS)
	case M:
		return fromMapValue(v.M, depth)
	case L:
		return fromList(v.L, depth)
	case BOOL:
		return Boolean(*v.BOOL), nil
	}
	return Null(), nil // NULL; false is true, at AWS too
}

func fromMapValue(m map[string]api.AttributeValue, depth int) (Value, error) {
	it, err := fromMap(m, depth+1)
	return Map(it), err
}

func fromList(l []api.AttributeValue, depth int) (Value, error) {
	list := make([]Value, len(l))
	for i := range l {
		var err error
		if list[i], err = fromValue(&l[i], depth+1); err != nil {
			return Value{}, err
		}
	}
	return List(list...), nil
}

// The double spaces are AWS's.
func stringSet(elements []string) (Value, error) {
	if len(elements) == 0 {
		return Value{}, invalid("An string set  may not be empty")
	}
	set := Set(SS, elements...)
	if len(set.Set) < len(elements) {
		return Value{}, invalid("Input collection [%s] contains duplicates.", strings.Join(elements, ", "))
	}
	return set, nil
}

func numberSet(elements []string) (Value, error) {
	if len(elements) == 0 {
		return Value{}, invalid("An number set  may not be empty")
	}
	numbers := make([]string, len(elements))
	for i, element := range elements {
		var err error
		if numbers[i], err = canonicalNumber(element); err != nil {
			return Value{}, err
		}
	}
	set := Set(NS, numbers...)
	if len(set.Set) < len(elements) {
		return Value{}, awsapi.ValidationException.New("Input collection contains duplicates")
	}
	return set, nil
}

func binarySet(elements [][]byte) (Value, error) {
	if len(elements) == 0 {
		return Value{}, invalid("Binary sets should not be empty")
	}
	texts := make([]string, len(elements))
	shown := make([]string, len(elements))
	for i, element := range elements {
		texts[i] = string(element)
		shown[i] = base64.StdEncoding.EncodeToString(element)
	}
	set := Set(BS, texts...)
	if len(set.Set) < len(elements) {
		// The missing space is AWS's.
		return Value{}, invalid("Input collection [%s]of type BS contains duplicates.", strings.Join(shown, ", "))
	}
	return set, nil
}

func invalid(format string, args ...any) error {
	return awsapi.ValidationException.New("One or more parameter values were invalid: "+format, args...)
}

// CheckDepth is the error of an item that is nested deeper than DynamoDB takes.
func (it Item) CheckDepth() error {
	for _, v := range it {
		if v.depth() > maxDepth {
			return errDepth
		}
	}
	return nil
}

// depth is 1 for a value that holds no others.
func (v Value) depth() int {
	inner := 0
	for _, member := range v.Map {
		inner = max(inner, member.depth())
	}
	for _, element := range v.List {
		inner = max(inner, element.depth())
	}
	return inner + 1
}

// API returns the item as a reply holds it.
func (it Item) API() map[string]api.AttributeValue {
	if it == nil {
		return nil
	}
	out := make(map[string]api.AttributeValue, len(it))
	for name, v := range it {
		out[name] = v.API()
	}
	return out
}

// API returns the value as a reply holds it.
func (v Value) API() api.AttributeValue {
	switch v.Kind {
	case S:
		return api.AttributeValue{S: new(v.Text)}
	case N:
		return api.AttributeValue{N: new(v.Text)}
	case B:
		return api.AttributeValue{B: []byte(v.Text)}
	case SS:
		return api.AttributeValue{SS: v.Set}
	case NS:
		return api.AttributeValue{NS: v.Set}
	case BS:
		return api.AttributeValue{BS: v.binarySet()}
	case M:
		return api.AttributeValue{M: v.Map.API()}
	case L:
		return api.AttributeValue{L: v.apiList()}
	case NULL:
		return api.AttributeValue{NULL: new(v.Bool)}
	case BOOL:
		return api.AttributeValue{BOOL: new(v.Bool)}
	}
	return api.AttributeValue{}
}

func (v Value) binarySet() [][]byte {
	out := make([][]byte, len(v.Set))
	for i, element := range v.Set {
		out[i] = []byte(element)
	}
	return out
}

func (v Value) apiList() []api.AttributeValue {
	out := make([]api.AttributeValue, len(v.List))
	for i := range v.List {
		out[i] = v.List[i].API()
	}
	return out
}
