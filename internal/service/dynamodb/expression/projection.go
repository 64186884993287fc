package expression

import (
	"cmp"
	"slices"

	"cirro/internal/service/dynamodb/item"
)

// Projection is some paths of an item: a ProjectionExpression, or AttributesToGet. It is safe for concurrent use.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.ProjectionExpressions.html
type Projection struct {
	paths []Path
	tree  projected
}

// projected is what of a value is wanted: all of it where it has no members.
type projected struct {
	step    Step
	members []projected // indexes in ascending order
}

// ParseProjection reads a ProjectionExpression.
func ParseProjection(text string, placeholders *Placeholders) (*Projection, error) {
	paths, err := parseProjection(text, placeholders)
	if err != nil {
		return nil, in("ProjectionExpression", err)
	}
	return NewProjection(paths), nil
}

// NewProjection is the projection to the given paths, of which none leads to another.
func NewProjection(paths []Path) *Projection {
	p := &Projection{paths: paths}
	for _, path := range paths {
		p.tree.add(path)
	}
	return p
}

func parseProjection(text string, placeholders *Placeholders) ([]Path, error) {
	p, err := newParser(text)
	if err != nil {
		return nil, err
	}
	nodes, err := p.pathList()
	if err := p.finish(err); err != nil {
		return nil, err
	}
	for _, n := range nodes {
		if err := checkReserved(n); err != nil {
			return nil, err
		}
	}
	r := resolver{placeholders}
	paths := make([]Path, len(nodes))
	for i, n := range slices.Backward(nodes) {
		if err := r.path(n); err != nil {
			return nil, err
		}
		paths[i] = n.path
		if err := checkClash(paths[i:]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

func (p *parser) pathList() ([]*node, error) {
	var all []*node
	for {
		n, err := p.path()
		if err != nil {
			return nil, err
		}
		all = append(all, n)
		if !p.accept(",") {
			return all, nil
		}
	}
}

func (t *projected) add(path Path) {
	if len(path) == 0 {
		return
	}
	i, found := slices.BinarySearchFunc(t.members, path[0], func(m projected, s Step) int {
		return cmp.Or(cmp.Compare(m.step.Index, s.Index), cmp.Compare(m.step.Name, s.Name))
	})
	if !found {
		t.members = slices.Insert(t.members, i, projected{step: path[0]})
	}
	t.members[i].add(path[1:])
}

// Paths returns the paths in the order in which they were written.
func (p *Projection) Paths() []Path { return p.paths }

// Attributes returns the names of the attributes in which the paths lie, each once.
func (p *Projection) Attributes() []string {
	names := make([]string, len(p.tree.members))
	for i, m := range p.tree.members {
		names[i] = m.step.Name
	}
	return names
}

// Of is what the item has at the paths. Elements of lists come closely after each other, in their order.
func (p *Projection) Of(it item.Item) item.Item {
	out := make(item.Item, len(p.tree.members))
	p.tree.fill(out, it)
	return out
}

func (t *projected) fill(out, from item.Item) {
	for i := range t.members {
		m := &t.members[i]
		if v, ok := from[m.step.Name]; ok {
			if v, ok = m.of(v); ok {
				out[m.step.Name] = v
			}
		}
	}
}

// of is the wanted part of a value; false where it has nothing that is wanted.
func (t *projected) of(v item.Value) (item.Value, bool) {
	switch {
	case len(t.members) == 0:
		return v, true
	case v.Kind == item.M && !t.members[0].step.IsIndex:
		out := item.Item{}
		t.fill(out, v.Map)
		return item.Map(out), len(out) > 0
	case v.Kind == item.L && t.members[0].step.IsIndex:
		list := t.list(v.List)
		return item.List(list...), len(list) > 0
	}
	return item.Value{}, false
}

func (t *projected) list(from []item.Value) []item.Value {
	var out []item.Value
	for i := range t.members {
		m := &t.members[i]
		if m.step.Index >= len(from) {
			break
		}
		if v, ok := m.of(from[m.step.Index]); ok {
			out = append(out, v)
		}
	}
	return out
}
