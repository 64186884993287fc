package eventpattern

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// place is an element of an array.
type place struct{ array, index int }

// draw is the elements that a match has drawn on so far, at most one of each array, by array.
type draw []place

// maxDraws bounds the ways to match that are followed at once. Only an event with many arrays side by side,
// met by a pattern with as many fields, comes near.
const maxDraws = 100_000

// consistent reports whether the branch can match without drawing on two elements of one array. Like AWS it
// goes from field to field in the order of their paths, with all the ways to match so far; a field that is
// to be absent has to be so beside the elements drawn on until then.
func (c *candidate) consistent(d *document) bool {
	needed := c.arraysLater(d)
	draws := []draw{nil}
	for i := range c.fields {
		f := &c.fields[i]
		next := newDraws(needed[i])
		known := indexed(draws)
		for j := range d.leaves[f.path] {
			l := &d.leaves[f.path][j]
			if !f.met(&l.value) {
				continue
			}
			for _, before := range known.with(l.within) {
				if joined, ok := before.join(l.within); ok {
					next.add(joined)
				}
			}
		}
		if f.absent {
			for _, before := range draws {
				if !before.joinsAny(d.leaves[f.path]) {
					next.add(before)
				}
			}
		}
		if draws = next.all; len(draws) == 0 || len(draws) > maxDraws {
			return false
		}
	}
	return true
}

// arraysLater says for each field which arrays the fields behind it lie in: a draw has to remember no others.
func (c *candidate) arraysLater(d *document) []map[int]bool {
	later := make([]map[int]bool, len(c.fields))
	arrays := map[int]bool{}
	for i := len(c.fields) - 1; i >= 0; i-- {
		later[i] = make(map[int]bool, len(arrays))
		for a := range arrays {
			later[i][a] = true
		}
		for j := range d.leaves[c.fields[i].path] {
			for e := d.leaves[c.fields[i].path][j].within; e != nil; e = e.outer {
				arrays[e.array] = true
			}
		}
	}
	return later
}

// join adds the elements that a leaf lies in; false where another element of one of the arrays is drawn on.
func (w draw) join(e *element) (draw, bool) {
	joined := slices.Clone(w)
	for ; e != nil; e = e.outer {
		i, found := slices.BinarySearchFunc(joined, e.array, func(p place, array int) int { return cmp.Compare(p.array, array) })
		if !found {
			joined = slices.Insert(joined, i, place{e.array, e.index})
		} else if joined[i].index != e.index {
			return nil, false
		}
	}
	return joined, true
}

func (w draw) joinsAny(leaves []leaf) bool {
	for i := range leaves {
		if _, ok := w.join(leaves[i].within); ok {
			return true
		}
	}
	return false
}

// draws collects different draws, without what need not be remembered.
type draws struct {
	needed map[int]bool
	seen   map[string]bool
	all    []draw
}

func newDraws(needed map[int]bool) *draws { return &draws{needed: needed, seen: map[string]bool{}} }

func (s *draws) add(w draw) {
	kept := slices.DeleteFunc(slices.Clone(w), func(p place) bool { return !s.needed[p.array] })
	var name []byte
	for _, p := range kept {
		name = binary.AppendUvarint(binary.AppendUvarint(name, uint64(p.array)), uint64(p.index))
	}
	if !s.seen[string(name)] {
		s.seen[string(name)] = true
		s.all = append(s.all, kept)
	}
}

// byPlace finds the draws that a leaf may join without trying them all.
type byPlace struct {
	all    []draw
	drawn  map[place][]draw
	arrays map[int]int // how many draws have an element of an array
}

func indexed(all []draw) *byPlace {
	b := &byPlace{all: all, drawn: map[place][]draw{}, arrays: map[int]int{}}
	for _, w := range all {
		for _, p := range w {
			b.drawn[p] = append(b.drawn[p], w)
			b.arrays[p.array]++
		}
	}
	return b
}

// with are the draws that a leaf may join: those that share its innermost element that any has drawn on.
func (b *byPlace) with(e *element) []draw {
	for ; e != nil; e = e.outer {
		switch b.arrays[e.array] {
		case 0:
			continue
		case len(b.all):
			return b.drawn[place{e.array, e.index}]
		}
		break
	}
	return b.all
}
