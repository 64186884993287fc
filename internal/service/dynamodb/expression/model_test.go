package expression

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
)

// The model is what an update does to a tree of pointers, one change after another, without sharing: slow and plain.
type tree struct {
	leaf    item.Value // neither list nor map
	members map[string]*tree
	list    []*tree
	// added are elements beyond the list's end, by index; gone marks an element that is removed at last.
	added map[int]*tree
	gone  bool
}

func treeOf(v item.Value) *tree {
	switch v.Kind {
	case item.M:
		t := &tree{members: map[string]*tree{}}
		for name, member := range v.Map {
			t.members[name] = treeOf(member)
		}
		return t
	case item.L:
		t := &tree{list: []*tree{}, added: map[int]*tree{}}
		for _, element := range v.List {
			t.list = append(t.list, treeOf(element))
		}
		return t
	}
	return &tree{leaf: v}
}

func (t *tree) value() item.Value {
	if t.members != nil {
		it := item.Item{}
		for name, member := range t.members {
			if !member.gone {
				it[name] = member.value()
			}
		}
		return item.Map(it)
	}
	if t.list == nil {
		return t.leaf
	}
	elements := append([]*tree{}, t.list...)
	for index := 0; index < 100; index++ {
		if element, ok := t.added[index]; ok {
			elements = append(elements, element)
		}
	}
	list := []item.Value{}
	for _, element := range elements {
		if !element.gone {
			list = append(list, element.value())
		}
	}
	return item.List(list...)
}

// place is the tree at the path's end, made where it may be; false where the path cannot be.
func (t *tree) place(path Path) (*tree, bool) {
	for i, step := range path {
		last := i == len(path)-1
		var next *tree
		switch {
		case step.IsIndex && t.list != nil && step.Index < len(t.list):
			next = t.list[step.Index]
		case step.IsIndex && t.list != nil && last:
			next = &tree{gone: true}
			t.added[step.Index] = next
		case !step.IsIndex && t.members != nil:
			next = t.members[step.Name]
			if next == nil && last {
				next = &tree{gone: true}
				t.members[step.Name] = next
			}
		}
		if next == nil {
			return nil, false
		}
		t = next
	}
	return t, true
}

// randomValue is small, and often a list or a map.
func randomValue(r *rand.Rand, depth int) item.Value {
	switch n := r.IntN(10); {
	case n < 3 && depth > 0:
		var list []item.Value
		for range r.IntN(4) {
			list = append(list, randomValue(r, depth-1))
		}
		return item.List(list...)
	case n < 7 && depth > 0:
		it := item.Item{}
		for _, name := range []string{"a", "b", "c"} {
			if r.IntN(3) > 0 {
				it[name] = randomValue(r, depth-1)
			}
		}
		return item.Map(it)
	}
	return item.Int(int64(r.IntN(100)))
}

func randomPath(r *rand.Rand) Path {
	path := Path{{Name: string(rune('a' + r.IntN(3)))}}
	for r.IntN(3) > 0 && len(path) < 4 {
		if r.IntN(2) == 0 {
			path = append(path, Step{Index: r.IntN(5), IsIndex: true})
		} else {
			path = append(path, Step{Name: string(rune('a' + r.IntN(3)))})
		}
	}
	return path
}

func written(path Path) string {
	var b strings.Builder
	for i, step := range path {
		if !step.IsIndex && i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(step.String())
	}
	return b.String()
}

// TestUpdatesAgainstModel makes random changes of random items, of paths that do not clash, and compares.
func TestUpdatesAgainstModel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	applied := 0
	for range 20000 {
		before := item.Item{}
		for _, name := range []string{"a", "b", "c"} {
			before[name] = randomValue(r, 3)
		}
		set, remove, paths := randomChanges(r)
		text := updateText(set, remove)
		u, err := ParseUpdate(text, samplePlaceholders(t))
		if err != nil {
			if checkAll(paths) {
				t.Fatalf("%s: %v", text, err)
			}
			continue
		}
		want, possible := modelled(before, set, remove)
		after, err := u.Apply(before)
		if (err == nil) != possible {
			t.Fatalf("%s of %s: %v, but possible: %v", text, show(item.Map(before)), err, possible)
		}
		if err == nil && !item.Map(after).Equal(want) {
			t.Fatalf("%s of %s: got %s, want %s", text, show(item.Map(before)), show(item.Map(after)), show(want))
		}
		if err == nil {
			applied++
		}
	}
	if applied < 1000 {
		t.Errorf("only %d updates could be applied", applied)
	}
}

func randomChanges(r *rand.Rand) (set, remove, all []Path) {
	for range 1 + r.IntN(4) {
		path := randomPath(r)
		all = append(all, path)
		if r.IntN(2) == 0 {
			set = append(set, path)
		} else {
			remove = append(remove, path)
		}
	}
	return set, remove, all
}

// checkAll reports whether no two paths clash.
func checkAll(paths []Path) bool { return CheckPaths(paths) == nil }

func updateText(set, remove []Path) string {
	var sections []string
	for i, path := range set {
		sections = append(sections, map[bool]string{true: "SET ", false: ", "}[i == 0]+written(path)+" = :five")
	}
	for i, path := range remove {
		sections = append(sections, map[bool]string{true: " REMOVE ", false: ", "}[i == 0]+written(path))
	}
	return strings.Join(sections, "")
}

func modelled(before item.Item, set, remove []Path) (item.Value, bool) {
	root := treeOf(item.Map(before))
	for _, path := range set {
		at, ok := root.place(path)
		if !ok {
			return item.Value{}, false
		}
		*at = tree{leaf: item.Int(5)}
	}
	for _, path := range remove {
		at, ok := root.place(path)
		if !ok {
			return item.Value{}, false
		}
		at.gone = true
	}
	return root.value(), true
}

// TestConditionsAgainstModel compares random conditions with a truth table over what their comparisons say alone.
func TestConditionsAgainstModel(t *testing.T) {
	atoms := []string{"n = :five", "n < :n", "s <> :s", "a > :n", "attribute_exists(m.x)", "contains(l, :n)", "n IN (:n, :m)", "size(s) BETWEEN :n AND :five"}
	truth := map[string]bool{}
	for _, atom := range atoms {
		c, err := ParseCondition("ConditionExpression", atom, samplePlaceholders(t))
		if err != nil {
			t.Fatal(err)
		}
		truth[atom] = c.Holds(sample())
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		text, want := randomCondition(r, atoms, truth, 4)
		c, err := ParseCondition("ConditionExpression", text, samplePlaceholders(t))
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if got := c.Holds(sample()); got != want {
			t.Fatalf("%s: got %v, want %v", text, got, want)
		}
	}
}

// randomCondition is a condition that needs no parentheses around it, and its truth.
func randomCondition(r *rand.Rand, atoms []string, truth map[string]bool, depth int) (string, bool) {
	if depth == 0 || r.IntN(4) == 0 {
		atom := atoms[r.IntN(len(atoms))]
		return atom, truth[atom]
	}
	left, a := randomCondition(r, atoms, truth, depth-1)
	right, b := randomCondition(r, atoms, truth, depth-1)
	switch r.IntN(3) {
	case 0:
		return fmt.Sprintf("(%s) AND (%s)", left, right), a && b
	case 1:
		return fmt.Sprintf("(%s) or (%s)", left, right), a || b
	}
	return fmt.Sprintf("not (%s)", left), !a
}

// TestPrecedence: OR binds weakest, then AND, then NOT.
func TestPrecedence(t *testing.T) {
	const yes, no = "n = :five", "n = :n"
	for text, want := range map[string]bool{
		yes + " or " + no + " and " + no:          true,
		"(" + yes + " or " + no + ") and " + no:   false,
		"not " + yes + " or " + yes:               true,
		"not (" + yes + " or " + yes + ")":        false,
		"not " + no + " and " + no:                false,
		no + " and " + no + " or " + yes:          true,
		"not not " + yes:                          true,
		"n between :n and :m and " + no:           false,
		no + " or n between :n and :m and " + yes: true,
	} {
		c, err := ParseCondition("ConditionExpression", text, samplePlaceholders(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Holds(sample()); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func BenchmarkCondition(b *testing.B) {
	const text = "attribute_exists(n) AND n < :m AND (s = :s OR size(l) > :five)"
	it := sample()
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		values := map[string]api.AttributeValue{}
		for _, name := range []string{":m", ":s", ":five"} {
			values[name] = sampleValues()[name]
		}
		for b.Loop() {
			p, err := NewPlaceholders(nil, values, item.Older)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := ParseCondition("ConditionExpression", text, p); err != nil {
				b.Fatal(err)
			}
		}
	})
	c, err := ParseCondition("ConditionExpression", text, samplePlaceholders(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("holds", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			c.Holds(it)
		}
	})
}

func BenchmarkUpdate(b *testing.B) {
	u, err := ParseUpdate("SET n = n + :n, a = if_not_exists(a, :s)", samplePlaceholders(b))
	if err != nil {
		b.Fatal(err)
	}
	it := sample()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := u.Apply(it); err != nil {
			b.Fatal(err)
		}
	}
}
