package eventsource

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cirro/internal/store"
)

// checkpoint is how far a lane of a shard has been handled.
type checkpoint struct {
	Sequence string   `json:",omitempty"` // of the last record that was; "" for none
	From     position // where to begin without one
	Ended    bool     `json:",omitempty"`
	Lanes    int      // how many the shard had
	Window   *windowState
}

// windowState is an open window.
type windowState struct {
	Start time.Time
	State json.RawMessage
}

// position is where a lane goes on.
func (c *checkpoint) position() position {
	switch {
	case c.Sequence != "":
		return position{Type: afterSequence, Sequence: c.Sequence}
	case c.From.Type != "":
		return c.From
	}
	return position{Type: trimHorizon} // a shard that came after the source was first polled
}

// Keys: of the mark that positions are taken, and of a lane's checkpoint.
func begunKey(id string) []byte { return store.Key("eventsource", id) }

func checkpointKey(id, shard string, lane int) []byte {
	return store.Key("eventsource", id, shard, lane)
}

// Forget removes what is kept of a source.
func Forget(tx store.Tx, id string) error {
	over := store.Prefix("eventsource", id)
	return tx.DeleteRange(over.Start, over.End)
}

func (s *stream) hasBegun(ctx context.Context) (begun bool, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		_, err := r.Get(begunKey(s.source.ID))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		begun = err == nil
		return err
	})
	return begun, err
}

// forget removes the checkpoints of shards that the stream has lost.
func (s *stream) forget(ctx context.Context, shards []shard) error {
	known := map[string]bool{}
	for _, sh := range shards {
		known[sh.id] = true
	}
	gone := map[string]bool{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("eventsource", s.source.ID)) {
			if err != nil {
				return err
			}
			parts, err := store.Split(kv.Key)
			if err != nil {
				return err
			}
			if shard, ok := parts[min(2, len(parts)-1)].(string); ok && len(parts) == 4 && !known[shard] {
				gone[shard] = true
			}
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for shard := range gone {
			over := store.Prefix("eventsource", s.source.ID, shard)
			if err := tx.DeleteRange(over.Start, over.End); err != nil {
				return err
			}
		}
		return nil
	})
}

// saveFirst keeps the positions that a source begins at.
func (s *stream) saveFirst(ctx context.Context, first map[string]checkpoint) error {
	lanes := s.source.Stream.Parallel
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for shard, c := range first {
			c.Lanes = lanes
			for i := range lanes {
				if err := store.SetRecord(tx, checkpointKey(s.source.ID, shard, i), c); err != nil {
					return err
				}
			}
		}
		return tx.Set(begunKey(s.source.ID), []byte("{}"))
	})
}

// checkpoints are those of a shard's lanes. Where the number of lanes has changed, keys are in other lanes than
// before: all go on from where the last of the former lanes was.
func (s *stream) checkpoints(ctx context.Context, shard string) ([]checkpoint, error) {
	var kept []checkpoint
	err := s.Store.View(ctx, func(r store.Reader) error {
		for c, err := range store.Records[checkpoint](r, store.Prefix("eventsource", s.source.ID, shard)) {
			if err != nil {
				return err
			}
			kept = append(kept, c)
		}
		return nil
	})
	lanes := s.source.Stream.Parallel
	if err != nil || len(kept) == lanes {
		return kept, err
	}
	least := least(kept)
	least.Lanes = lanes
	marks := make([]checkpoint, lanes)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		over := store.Prefix("eventsource", s.source.ID, shard)
		if err := tx.DeleteRange(over.Start, over.End); err != nil {
			return err
		}
		for i := range marks {
			marks[i] = least
			if err := store.SetRecord(tx, checkpointKey(s.source.ID, shard, i), least); err != nil {
				return err
			}
		}
		return nil
	})
	return marks, err
}

// least is the checkpoint furthest behind. Windows do not outlive a change of lanes.
func least(of []checkpoint) (c checkpoint) {
	for i := range of {
		if i == 0 || before(&of[i], &c) {
			c = of[i]
		}
	}
	c.Window = nil
	return c
}

func before(a, b *checkpoint) bool {
	switch {
	case a.Ended != b.Ended:
		return b.Ended
	case a.Sequence == "" || b.Sequence == "":
		return a.Sequence == "" && b.Sequence != ""
	}
	return earlier(a.Sequence, b.Sequence)
}

// earlier compares sequence numbers, which are decimal.
func earlier(a, b string) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return strings.Compare(a, b) < 0
}

// persist saves a checkpoint, again and again until the store takes it: whoever forgets what was handled handles it
// again. It fails when ctx ends; what was handled is saved even then, if that goes at once.
func (l *lane) persist(ctx context.Context, mark checkpoint, then func(store.Tx) error) bool {
	for attempt := 1; ; attempt++ {
		err := l.save(context.WithoutCancel(ctx), mark, then)
		if err == nil {
			return true
		}
		l.problem(ctx, err)
		if l.pause(ctx, readBackoff, attempt); ctx.Err() != nil {
			return false
		}
	}
}

// save keeps a lane's checkpoint, with what else follows from it.
func (l *lane) save(ctx context.Context, mark checkpoint, then func(store.Tx) error) error {
	err := l.Store.Update(ctx, func(tx store.Tx) error {
		if err := store.SetRecord(tx, checkpointKey(l.source.ID, l.shard, l.number), mark); err != nil || then == nil {
			return err
		}
		return then(tx)
	})
	if err == nil {
		l.mark = mark
	}
	return err
}
