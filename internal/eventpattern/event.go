package eventpattern

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// node is a name in the tree of the paths that a set's patterns speak of. Events are read along it: what no
// pattern speaks of is skipped.
type node struct {
	children map[string]*node
	path     int // of the values here; -1 where no pattern asks for them
}

func newNode() *node { return &node{path: -1} }

// step goes down by a member's name. Names that hold dots stand for as many steps: AWS joins names by dots,
// in patterns and in events.
func (n *node) step(name string) *node {
	for n != nil && strings.Contains(name, ".") {
		first, rest, _ := strings.Cut(name, ".")
		n, name = n.children[first], rest
	}
	if n == nil {
		return nil
	}
	return n.children[name]
}

// grow makes the way to a path.
func (n *node) grow(path string) *node {
	for name := range strings.SplitSeq(path, ".") {
		child := n.children[name]
		if child == nil {
			if child = newNode(); n.children == nil {
				n.children = map[string]*node{}
			}
			n.children[name] = child
		}
		n = child
	}
	return n
}

// leaf is a value of an event, with the arrays that it lies in.
type leaf struct {
	value
	within *element // nil where it lies in none
}

// element is a place in an array, and the array's own.
type element struct {
	outer        *element
	array, index int
}

// document is an event as a set reads it.
type document struct {
	decoder *jsontext.Decoder
	arrays  int      // so far
	leaves  [][]leaf // by path
	touched []int    // the paths that have leaves
}

// read reads an event; false where it is no JSON object.
func (d *document) read(event []byte, root *node) bool {
	d.decoder.Reset(bytes.NewReader(event), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if d.decoder.PeekKind() != '{' || d.value(root, nil) != nil {
		return false
	}
	return true
}

// reset forgets the event.
func (d *document) reset() {
	for _, path := range d.touched {
		clear(d.leaves[path])
		d.leaves[path] = d.leaves[path][:0]
	}
	d.touched, d.arrays = d.touched[:0], 0
}

func (d *document) value(n *node, within *element) error {
	switch d.decoder.PeekKind() {
	case '{':
		return d.object(n, within)
	case '[':
		return d.array(n, within)
	}
	if n.path < 0 {
		return d.decoder.SkipValue()
	}
	t, err := d.decoder.ReadToken()
	if err != nil {
		return err
	}
	v := value{text: t.String()}
	switch t.Kind() {
	case '0':
		v.kind, v.number = numeric, parseNumber(v.text)
	case 't', 'f', 'n':
		v.kind = word
	}
	if len(d.leaves[n.path]) == 0 {
		d.touched = append(d.touched, n.path)
	}
	d.leaves[n.path] = append(d.leaves[n.path], leaf{v, within})
	return nil
}

func (d *document) object(n *node, within *element) error {
	if _, err := d.decoder.ReadToken(); err != nil {
		return err
	}
	for d.decoder.PeekKind() != '}' {
		name, err := d.decoder.ReadToken()
		if err != nil {
			return err
		}
		if child := n.step(name.String()); child != nil {
			err = d.value(child, within)
		} else {
			err = d.decoder.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.decoder.ReadToken()
	return err
}

func (d *document) array(n *node, within *element) error {
	if _, err := d.decoder.ReadToken(); err != nil {
		return err
	}
	d.arrays++
	array := d.arrays
	for index := 0; d.decoder.PeekKind() != ']'; index++ {
		if err := d.value(n, &element{outer: within, array: array, index: index}); err != nil {
			return err
		}
	}
	_, err := d.decoder.ReadToken()
	return err
}
