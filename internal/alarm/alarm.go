package alarm

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"cirro/internal/store"
)

// How the alarms are waited for: no longer than longest at a time, as another process over the same store may
// have set one and gone away; so many that are due in one transaction; and so long after an error.
const (
	longest = 30 * time.Second
	batch   = 256
	pause   = time.Second
)

// Alarms are the alarms of one owner.
type Alarms struct {
	Store store.Store
	Owner string // under whose name they are kept: the service's
	Clock func() time.Time
	// Ring is called when an alarm is due, in the transaction that takes it away, and says when it rings
	// next: the zero time for never. Like any transaction's function it may be called more than once.
	Ring func(tx store.Tx, id string, due time.Time) (next time.Time, err error)
	Log  *slog.Logger

	poked chan struct{}
}

// Init makes the alarms ready for use.
func (a *Alarms) Init() *Alarms {
	a.poked = make(chan struct{}, 1)
	return a
}

func (a *Alarms) dueKey(due time.Time, id string) []byte {
	return store.Key(a.Owner, "alarm", due.UnixNano(), id)
}
func (a *Alarms) idKey(id string) []byte { return store.Key(a.Owner, "alarmof", id) }

// Set sets the alarm of an id, in the place of the one that it may have; the zero time takes it away. When
// the transaction has committed, Poke is to be called.
func (a *Alarms) Set(tx store.Tx, id string, due time.Time) error {
	before, err := a.Due(tx, id)
	if err != nil {
		return err
	}
	return a.move(tx, id, before, due)
}

// move is Set of an alarm whose time before is known.
func (a *Alarms) move(tx store.Tx, id string, before, due time.Time) error {
	if !before.IsZero() {
		if err := tx.Delete(a.dueKey(before, id)); err != nil {
			return err
		}
	}
	if due.IsZero() {
		return tx.Delete(a.idKey(id))
	}
	if err := tx.Set(a.dueKey(due, id), []byte{}); err != nil {
		return err
	}
	return tx.Set(a.idKey(id), binary.BigEndian.AppendUint64(nil, uint64(due.UnixNano())))
}

// Due is when the alarm of an id rings; the zero time where it has none.
func (a *Alarms) Due(r store.Reader, id string) (time.Time, error) {
	b, err := r.Get(a.idKey(id))
	if errors.Is(err, store.ErrNotFound) {
		return time.Time{}, nil
	}
	if err != nil || len(b) != 8 {
		return time.Time{}, err
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b))).UTC(), nil
}

// Poke makes Run look at the alarms again.
func (a *Alarms) Poke() {
	select {
	case a.poked <- struct{}{}:
	default:
	}
}

// Run rings alarms until ctx ends.
func (a *Alarms) Run(ctx context.Context) {
	for ctx.Err() == nil {
		wait, err := a.Turn(ctx)
		if errors.Is(err, store.ErrClosed) {
			return
		}
		if err != nil {
			if ctx.Err() == nil {
				a.Log.Error("alarm: ring", "owner", a.Owner, "error", err)
			}
			wait = pause
		}
		a.sleep(ctx, wait)
	}
}

func (a *Alarms) sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-a.poked:
	case <-ctx.Done():
	}
}

// Turn rings the alarms that are due and says how long it is until the next, or until somebody should look.
func (a *Alarms) Turn(ctx context.Context) (wait time.Duration, err error) {
	var from time.Time // what was before has been rung: to look past it again and again costs
	for ctx.Err() == nil {
		now := a.Clock()
		var due []entry
		var next time.Time
		err := a.Store.View(ctx, func(r store.Reader) (err error) {
			due, next, err = a.due(r, from, now)
			return err
		})
		if err != nil || len(due) == 0 {
			wait = longest
			if !next.IsZero() {
				wait = min(longest, max(0, next.Sub(now)))
			}
			return wait, err
		}
		// The transaction reads these alarms alone, so that others that are set meanwhile do not disturb it.
		err = a.Store.Update(ctx, func(tx store.Tx) error {
			for _, d := range due {
				if err := a.ring(tx, d); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return 0, err
		}
		from = due[len(due)-1].due
	}
	return 0, ctx.Err()
}

type entry struct {
	id  string
	due time.Time
}

// due are the first alarms that are due, not before a time, and when the next one is.
func (a *Alarms) due(r store.Reader, from, now time.Time) (due []entry, next time.Time, err error) {
	over := store.Prefix(a.Owner, "alarm")
	if !from.IsZero() {
		over.Start = store.Key(a.Owner, "alarm", from.UnixNano())
	}
	over.Limit = batch + 1
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, time.Time{}, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return nil, time.Time{}, err
		}
		e := entry{id: parts[3].(string), due: time.Unix(0, parts[2].(int64)).UTC()}
		if e.due.After(now) || len(due) == batch {
			return due, e.due, nil
		}
		due = append(due, e)
	}
	return due, time.Time{}, nil
}

// ring rings an alarm, unless another process has.
func (a *Alarms) ring(tx store.Tx, e entry) error {
	if _, err := tx.Get(a.dueKey(e.due, e.id)); err != nil {
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	}
	next, err := a.Ring(tx, e.id, e.due)
	if err != nil {
		return err
	}
	return a.move(tx, e.id, e.due, next)
}
