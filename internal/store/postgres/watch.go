package postgres

import (
	"bytes"
	"sync"

	"cirro/internal/store/optimistic"
)

// watches are those who want to hear of keys that other nodes write.
type watches struct {
	mu  sync.Mutex
	all map[*keyWatch]bool
}

type keyWatch struct {
	prefix  []byte // with its space
	changed func(key []byte)
}

// Watch tells of keys that other nodes write; see store.Watcher.
func (s *Store) Watch(prefix []byte, changed func(key []byte)) (stop func()) {
	w := &keyWatch{append([]byte{dataSpace}, prefix...), changed}
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	if s.watches.all == nil {
		s.watches.all = map[*keyWatch]bool{}
	}
	s.watches.all[w] = true
	return func() {
		s.watches.mu.Lock()
		defer s.watches.mu.Unlock()
		delete(s.watches.all, w)
	}
}

// learned tells what another node has written.
func (ws *watches) learned(o *optimistic.Overlay) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		below := optimistic.Span{Start: w.prefix, End: append(w.prefix[:len(w.prefix):len(w.prefix)], 0xff)}
		for _, d := range o.Deleted() {
			if d.Overlaps(below) {
				w.changed(nil)
			}
		}
		for p := range o.Points {
			if key := []byte(p.Key); bytes.HasPrefix(key, w.prefix) {
				w.changed(key[1:])
			}
		}
	}
}

// missed tells that anything may have changed.
func (ws *watches) missed() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for w := range ws.all {
		w.changed(nil)
	}
}
