package postgres

import (
	"context"
	"sync"

	"cirro/internal/store"
)

// watch is those who wait for what is appended.
type watch struct {
	mu       sync.Mutex
	watchers map[string]map[*watcher]bool // by prefix, with its space
}

// watcher waits for a number above after.
type watcher struct {
	prefix   string
	after    int64
	appended chan struct{}
}

// Await waits for what is appended; see store.Store.
func (s *Store) Await(ctx context.Context, prefix []byte, after int64) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	k, err := dataKey(prefix)
	if err != nil {
		return err
	}
	for {
		// What is committed while this looks is told to the watcher.
		w := s.watch.add(string(k), after)
		found, err := s.hasAppended(ctx, prefix, after)
		if err == nil && !found {
			found, err = s.await(ctx, w)
		}
		s.watch.remove(w)
		if err != nil || found {
			return err
		}
	}
}

// await waits for a watcher to be told, or to look again.
func (s *Store) await(ctx context.Context, w *watcher) (found bool, err error) {
	select {
	case <-w.appended:
		return true, nil
	case <-s.tail.lost():
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	case <-s.closing:
		return false, store.ErrClosed
	}
}

// hasAppended says whether a number above after is there. Longer prefixes may lie between.
func (s *Store) hasAppended(ctx context.Context, prefix []byte, after int64) (found bool, err error) {
	err = s.View(ctx, func(r store.Reader) error {
		over := store.Range{Start: store.AppendKey(prefix[:len(prefix):len(prefix)], after), End: append(prefix[:len(prefix):len(prefix)], 0xff)}
		for kv, err := range r.Range(over) {
			if err != nil {
				return err
			}
			if found = len(kv.Key) == len(prefix)+store.AppendSize && store.Appended(kv.Key) > after; found {
				break
			}
		}
		return nil
	})
	return found, err
}

// appendedOf takes a key apart that may be that of an append.
func appendedOf(key []byte) (a appended, ok bool) {
	n := store.Appended(key)
	if n <= 0 || key[0] != dataSpace || len(key) < 1+store.AppendSize {
		return appended{}, false
	}
	return appended{prefix: key[:len(key)-store.AppendSize], number: n}, true
}

func (w *watch) add(prefix string, after int64) *watcher {
	added := &watcher{prefix: prefix, after: after, appended: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.watchers == nil {
		w.watchers = make(map[string]map[*watcher]bool)
	}
	if w.watchers[prefix] == nil {
		w.watchers[prefix] = make(map[*watcher]bool)
	}
	w.watchers[prefix][added] = true
	return added
}

func (w *watch) remove(gone *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drop(gone)
}

func (w *watch) drop(gone *watcher) {
	same := w.watchers[gone.prefix]
	delete(same, gone)
	if len(same) == 0 {
		delete(w.watchers, gone.prefix)
	}
}

// published tells those who wait of what became durable.
func (w *watch) published(appends []appended) {
	if len(appends) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range appends {
		for waits := range w.watchers[string(a.prefix)] {
			if a.number > waits.after {
				close(waits.appended)
				w.drop(waits)
			}
		}
	}
}
