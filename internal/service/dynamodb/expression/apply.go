package expression

import (
	"maps"
	"slices"

	"cirro/internal/service/dynamodb/item"
)

// change is what becomes of one path: a value, or none.
type change struct {
	path  Path
	value item.Value
	gone  bool
}

// Apply returns the item as it is after the update. It may share values with the item before, which stays as it is.
// Every action sees the item before; indexes of lists are those before, too.
func (u *Update) Apply(it item.Item) (item.Item, error) {
	changes := make([]change, 0, len(u.actions))
	for i := range u.actions {
		c, changed, err := u.actions[i].change(it)
		if err != nil {
			return nil, err
		}
		if changed {
			changes = append(changes, c)
		}
	}
	if !inDepth(changes) {
		return applyFlat(it, changes), nil
	}
	root := item.Map(it)
	if root.Map == nil {
		root.Map = item.Item{}
	}
	after, err := rebuild(root, changes, 0)
	if err != nil {
		return nil, err
	}
	return after.Map, after.Map.CheckDepth()
}

func inDepth(changes []change) bool {
	return slices.ContainsFunc(changes, func(c change) bool { return c.path.Nested() })
}

func applyFlat(it item.Item, changes []change) item.Item {
	after := make(item.Item, len(it)+len(changes))
	maps.Copy(after, it)
	for i := range changes {
		applyMember(after, &changes[i], changes[i].path[0].Name)
	}
	return after
}

func applyMember(members item.Item, c *change, name string) {
	if c.gone {
		delete(members, name)
	} else {
		members[name] = c.value
	}
}

// rebuild returns the value with the changes made within it. All changes agree in the first depth steps, which lead to
// the value.
func rebuild(v item.Value, changes []change, depth int) (item.Value, error) {
	isList := changes[0].path[depth].IsIndex
	switch {
	case v.Kind == item.M && !isList:
		return rebuildMap(v, changes, depth)
	case v.Kind == item.L && isList:
		return rebuildList(v, changes, depth)
	}
	return v, errInvalidPath
}

func rebuildMap(v item.Value, changes []change, depth int) (item.Value, error) {
	members := make(item.Item, len(v.Map)+len(changes))
	maps.Copy(members, v.Map)
	for _, group := range grouped(changes, depth) {
		name := group[0].path[depth].Name
		if len(group[0].path) == depth+1 {
			applyMember(members, &group[0], name)
			continue
		}
		member, err := rebuild(members[name], group, depth+1)
		if err != nil {
			return v, err
		}
		members[name] = member
	}
	return item.Map(members), nil
}

// rebuildList appends what is set beyond the list's end, in the order of the indexes, and closes the gaps of what is
// removed last.
func rebuildList(v item.Value, changes []change, depth int) (item.Value, error) {
	list := slices.Clone(v.List)
	gone := map[int]bool{}
	groups := grouped(changes, depth)
	slices.SortFunc(groups, func(a, b []change) int { return a[0].path[depth].Index - b[0].path[depth].Index })
	for _, group := range groups {
		index := group[0].path[depth].Index
		last := len(group[0].path) == depth+1
		switch {
		case last && group[0].gone:
			gone[index] = true
		case last && index >= len(v.List):
			list = append(list, group[0].value)
		case last:
			list[index] = group[0].value
		case index >= len(v.List):
			return v, errInvalidPath
		default:
			element, err := rebuild(list[index], group, depth+1)
			if err != nil {
				return v, err
			}
			list[index] = element
		}
	}
	return item.List(without(list, gone, len(v.List))...), nil
}

// without drops those of the first elements that are gone.
func without(list []item.Value, gone map[int]bool, first int) []item.Value {
	kept := list[:0]
	for i, element := range list {
		if i >= first || !gone[i] {
			kept = append(kept, element)
		}
	}
	return kept
}

// grouped puts changes together that have the same step at the depth.
func grouped(changes []change, depth int) [][]change {
	var groups [][]change
next:
	for _, c := range changes {
		for i := range groups {
			if groups[i][0].path[depth] == c.path[depth] {
				groups[i] = append(groups[i], c)
				continue next
			}
		}
		groups = append(groups, []change{c})
	}
	return groups
}

// change is what an action does to the item; false where it does nothing.
func (a *action) change(it item.Item) (change, bool, error) {
	c := change{path: a.target.path}
	var err error
	switch a.verb {
	case verbSet:
		c.value, err = a.value.result(it)
		return c, true, err
	case verbRemove:
		c.gone = true
		return c, true, nil
	}
	before, ok := c.path.In(it)
	if !ok && c.path.Nested() {
		// That nothing is there may be for a path that cannot be.
		if parent, ok := c.path[:len(c.path)-1].In(it); !ok || !takes(parent, c.path[len(c.path)-1]) {
			return c, false, errInvalidPath
		}
	}
	if a.verb == verbAdd {
		c.value, err = a.sum(before, ok)
		return c, true, err
	}
	if !ok {
		return c, false, nil
	}
	c.value, err = a.difference(before)
	c.gone = len(c.value.Set) == 0
	return c, true, err
}

func takes(parent item.Value, step Step) bool {
	if step.IsIndex {
		return parent.Kind == item.L
	}
	return parent.Kind == item.M
}

// sum adds a number to a number or elements to a set; what is missing counts as zero or as empty.
func (a *action) sum(before item.Value, exists bool) (item.Value, error) {
	operand := a.value.value
	switch {
	case !exists:
		return operand, nil
	case before.Kind != operand.Kind:
		return before, a.typeError()
	case operand.Kind == item.N:
		text, err := item.Add(before.Text, operand.Text)
		return item.Value{Kind: item.N, Text: text}, err
	case operand.Kind == item.L:
		return item.List(slices.Concat(before.List, operand.List)...), nil
	}
	return before.Union(operand), nil
}

func (a *action) difference(before item.Value) (item.Value, error) {
	if before.Kind != a.value.value.Kind {
		return before, a.typeError()
	}
	return before.Minus(a.value.value), nil
}

func (a *action) typeError() error {
	if a.older {
		return errOlderType
	}
	return errOperandType
}

// result is the value that SET gives.
func (n *node) result(it item.Item) (item.Value, error) {
	switch n.op {
	case opIfNotExists:
		if v, ok := n.args[0].path.In(it); ok {
			return v, nil
		}
		return n.args[1].result(it)
	case opListAppend, opPlus, opMinus:
		return n.combined(it)
	case opPath:
		v, ok := n.path.In(it)
		if !ok {
			return v, errNoAttribute
		}
		return v, nil
	}
	return n.value, nil
}

func (n *node) combined(it item.Item) (item.Value, error) {
	want := item.N
	if n.op == opListAppend {
		want = item.L
	}
	left, err := n.args[0].resultOf(want, it)
	if err != nil {
		return left, err
	}
	right, err := n.args[1].resultOf(want, it)
	if err != nil {
		return right, err
	}
	if n.op == opListAppend {
		return item.List(slices.Concat(left.List, right.List)...), nil
	}
	arithmetic := item.Add
	if n.op == opMinus {
		arithmetic = item.Sub
	}
	text, err := arithmetic(left.Text, right.Text)
	return item.Value{Kind: item.N, Text: text}, err
}

func (n *node) resultOf(kind item.Kind, it item.Item) (item.Value, error) {
	v, err := n.result(it)
	if err == nil && v.Kind != kind {
		err = errOperandType
	}
	return v, err
}
