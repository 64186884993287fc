package expression

import (
	"slices"
	"strconv"
	"strings"

	"cirro/internal/service/dynamodb/item"
)

// Step is one part of a document path: an attribute's or a map member's name, or an index of a list.
type Step struct {
	Name  string
	Index int // where IsIndex
	// IsIndex says which of both it is.
	IsIndex bool
}

// Path leads to a value within an item; its first step is an attribute's name.
type Path []Step

// Attribute is the name of the attribute in which the path lies.
func (p Path) Attribute() string { return p[0].Name }

// Nested reports whether the path leads into an attribute.
func (p Path) Nested() bool { return len(p) > 1 }

// String is the path as AWS's messages show it: [a, b, [0]].
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('[')
	for i, step := range p {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(step.String())
	}
	b.WriteByte(']')
	return b.String()
}

func (s Step) String() string {
	if s.IsIndex {
		return "[" + strconv.Itoa(s.Index) + "]"
	}
	return s.Name
}

// In returns the value at the path in the item; false where there is none.
func (p Path) In(it item.Item) (item.Value, bool) {
	v, ok := it[p[0].Name]
	for _, step := range p[1:] {
		if !ok {
			break
		}
		v, ok = step.in(&v)
	}
	return v, ok
}

func (s Step) in(v *item.Value) (item.Value, bool) {
	if s.IsIndex {
		if v.Kind != item.L || s.Index >= len(v.List) {
			return item.Value{}, false
		}
		return v.List[s.Index], true
	}
	if v.Kind != item.M {
		return item.Value{}, false
	}
	member, ok := v.Map[s.Name]
	return member, ok
}

// clash reports in which way two paths cannot be used together: "overlap" where one leads to the other, "conflict"
// where they differ in whether a value is a list or a map, "" where they can.
func clash(a, b Path) string {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i].IsIndex != b[i].IsIndex:
			return "conflict"
		case a[i] != b[i]:
			return ""
		}
	}
	return "overlap"
}

// checkClash is the error of a first path that cannot be used together with one of those after it.
func checkClash(paths []Path) error {
	for _, second := range paths[1:] {
		if how := clash(paths[0], second); how != "" {
			return problem("Two document paths %s with each other; must remove or rewrite one of these paths; path one: %s, path two: %s",
				how, paths[0], second)
		}
	}
	return nil
}

// CheckPaths refuses paths of which one leads to the other, or which differ in whether a value is a list or a map.
func CheckPaths(paths []Path) error {
	for i := range slices.Backward(paths) {
		if err := checkClash(paths[i:]); err != nil {
			return bare(err)
		}
	}
	return nil
}
