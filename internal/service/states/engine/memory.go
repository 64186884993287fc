package engine

import (
	"bytes"
	"iter"
	"maps"
	"slices"
	"time"

	"cirro/internal/store"
)

// memory is a transaction that never ends, of an execution that is on no disk: an express one. The execution and
// its frames are kept as they are, not encoded; what is sent is kept for whoever carries it. Events are only
// passed on: an express execution has any number of them.
type memory struct {
	run    *Run
	frames map[int64]*frame
	values map[string][]byte // whatever else is set
	sent   []sent
	logs   []store.NewMessage // not sent on yet
	timers []*time.Timer
}

// sent is a task, a happening, or a message on its way.
type sent struct {
	queue     string
	task      *Task
	happening *Happening
	store.NewMessage
}

func newMemory() *memory { return &memory{frames: map[int64]*frame{}} }

// keep keeps what a step has changed.
func (m *memory) keep(s *step) {
	m.run = s.run
	for _, id := range s.dropped {
		delete(m.frames, id)
	}
}

// Get reads a value.
func (m *memory) Get(key []byte) ([]byte, error) {
	v, ok := m.values[string(key)]
	if !ok {
		return nil, store.ErrNotFound
	}
	return v, nil
}

// Set keeps a value.
func (m *memory) Set(key, value []byte) error {
	if m.values == nil {
		m.values = map[string][]byte{}
	}
	m.values[string(key)] = value
	return nil
}

// Delete forgets a value.
func (m *memory) Delete(key []byte) error {
	delete(m.values, string(key))
	return nil
}

// DeleteRange forgets the values from start up to end.
func (m *memory) DeleteRange(start, end []byte) error {
	maps.DeleteFunc(m.values, func(k string, _ []byte) bool {
		return k >= string(start) && (end == nil || k < string(end))
	})
	return nil
}

// Range walks values in the order of their keys.
func (m *memory) Range(r store.Range) iter.Seq2[store.KV, error] {
	keys := slices.Sorted(maps.Keys(m.values))
	if r.Reverse {
		slices.Reverse(keys)
	}
	return func(yield func(store.KV, error) bool) {
		n := 0
		for _, k := range keys {
			if key := []byte(k); bytes.Compare(key, r.Start) < 0 || r.End != nil && bytes.Compare(key, r.End) >= 0 {
				continue
			}
			if n++; r.Limit > 0 && n > r.Limit || !yield(store.KV{Key: []byte(k), Value: m.values[k]}, nil) {
				return
			}
		}
	}
}

// Enqueue keeps a message for whoever carries it; it needs no id.
func (m *memory) Enqueue(queue string, n store.NewMessage) (string, error) {
	m.sent = append(m.sent, sent{queue: queue, NewMessage: n})
	return "", nil
}

// stopTimers has no time come any more.
func (m *memory) stopTimers() {
	for _, t := range m.timers {
		t.Stop()
	}
}

// take takes what was sent.
func (m *memory) take() []sent {
	out := m.sent
	m.sent = nil
	return out
}
