package eventpattern

import (
	"bytes"
	"slices"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// Set matches events against many patterns at once. It looks a pattern up by the one of its fields that tells
// it best apart from the others, so that an event meets few patterns that it does not match. It does not
// change, and may be used by many at once.
type Set struct {
	root    *node
	paths   []index
	always  []*candidate // patterns that demand no value at all
	pool    sync.Pool    // of *matching
	pattern int          // how many patterns
}

// index finds the candidates that demand a certain value at a path, or any value there.
type index struct {
	texts   map[string][]*candidate
	words   map[string][]*candidate
	numbers map[float64][]*candidate
	starts  affixes
	ends    affixes
	any     []*candidate
}

// affixes finds the candidates that demand a beginning or an end, by its length and then by itself: there are
// few lengths.
type affixes struct {
	lengths []int // of those that there are, once each
	all     map[string][]*candidate
}

func (a *affixes) add(affix string, c *candidate) {
	if a.all == nil {
		a.all = map[string][]*candidate{}
	}
	if !slices.Contains(a.lengths, len(affix)) {
		a.lengths = append(a.lengths, len(affix))
	}
	a.all[affix] = append(a.all[affix], c)
}

// candidate is a pattern's branch with its paths in the set.
type candidate struct {
	pattern int
	fields  []demand
}

type demand struct {
	path int
	field
}

// matching is what one match needs; it is used again.
type matching struct {
	document
	matched []bool // by pattern
	found   []int
}

// NewSet makes a set of patterns.
func NewSet(patterns []*Pattern) *Set {
	s := &Set{root: newNode(), pattern: len(patterns)}
	var all []*candidate
	for i, p := range patterns {
		for _, b := range p.branches {
			c := &candidate{pattern: i}
			for _, f := range b {
				c.fields = append(c.fields, demand{s.path(f.path), f})
			}
			all = append(all, c)
		}
	}
	s.index(all)
	s.pool.New = func() any {
		return &matching{document: document{decoder: jsontext.NewDecoder(bytes.NewReader(nil)), leaves: make([][]leaf, len(s.paths))},
			matched: make([]bool, s.pattern)}
	}
	return s
}

func (s *Set) path(path string) int {
	n := s.root.grow(path)
	if n.path < 0 {
		n.path = len(s.paths)
		s.paths = append(s.paths, index{texts: map[string][]*candidate{}, words: map[string][]*candidate{}, numbers: map[float64][]*candidate{}})
	}
	return n.path
}

// The kinds of keys that are no values: how a string begins or ends.
const (
	beginning = word + 1 + iota
	end
)

// key is a value that a field may demand, at a path.
type key struct {
	path   int
	text   string
	kind   valueKind
	number float64
}

// keys are the values, beginnings and ends one of which a field demands; ok says whether it demands just those.
func (d *demand) keys() (keys []key, ok bool) {
	if d.absent {
		return nil, false
	}
	for _, c := range d.conditions {
		switch c := c.(type) {
		case exact:
			keys = append(keys, key{path: d.path, kind: text, text: string(c)})
		case literal:
			keys = append(keys, key{path: d.path, kind: word, text: string(c)})
		case sameNumber:
			keys = append(keys, key{path: d.path, kind: numeric, number: c.float})
		case prefixed:
			keys = append(keys, key{path: d.path, kind: beginning, text: string(c)})
		case suffixed:
			keys = append(keys, key{path: d.path, kind: end, text: string(c)})
		default:
			return nil, false
		}
	}
	return keys, true
}

// index files each candidate under the field whose values the fewest others demand. One without such a field
// is filed under the path that the fewest demand anything of.
func (s *Set) index(all []*candidate) {
	demanded, present := map[key]int{}, make([]int, len(s.paths))
	for _, c := range all {
		for i := range c.fields {
			keys, _ := c.fields[i].keys()
			for _, k := range keys {
				demanded[k]++
			}
			present[c.fields[i].path]++
		}
	}
	for _, c := range all {
		best, cost := []key(nil), 0
		path := -1
		for i := range c.fields {
			f := &c.fields[i]
			if !f.absent && (path < 0 || present[f.path] < present[path]) {
				path = f.path
			}
			keys, ok := f.keys()
			if !ok {
				continue
			}
			sum := 0
			for _, k := range keys {
				sum += demanded[k]
			}
			if best == nil || sum < cost {
				best, cost = keys, sum
			}
		}
		switch {
		case best != nil:
			s.file(c, best)
		case path >= 0:
			s.paths[path].any = append(s.paths[path].any, c)
		default:
			s.always = append(s.always, c)
		}
	}
}

func (s *Set) file(c *candidate, keys []key) {
	for _, k := range keys {
		at := &s.paths[k.path]
		switch k.kind {
		case text:
			at.texts[k.text] = append(at.texts[k.text], c)
		case word:
			at.words[k.text] = append(at.words[k.text], c)
		case numeric:
			at.numbers[k.number] = append(at.numbers[k.number], c)
		case beginning:
			at.starts.add(k.text, c)
		case end:
			at.ends.add(k.text, c)
		}
	}
}

// Match returns which patterns an event matches, a JSON document: their places among those that the set was
// made of, in order.
func (s *Set) Match(event []byte) []int {
	m := s.pool.Get().(*matching)
	defer s.pool.Put(m)
	defer m.reset()
	if !m.read(event, s.root) {
		return nil
	}
	m.try(s.always)
	for _, path := range m.touched {
		at := &s.paths[path]
		m.try(at.any)
		for i := range m.leaves[path] {
			switch v := &m.leaves[path][i].value; v.kind {
			case text:
				m.try(at.texts[v.text])
				m.tryAffixes(at, v.text)
			case word:
				m.try(at.words[v.text])
			case numeric:
				m.try(at.numbers[v.number.float])
			}
		}
	}
	if len(m.found) == 0 {
		return nil
	}
	slices.Sort(m.found)
	found := slices.Clone(m.found)
	for _, i := range m.found {
		m.matched[i] = false
	}
	m.found = m.found[:0]
	return found
}

func (m *matching) try(candidates []*candidate) {
	for _, c := range candidates {
		if !m.matched[c.pattern] && c.matches(&m.document) {
			m.matched[c.pattern] = true
			m.found = append(m.found, c.pattern)
		}
	}
}

func (m *matching) tryAffixes(at *index, text string) {
	for _, n := range at.starts.lengths {
		if n <= len(text) {
			m.try(at.starts.all[text[:n]])
		}
	}
	for _, n := range at.ends.lengths {
		if n <= len(text) {
			m.try(at.ends.all[text[len(text)-n:]])
		}
	}
}

// matches reports whether an event has what the branch demands.
func (c *candidate) matches(d *document) bool {
	arrays := false
	for i := range c.fields {
		f := &c.fields[i]
		leaves := d.leaves[f.path]
		met := f.absent && len(leaves) == 0
		for j := range leaves {
			if leaves[j].within != nil {
				arrays, met = true, met || f.absent
			}
			if !met && f.met(&leaves[j].value) {
				met = true
			}
		}
		if !met {
			return false
		}
	}
	return !arrays || c.consistent(d)
}

func (f *field) met(v *value) bool {
	for _, c := range f.conditions {
		if c.met(v) {
			return true
		}
	}
	return false
}
