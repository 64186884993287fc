package logs

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"cirro/internal/store"
)

// record is an event as it is read.
type record struct {
	place
	stream   string
	ingested int64
	message  string
}

// span is the events to read: from start to end, end excluded.
type span struct{ start, end place }

// spanOf is the events of the given timestamps, end excluded.
func spanOf(start, end int64) span {
	return span{place{time: start}, place{time: end}}
}

// chunks gives chunks in order of their first event, or backwards; nil after the last.
type chunks interface {
	next() (*chunk, error)
}

// pageBytes and pageChunks bound what a source reads ahead.
const (
	pageBytes  = 1 << 20
	pageChunks = 256
)

// groupChunks are all chunks of a group that can hold events of a span.
type groupChunks struct {
	r    store.Reader
	over store.Range
	want func(c *chunk) bool
	page []*chunk
}

func newGroupChunks(r store.Reader, group int64, s span, want func(*chunk) bool) *groupChunks {
	return &groupChunks{r: r, want: want, over: store.Range{
		Start: key(kindChunk, group, slotOf(s.start.time)),
		End:   chunkEnd(s.end, kindChunk, group),
	}}
}

// chunkEnd is the key before which all chunks lie that hold events before end.
func chunkEnd(end place, kind string, parts ...any) []byte {
	if end.time == math.MaxInt64 {
		return keys(kind, parts...).End
	}
	return key(kind, append(parts, end.time+1)...)
}

func (g *groupChunks) next() (*chunk, error) {
	for len(g.page) == 0 && g.over.Start != nil {
		if err := g.read(); err != nil {
			return nil, err
		}
	}
	if len(g.page) == 0 {
		return nil, nil
	}
	c := g.page[0]
	g.page = g.page[1:]
	return c, nil
}

// read reads a page. The range is done where its start is nil.
func (g *groupChunks) read() error {
	size, n := 0, 0
	for kv, err := range g.r.Range(g.over) {
		if err != nil {
			return err
		}
		c, err := decodeChunk(kv.Key, kv.Value)
		if err != nil {
			return err
		}
		if g.want(c) {
			g.page = append(g.page, c)
		}
		size += len(kv.Value)
		if n++; size >= pageBytes || n >= pageChunks {
			g.over.Start = append(slices.Clone(kv.Key), 0)
			return nil
		}
	}
	g.over.Start = nil
	return nil
}

// streamChunks are the chunks of one stream that can hold events of a span.
type streamChunks struct {
	r     store.Reader
	group int64
	over  store.Range
	page  [][]byte // keys of chunks
	done  bool
}

func newStreamChunks(r store.Reader, group, stream int64, s span, backwards bool) *streamChunks {
	return &streamChunks{r: r, group: group, over: store.Range{
		Start:   key(kindIndex, group, stream, slotOf(s.start.time)),
		End:     chunkEnd(s.end, kindIndex, group, stream),
		Reverse: backwards,
		Limit:   pageChunks,
	}}
}

func (s *streamChunks) next() (*chunk, error) {
	if len(s.page) == 0 && !s.done {
		if err := s.read(); err != nil {
			return nil, err
		}
	}
	if len(s.page) == 0 {
		return nil, nil
	}
	k := s.page[0]
	s.page = s.page[1:]
	value, err := s.r.Get(k)
	if err != nil {
		return nil, fmt.Errorf("logs: the chunk of an index: %w", err)
	}
	return decodeChunk(k, value)
}

func (s *streamChunks) read() error {
	n := 0
	var last []byte
	for kv, err := range s.r.Range(s.over) {
		if err != nil {
			return err
		}
		first, number, err := chunkPlace(kv.Key)
		if err != nil {
			return err
		}
		s.page = append(s.page, key(kindChunk, s.group, first, number))
		last = append(last[:0], kv.Key...)
		n++
	}
	s.done = n < s.over.Limit
	if s.over.Reverse {
		s.over.End = last
	} else {
		s.over.Start = append(last, 0)
	}
	return nil
}

// anyOf are the chunks of several sources, in order.
type anyOf struct {
	sources []chunks
	heads   []*chunk // one a source; nil before the first
	started bool
}

func (a *anyOf) next() (*chunk, error) {
	if !a.started {
		a.started = true
		a.heads = make([]*chunk, len(a.sources))
		for i, s := range a.sources {
			var err error
			if a.heads[i], err = s.next(); err != nil {
				return nil, err
			}
		}
	}
	best := -1
	for i, h := range a.heads {
		if h != nil && (best < 0 || h.before(a.heads[best])) {
			best = i
		}
	}
	if best < 0 {
		return nil, nil
	}
	c := a.heads[best]
	var err error
	a.heads[best], err = a.sources[best].next()
	return c, err
}

func (c *chunk) before(d *chunk) bool { return c.at(0).compare(d.at(0)) < 0 }

// at is the place of the chunk's i-th event.
func (c *chunk) at(i int) place { return place{c.events[i].Timestamp, c.number, i} }

// merger gives the events of overlapping chunks in order.
type merger struct {
	source    chunks
	over      span
	backwards bool
	open      []*cursor // a heap
	ahead     *chunk    // the source's next, not open yet
	started   bool
	scanned   int // bytes
}

// cursor is where a merger stands in a chunk.
type cursor struct {
	*chunk
	i int
}

func (c *cursor) place() place { return c.at(c.i) }

func newMerger(source chunks, over span, backwards bool) *merger {
	return &merger{source: source, over: over, backwards: backwards}
}

// next returns the next event of the span; ok is false after the last.
func (m *merger) next() (e record, ok bool, err error) {
	for {
		if err := m.fill(); err != nil || len(m.open) == 0 {
			return e, false, err
		}
		c := m.open[0]
		p := c.place()
		event := &c.events[c.i]
		m.advance()
		m.scanned += event.size()
		if p.compare(m.over.start) < 0 || p.compare(m.over.end) >= 0 {
			if m.past(p) {
				return e, false, nil
			}
			continue
		}
		return record{p, c.stream, c.ingested, event.Message}, true, nil
	}
}

// past reports whether nothing of the span comes after p.
func (m *merger) past(p place) bool {
	if m.backwards {
		return p.compare(m.over.start) < 0
	}
	return p.compare(m.over.end) >= 0
}

// fill opens chunks until none that is still closed can hold the next event.
func (m *merger) fill() (err error) {
	if !m.started {
		m.started = true
		if m.ahead, err = m.source.next(); err != nil {
			return err
		}
	}
	for m.ahead != nil && (len(m.open) == 0 || m.reaches(m.ahead, m.open[0].place())) {
		c := &cursor{chunk: m.ahead}
		if m.backwards {
			c.i = len(c.events) - 1
		}
		m.push(c)
		if m.ahead, err = m.source.next(); err != nil {
			return err
		}
	}
	return nil
}

// reaches reports whether the chunk c, or one that follows it, can hold an event that comes before p.
func (m *merger) reaches(c *chunk, p place) bool {
	if !m.backwards {
		return c.at(0).compare(p) < 0
	}
	// Those that follow begin earlier, but can end as late as their slot does.
	return slotOf(c.first())+slot > p.time
}

func (m *merger) less(a, b *cursor) bool {
	if m.backwards {
		a, b = b, a
	}
	return a.place().compare(b.place()) < 0
}

// advance moves the first cursor on, and drops it at its chunk's end.
func (m *merger) advance() {
	c := m.open[0]
	if m.backwards {
		c.i--
	} else {
		c.i++
	}
	if c.i < 0 || c.i == len(c.events) {
		last := len(m.open) - 1
		m.open[0] = m.open[last]
		m.open = m.open[:last]
	}
	m.sink()
}

func (m *merger) push(c *cursor) {
	m.open = append(m.open, c)
	for i := len(m.open) - 1; i > 0; {
		parent := (i - 1) / 2
		if !m.less(m.open[i], m.open[parent]) {
			return
		}
		m.open[i], m.open[parent] = m.open[parent], m.open[i]
		i = parent
	}
}

func (m *merger) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(m.open) {
			return
		}
		if child+1 < len(m.open) && m.less(m.open[child+1], m.open[child]) {
			child++
		}
		if !m.less(m.open[child], m.open[i]) {
			return
		}
		m.open[i], m.open[child] = m.open[child], m.open[i]
		i = child
	}
}

// deletedStreams are the ids of the streams whose chunks still lie there.
func deletedStreams(r store.Reader, group int64) (map[int64]bool, error) {
	var ids map[int64]bool
	for kv, err := range r.Range(keys(kindGarbage, group)) {
		if err != nil {
			return nil, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return nil, err
		}
		id, ok := parts[len(parts)-1].(int64)
		if !ok {
			return nil, errors.New("logs: a key of a deleted stream is damaged")
		}
		if ids == nil {
			ids = map[int64]bool{}
		}
		ids[id] = true
	}
	return ids, nil
}
