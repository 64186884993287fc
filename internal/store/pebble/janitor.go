package pebble

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"cirro/internal/store"
	"cirro/internal/store/optimistic"
)

// rounds is how often the janitor looks for what can go.
const rounds = time.Minute

// forgotten is how many deduplications one transaction forgets.
const forgotten = 1000

// janitor removes what has expired and nobody asks for.
func (s *Store) janitor() {
	defer close(s.cleaned)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ticker := time.NewTicker(rounds)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-s.closing:
			return
		}
		if err := s.clean(ctx, time.Now()); err != nil && !errors.Is(err, store.ErrClosed) {
			s.log.Error("store: removing what has expired", "error", err)
		}
	}
}

// clean removes messages that have expired by now and deduplications to forget by then.
func (s *Store) clean(ctx context.Context, now time.Time) error {
	if err := s.enter(); err != nil {
		return err
	}
	defer s.leave()
	names, err := s.queueNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		q, err := s.queue(name)
		if err != nil {
			return err
		}
		s.sweep(q)
	}
	return s.forget(ctx, now)
}

func (s *Store) queueNames() (names []string, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{queueSpace}, UpperBound: []byte{queueSpace + 1}})
	if err != nil {
		return nil, err
	}
	for it.First(); it.Valid() && err == nil; it.Next() {
		var parts []any
		if parts, err = store.Split(it.Key()[1:]); err == nil {
			names = append(names, parts[0].(string))
		}
	}
	return names, errors.Join(err, it.Error(), it.Close())
}

// forgetKey notes that the deduplication under key can go when its time is over.
func forgetKey(expiry time.Time, key []byte) []byte {
	k := binary.BigEndian.AppendUint64([]byte{forgetSpace}, uint64(expiry.Unix()/60+1))
	return append(k, key[1:]...)
}

// forget removes the deduplications whose time is over.
func (s *Store) forget(ctx context.Context, now time.Time) error {
	over := optimistic.Span{Start: []byte{forgetSpace}, End: binary.BigEndian.AppendUint64([]byte{forgetSpace}, uint64(now.Unix()/60+1))}
	for more := true; more; {
		err := s.update(ctx, func(tx *transaction) error {
			more = false
			n := 0
			for kv, err := range tx.walk(new(optimistic.Overlay), over, false) {
				if err != nil {
					return err
				}
				if err := tx.forgetOne(kv.Key, now); err != nil {
					return err
				}
				if n++; n == forgotten {
					more = true
					break
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// forgetOne removes a deduplication, unless it was made again since.
func (tx *transaction) forgetOne(note []byte, now time.Time) error {
	tx.overlay.Delete(note)
	key := append([]byte{dedupSpace}, note[9:]...)
	known, err := tx.read(key)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d, err := decodeMessage(known)
	if err == nil && d.expiry <= now.UnixNano() {
		tx.overlay.Delete(key)
	}
	return err
}
