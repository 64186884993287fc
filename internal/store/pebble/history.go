package pebble

import (
	"bytes"
	"hash/maphash"
	"sort"
	"sync"
	"sync/atomic"
)

// historySize is how many writes a generation remembers. The history holds two generations: at
// 70,000 writes a second a transaction may take a quarter of a second before it is refused as too old
// to check.
const historySize = 16 << 10

// history remembers which keys the latest commits wrote. It answers whether what a transaction read
// was written since, and which commit a reader has to see on disk first.
type history struct {
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
	spans []span            // ranges deleted, in the order of commits
}

type written struct {
	commit     uint64
	start, end uint32 // in the arena
}

// span is the keys from start to end, end excluded; nil for no bound.
type span struct {
	commit     uint64
	start, end []byte
}

func (s span) has(key []byte) bool {
	return bytes.Compare(s.start, key) <= 0 && (s.end == nil || bytes.Compare(key, s.end) < 0)
}

func (s span) overlaps(t span) bool {
	return (s.end == nil || bytes.Compare(t.start, s.end) < 0) && (t.end == nil || bytes.Compare(s.start, t.end) < 0)
}

func newHistory() *history {
	return &history{seed: maphash.MakeSeed(), cur: newGeneration(0), prev: newGeneration(0)}
}

func newGeneration(from uint64) generation {
	return generation{from: from, last: make(map[uint64]uint64)}
}

// record notes what a commit is about to write. It comes before the batch is applied, so that whoever
// reads a write finds it here.
func (h *history) record(commit uint64, o *overlay) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.newest.Store(commit)
	if len(h.cur.log)+len(h.cur.spans) >= historySize {
		h.prev, h.cur = h.cur, newGeneration(commit-1)
	}
	for _, d := range o.deleted {
		h.cur.spans = append(h.cur.spans, span{commit, d.start, d.end})
	}
	o.points.Scan(func(key string, _ write) bool {
		h.cur.add(commit, key, maphash.String(h.seed, key))
		return true
	})
}

func (g *generation) add(commit uint64, key string, hash uint64) {
	g.last[hash] = commit
	start := len(g.arena)
	g.arena = append(g.arena, key...)
	g.log = append(g.log, written{commit, uint32(start), uint32(len(g.arena))})
}

// changed says whether anything of r may have been written after the commit that r is as of.
func (h *history) changed(r *reads) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return r.asOf < h.prev.from || h.latest(r, r.asOf) > r.asOf
}

// touched returns the last commit that may have written anything of r; only one after the commit
// durable is of interest.
func (h *history) touched(r *reads, durable uint64) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(h.prev.from, h.latest(r, durable))
}

func (h *history) latest(r *reads, after uint64) (commit uint64) {
	for _, key := range r.keys {
		hash := maphash.Bytes(h.seed, key)
		commit = max(commit, h.cur.wrote(key, hash), h.prev.wrote(key, hash))
	}
	for _, s := range r.spans {
		commit = max(commit, h.cur.wroteIn(s, after), h.prev.wroteIn(s, after))
	}
	return commit
}

// wrote returns the last commit that wrote the key, or another key of the same hash.
func (g *generation) wrote(key []byte, hash uint64) uint64 {
	commit := g.last[hash]
	for i := len(g.spans) - 1; i >= 0 && g.spans[i].commit > commit; i-- {
		if g.spans[i].has(key) {
			return g.spans[i].commit
		}
	}
	return commit
}

// wroteIn returns the last commit after the given one that wrote within s.
func (g *generation) wroteIn(s span, after uint64) (commit uint64) {
	first := sort.Search(len(g.log), func(i int) bool { return g.log[i].commit > after })
	for i := len(g.log) - 1; i >= first; i-- {
		if w := g.log[i]; s.has(g.arena[w.start:w.end]) {
			commit = w.commit
			break
		}
	}
	for i := len(g.spans) - 1; i >= 0 && g.spans[i].commit > max(commit, after); i-- {
		if g.spans[i].overlaps(s) {
			return g.spans[i].commit
		}
	}
	return commit
}

// reads is what a transaction has read, as of a commit.
type reads struct {
	asOf  uint64
	keys  [][]byte
	spans []span
}

func (r *reads) none() bool { return len(r.keys) == 0 && len(r.spans) == 0 }
