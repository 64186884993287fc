package item

import (
	"slices"
	"strings"
)

// Kind is the type of a value. The numbers are part of the stored form: they never change.
type Kind uint8

// The types, named as DynamoDB's descriptors are.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_AttributeValue.html
const (
	S Kind = iota + 1
	N
	B
	SS
	NS
	BS
	M
	L
	NULL
	BOOL
)

var kindNames = [...]string{"", "S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"}

// String is the type's descriptor: "S", "NS".
func (k Kind) String() string { return kindNames[k] }

// KindOf returns the type with the given descriptor; false where there is none.
func KindOf(descriptor string) (Kind, bool) {
	i := slices.Index(kindNames[1:], descriptor)
	return Kind(i + 1), i >= 0
}

// Element is the type of a set's elements; zero where k is no set.
func (k Kind) Element() Kind {
	if k < SS || k > BS {
		return 0
	}
	return k - SS + S
}

// SetOf is the type of a set of k; zero where there is none.
func (k Kind) SetOf() Kind {
	if k < S || k > B {
		return 0
	}
	return k - S + SS
}

// Value is one attribute's value. The zero Value is no value at all.
//
// Values share what is in them when they are copied, so nobody changes a value in place: who changes a list or a map
// makes a new one.
type Value struct {
	Kind Kind
	Bool bool     // BOOL; true for NULL
	Text string   // S; N as Number returns it; the bytes of B
	Set  []string // SS, NS, BS: elements as in Text, without duplicates, in ascending order
	Map  Item     // M
	List []Value  // L
}

// Item is a set of attributes by name.
type Item map[string]Value

// String returns an S.
func String(s string) Value { return Value{Kind: S, Text: s} }

// Bytes returns a B.
func Bytes(b []byte) Value { return Value{Kind: B, Text: string(b)} }

// Null returns NULL.
func Null() Value { return Value{Kind: NULL, Bool: true} }

// Boolean returns a BOOL.
func Boolean(b bool) Value { return Value{Kind: BOOL, Bool: b} }

// List returns an L.
func List(elements ...Value) Value { return Value{Kind: L, List: elements} }

// Map returns an M.
func Map(attributes Item) Value { return Value{Kind: M, Map: attributes} }

// Set returns a set of the given type. Duplicates become one element.
func Set(kind Kind, elements ...string) Value {
	order := elementOrder(kind.Element())
	set := slices.Clone(elements)
	slices.SortFunc(set, order)
	return Value{Kind: kind, Set: slices.Compact(set)}
}

// elementOrder is how elements of a set are ordered: numbers by size, text and bytes by their bytes.
func elementOrder(kind Kind) func(a, b string) int {
	if kind == N {
		return compareNumbers
	}
	return strings.Compare
}

// Contains reports whether the set has the element.
func (v Value) Contains(element string) bool {
	_, found := slices.BinarySearchFunc(v.Set, element, elementOrder(v.Kind.Element()))
	return found
}

// Union is the set with what is in either.
func (v Value) Union(w Value) Value {
	return Set(v.Kind, slices.Concat(v.Set, w.Set)...)
}

// Minus is the set without what is in w.
func (v Value) Minus(w Value) Value {
	var left []string
	for _, element := range v.Set {
		if !w.Contains(element) {
			left = append(left, element)
		}
	}
	return Value{Kind: v.Kind, Set: left}
}

// Compare orders two values of the same type, which is S, N or B; it returns false where they have no order.
func Compare(a, b Value) (int, bool) {
	if a.Kind != b.Kind {
		return 0, false
	}
	switch a.Kind {
	case S, B:
		return strings.Compare(a.Text, b.Text), true
	case N:
		return compareNumbers(a.Text, b.Text), true
	}
	return 0, false
}

// Equal reports whether both are of the same type and hold the same. Numbers are equal by value, sets without regard
// to order, maps and lists in depth.
func (v Value) Equal(w Value) bool {
	if v.Kind != w.Kind {
		return false
	}
	switch v.Kind {
	case S, N, B:
		return v.Text == w.Text
	case SS, NS, BS:
		return slices.Equal(v.Set, w.Set)
	case M:
		return v.Map.Equal(w.Map)
	case L:
		return slices.EqualFunc(v.List, w.List, Value.Equal)
	}
	return v.Bool == w.Bool
}

// Equal reports whether both have the same attributes.
func (it Item) Equal(other Item) bool {
	if len(it) != len(other) {
		return false
	}
	for name, v := range it {
		w, ok := other[name]
		if !ok || !v.Equal(w) {
			return false
		}
	}
	return true
}
