package eventsource

import (
	"context"
	"errors"
	"time"

	"cirro/internal/store"
)

// Where several processes share a store, one of them polls a source at a time. It says so in a record, whose beat
// it changes again and again; the others wait until there is no record, or until the beat has stood still for
// long. Each goes by its own clock: those of two machines may differ.
const (
	beatEvery = 2 * time.Second
	stillFor  = 4 * beatEvery // then the owner is gone
	silentFor = 3 * beatEvery // then an owner that cannot beat lets go, before others take over
)

// owner is who polls a source.
type owner struct {
	Process string
	Beat    int
}

func ownerKey(id string) []byte { return store.Key("eventsource-owner", id) }

// shared reports whether other processes may use the store.
func shared(s store.Store) bool {
	_, ok := s.(store.Watcher)
	return ok
}

// own calls poll while this process owns the source, again and again until ctx ends. poll's context ends when
// the source is lost.
func (p *Poller) own(ctx context.Context, poll func(context.Context)) {
	var seen owner
	since := time.Now()
	for ctx.Err() == nil {
		now, mine, err := p.claim(ctx, seen, time.Since(since) > stillFor)
		switch {
		case err != nil && ctx.Err() == nil:
			p.Log.Warn("eventsource: who polls a source cannot be told", "source", p.source.ARN, "error", err)
		case mine:
			p.keep(ctx, poll)
			seen, since = owner{}, time.Now()
			continue
		case now != seen:
			seen, since = now, time.Now()
		}
		sleep(ctx, beatEvery)
	}
}

// claim takes a source that nobody owns, or whose owner, as it was seen before, is gone.
func (p *Poller) claim(ctx context.Context, seen owner, gone bool) (now owner, mine bool, err error) {
	err = p.Store.Update(ctx, func(tx store.Tx) error {
		found := false
		if now, found, err = store.GetRecord[owner](tx, ownerKey(p.source.ID)); err != nil {
			return err
		}
		if mine = !found || gone && now == seen; !mine {
			return nil
		}
		now = owner{Process: p.process}
		return store.SetRecord(tx, ownerKey(p.source.ID), now)
	})
	return now, mine, err
}

// errLost says that another process owns the source.
var errLost = errors.New("eventsource: the source has another owner")

// keep polls until ctx ends or the source is lost, and lets go of it.
func (p *Poller) keep(ctx context.Context, poll func(context.Context)) {
	owned, lose := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer lose()
		p.beat(owned)
	}()
	poll(owned)
	lose()
	<-done
	err := p.Store.Update(context.WithoutCancel(ctx), func(tx store.Tx) error {
		now, found, err := store.GetRecord[owner](tx, ownerKey(p.source.ID))
		if err != nil || !found || now.Process != p.process {
			return err
		}
		return tx.Delete(ownerKey(p.source.ID))
	})
	if err != nil && !errors.Is(err, store.ErrClosed) {
		p.Log.Warn("eventsource: a source stays taken for a while", "source", p.source.ARN, "error", err)
	}
}

// beat keeps a source until ctx ends, or until it cannot.
func (p *Poller) beat(ctx context.Context) {
	last := time.Now()
	for time.Since(last) < silentFor {
		sleep(ctx, beatEvery)
		if ctx.Err() != nil {
			return
		}
		err := p.Store.Update(ctx, func(tx store.Tx) error {
			now, _, err := store.GetRecord[owner](tx, ownerKey(p.source.ID))
			if err != nil {
				return err
			}
			if now.Process != p.process {
				return errLost
			}
			now.Beat++
			return store.SetRecord(tx, ownerKey(p.source.ID), now)
		})
		if errors.Is(err, errLost) {
			return
		}
		if err == nil {
			last = time.Now()
		}
	}
}
