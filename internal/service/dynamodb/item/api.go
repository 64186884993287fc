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

// Wording is one of the two ways in which AWS words what is wrong with a value. Which one it is depends on the operation.
// https://github.com/paritysuite/dynamodb-conformance/blob/main/tests/tier3/error-messages/valueLayers.test.ts
type Wording uint8

const (
	Current Wording = iota // PutItem, UpdateItem, DeleteItem, GetItem, BatchGetItem, Query
	Older                  // BatchWriteItem, transactions, Scan, PartiQL
)

// FromAPI returns the item that a request holds, checked: each value has one type, numbers are such as DynamoDB can
// hold, sets are neither empty nor with duplicates, nesting is bounded. What a table demands of its keys is checked
// elsewhere.
func FromAPI(attributes map[string]api.AttributeValue) (Item, error) {
	return Current.FromAPI(attributes)
}

// ValueFromAPI is FromAPI for one value.
func ValueFromAPI(v api.AttributeValue) (Value, error) { return Current.ValueFromAPI(v) }

// FromAPI is the function of that name, with its errors in this wording.
func (w Wording) FromAPI(attributes map[string]api.AttributeValue) (Item, error) {
	it, err := (&reader{wording: w}).item(attributes, 0)
	if err != nil {
		return (&reader{wording: w, sorted: true}).item(attributes, 0)
	}
	return it, nil
}

// ValueFromAPI is FromAPI for one value.
func (w Wording) ValueFromAPI(v api.AttributeValue) (Value, error) {
	value, err := (&reader{wording: w}).value(&v, 0)
	if err != nil {
		return (&reader{wording: w, sorted: true}).value(&v, 0)
	}
	return value, nil
}

// reader reads values of a request. One that goes through maps by name finds the same of several errors each time;
// it is asked once there is an error, and only at the top, lest it be asked again on each level.
type reader struct {
	wording Wording
	sorted  bool
}

func (r *reader) item(attributes map[string]api.AttributeValue, depth int) (Item, error) {
	it := make(Item, len(attributes))
	if r.sorted {
		for _, name := range slices.Sorted(maps.Keys(attributes)) {
			v := attributes[name]
			if err := r.attribute(it, name, &v, depth); err != nil {
				return nil, err
			}
		}
		return it, nil
	}
	for name, v := range attributes {
		if err := r.attribute(it, name, &v, depth); err != nil {
			return nil, err
		}
	}
	return it, nil
}

func (r *reader) attribute(it Item, name string, v *api.AttributeValue, depth int) error {
	if name == "" {
		return errNoName
	}
	value, err := r.value(v, depth)
	if err == nil {
		it[name] = value
	}
	return err
}

func (r *reader) value(v *api.AttributeValue, depth int) (Value, error) {
	if depth >= maxDepth {
		return Value{}, errDepth
	}
	types, n := typesOf(v)
	if n == 1 {
		return r.read(v, types[0], depth)
	}
	for _, kind := range types[:n] {
		if _, err := r.read(v, kind, depth); err != nil {
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
func (r *reader) read(v *api.AttributeValue, kind Kind, depth int) (Value, error) {
	switch kind {
	case S:
		return String(*v.S), nil
	case N:
		return r.number(*v.N)
	case B:
		return Bytes(v.B), nil
	case SS:
		return r.stringSet(v.SS)
	case NS:
		return r.numberSet(v.NS)
	case BS:
		return r.binarySet(v.BS)
	case M:
		return r.mapValue(v.M, depth)
	case L:
		return r.list(v.L, depth)
	case BOOL:
		return Boolean(*v.BOOL), nil
	}
	if !*v.NULL {
		return Value{}, invalid("Null attribute value types must have the value of true")
	}
	return Null(), nil
}

func (r *reader) mapValue(m map[string]api.AttributeValue, depth int) (Value, error) {
	it, err := r.item(m, depth+1)
	return Map(it), err
}

func (r *reader) list(l []api.AttributeValue, depth int) (Value, error) {
	list := make([]Value, len(l))
	for i := range l {
		var err error
		if list[i], err = r.value(&l[i], depth+1); err != nil {
			return Value{}, err
		}
	}
	return List(list...), nil
}

func (r *reader) number(text string) (Value, error) {
	v, err := Number(text)
	if err != nil && r.wording == Older {
		return v, olderNumberError(text)
	}
	return v, err
}

// The double spaces are AWS's.
func (r *reader) stringSet(elements []string) (Value, error) {
	if len(elements) == 0 {
		return Value{}, invalid("An string set  may not be empty")
	}
	set := Set(SS, elements...)
	if len(set.Set) == len(elements) {
		return set, nil
	}
	if r.wording == Older {
		return Value{}, invalid("Input collection [%s] contains duplicates.", strings.Join(elements, ", "))
	}
	return Value{}, invalid("Input collection [\"%s\"] contains duplicates.", strings.Join(upToRepeat(elements), "\", \""))
}

func (r *reader) numberSet(elements []string) (Value, error) {
	if len(elements) == 0 {
		return Value{}, invalid("An number set  may not be empty")
	}
	numbers := make([]string, len(elements))
	for i, element := range elements {
		n, err := r.number(element)
		if err != nil {
			return Value{}, err
		}
		numbers[i] = n.Text
	}
	set := Set(NS, numbers...)
	if len(set.Set) == len(elements) {
		return set, nil
	}
	if r.wording == Older {
		return Value{}, awsapi.ValidationException.New("Input collection contains duplicates")
	}
	return Value{}, invalid("Input collection contains duplicates.")
}

// The missing spaces are AWS's.
func (r *reader) binarySet(elements [][]byte) (Value, error) {
	if len(elements) == 0 {
		return Value{}, invalid("Binary sets should not be empty")
	}
	texts := make([]string, len(elements))
	for i, element := range elements {
		texts[i] = string(element)
	}
	set := Set(BS, texts...)
	if len(set.Set) == len(elements) {
		return set, nil
	}
	if r.wording == Older {
		return Value{}, invalid("Input collection [%s]of type BS contains duplicates.", strings.Join(encoded(texts), ", "))
	}
	return Value{}, invalid("Input collection [\"%s\"]of type BS contains duplicates.", strings.Join(encoded(upToRepeat(texts)), "\",\""))
}

// upToRepeat is how the current wording lists elements: in order as far as none is there twice, then as they are.
func upToRepeat(elements []string) []string {
	for i, element := range elements {
		if slices.Contains(elements[:i], element) {
			return append(slices.Sorted(slices.Values(elements[:i])), elements[i:]...)
		}
	}
	return elements
}

func encoded(texts []string) []string {
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	return out
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
