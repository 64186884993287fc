package optimistic

import (
	"hash/maphash"
	"sort"
	"sync"
	"sync/atomic"
)

// historySize is how many writes a generation remembers. The history holds two generations: at
// 70,000 writes a second a transaction may take a quarter of a second before it is refused as too old
// to check.
const historySize = 16 << 10

// History remembers which keys the latest commits wrote. It answers whether what a transaction read
// was written since, and which commit a reader has to see on disk first.
type History struct {
	newest    atomic.Uint64 // the last commit recorded
	mu        sync.Mutex
	seed      maphash.Seed
	cur, prev generation
}

// generation is a stretch of commits, those after the commit from.
type generation struct {
	from  uint64
	last  map[uint64]uint64 // hash of a key: the last commit that wrote it
	log   []written         // in the order of commits
	arena []byte            // the keys of log
	spans []deletion        // in the order of commits
}

type written struct {
	commit     uint64
	start, end uint32 // in the arena
}

type deletion struct {
	commit uint64
	Span
}

// NewHistory returns a history that knows of the commits after the given one.
func NewHistory(from uint64) *History {
	h := &History{seed: maphash.MakeSeed(), cur: newGeneration(from), prev: newGeneration(from)}
	h.newest.Store(from)
	return h
}

func newGeneration(from uint64) generation {
	return generation{from: from, last: make(map[uint64]uint64)}
}

// Forget lets the history know only of the commits after the given one.
func (h *History) Forget(to uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest.Store(to)
	h.cur, h.prev = newGeneration(to), newGeneration(to)
}

// Newest is the last commit recorded.
func (h *History) Newest() uint64 { return h.newest.Load() }

// Record notes what a commit writes. It comes before anybody can read that, so that whoever reads a
// write finds it here, or at least before anybody who has read it commits.
func (h *History) Record(commit uint64, o *Overlay) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begin(commit)
	for _, s := range o.deleted {
		h.cur.spans = append(h.cur.spans, deletion{commit, s})
	}
	o.points.Scan(func(key string, _ Write) bool {
		h.cur.add(commit, key, maphash.String(h.seed, key))
		return true
	})
}

func (h *History) begin(commit uint64) {
	h.newest.Store(commit)
	if len(h.cur.log)+len(h.cur.spans) >= historySize {
		h.prev, h.cur = h.cur, newGeneration(commit-1)
	}
}

func (g *generation) add(commit uint64, key string, hash uint64) {
	g.last[hash] = commit
	start := len(g.arena)
	g.arena = append(g.arena, key...)
	g.log = append(g.log, written{commit, uint32(start), uint32(len(g.arena))})
}

// Changed says whether anything of r may have been written after the commit that r is as of.
func (h *History) Changed(r *Reads) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return r.AsOf < h.prev.from || h.latest(r, r.AsOf) > r.AsOf
}

// Touched returns the last commit that may have written anything of r; only one after the given commit
// is of interest.
func (h *History) Touched(r *Reads, after uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(h.prev.from, h.latest(r, after))
}

// Hash is what the history knows a key by.
func (h *History) Hash(key []byte) uint64 { return maphash.Bytes(h.seed, key) }

// Unwritten says whether a key, or another of the same hash, was not written after a commit, as far as is
// remembered; and the last commit of which that holds.
func (h *History) Unwritten(key []byte, hash, after uint64) (newest uint64, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after < h.prev.from || max(h.cur.wrote(key, hash), h.prev.wrote(key, hash)) > after {
		return 0, false
	}
	return h.newest.Load(), true
}

func (h *History) latest(r *Reads, after uint64) (commit uint64) {
	for _, key := range r.Keys {
		hash := h.Hash(key)
		commit = max(commit, h.cur.wrote(key, hash), h.prev.wrote(key, hash))
	}
	for _, s := range r.Spans {
		commit = max(commit, h.cur.wroteIn(s, after), h.prev.wroteIn(s, after))
	}
	return commit
}

// wrote returns the last commit that wrote the key, or another key of the same hash.
func (g *generation) wrote(key []byte, hash uint64) uint64 {
	commit := g.last[hash]
	for i := len(g.spans) - 1; i >= 0 && g.spans[i].commit > commit; i-- {
		if g.spans[i].Has(key) {
			return g.spans[i].commit
		}
	}
	return commit
}

// wroteIn returns the last commit after the given one that wrote within s.
func (g *generation) wroteIn(s Span, after uint64) (commit uint64) {
	first := sort.Search(len(g.log), func(i int) bool { return g.log[i].commit > after })
	for i := len(g.log) - 1; i >= first; i-- {
		if w := g.log[i]; s.Has(g.arena[w.start:w.end]) {
			commit = w.commit
			break
		}
	}
	for i := len(g.spans) - 1; i >= 0 && g.spans[i].commit > max(commit, after); i-- {
		if g.spans[i].Overlaps(s) {
			return g.spans[i].commit
		}
	}
	return commit
}
