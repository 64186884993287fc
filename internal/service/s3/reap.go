package s3

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cirro/internal/courier"
	"cirro/internal/store"
)

// reapQueue is the queue of what is to be removed that does not lie in the store: the transaction that lets go of it
// writes a message, and it is removed after that, if need be after a restart.
const reapQueue = "s3/reap"

// reapMessage says what is to be removed: a body, or all uploads to a bucket that is gone.
type reapMessage struct {
	Kind   kind   `json:",omitempty"`
	ID     string `json:",omitempty"`
	Bucket string `json:",omitempty"`
}

const (
	reapAtOnce = 4
	reapBatch  = 100              // uploads ended in one transaction
	reapPause  = time.Second      // before a body is looked at again that is still read
	sweepPause = 10 * time.Minute // between two looks for bodies that nothing came to refer to
)

// dropBody lets go of a body in the transaction that removes the last that refers to it.
func (s *Service) dropBody(tx store.Tx, b body) error {
	switch b.Kind {
	case empty:
		return nil
	case inStore:
		return tx.Delete(bodyKey(b.ID))
	}
	return reapLater(tx, reapMessage{Kind: b.Kind, ID: b.ID})
}

func reapLater(tx store.Tx, m reapMessage) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = tx.Enqueue(reapQueue, store.NewMessage{Body: raw})
	return err
}

// reaper removes what was let go of.
func (s *Service) reaper() *courier.Courier {
	return &courier.Courier{Store: s.Store, Queue: reapQueue, AtOnce: reapAtOnce, Handle: s.reap, Log: s.Log}
}

func (s *Service) reap(ctx context.Context, m store.Message) courier.Verdict {
	var what reapMessage
	if err := json.Unmarshal(m.Body, &what); err != nil {
		s.Log.Error("s3: a message to remove a body cannot be read", "message", string(m.Body), "error", err)
		return courier.Verdict{}
	}
	v, err := s.reapOne(ctx, what)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Error("s3: a body cannot be removed", "id", what.ID, "error", err)
		}
		return courier.Again(courier.Backoff{Shortest: time.Second, Longest: 5 * time.Minute}.After(m.Deliveries))
	}
	return v
}

func (s *Service) reapOne(ctx context.Context, what reapMessage) (courier.Verdict, error) {
	switch {
	case what.Bucket != "":
		more, err := s.reapUploads(ctx, what.Bucket)
		if more {
			return courier.Again(0), err
		}
		return courier.Verdict{}, err
	case what.Kind == inBlobs:
		return courier.Verdict{}, s.Blobs.Delete(ctx, blobKey(what.ID))
	case what.Kind == inParts:
		return s.reapParts(ctx, what.ID)
	}
	return courier.Verdict{}, fmt.Errorf("s3: no body is of kind %d", what.Kind)
}

// reapParts removes a body in parts when nobody reads it any more.
func (s *Service) reapParts(ctx context.Context, id string) (courier.Verdict, error) {
	if !s.reads.remove(id) {
		return courier.Again(reapPause), nil
	}
	defer s.reads.removing.end(id)
	var parts []part
	err := s.Store.View(ctx, func(r store.Reader) (err error) { parts, err = partsOf(r, id); return err })
	if errors.Is(err, store.ErrNotFound) {
		return courier.Verdict{}, nil
	}
	if err != nil {
		return courier.Verdict{}, err
	}
	for i := range parts {
		if parts[i].Body.Kind == inBlobs {
			if err := s.Blobs.Delete(ctx, blobKey(parts[i].Body.ID)); err != nil {
				return courier.Verdict{}, err
			}
		}
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		for i := range parts {
			if parts[i].Body.Kind == inStore {
				if err := tx.Delete(bodyKey(parts[i].Body.ID)); err != nil {
					return err
				}
			}
		}
		return tx.Delete(partsKey(id))
	})
	return courier.Verdict{}, err
}

// reapUploads ends some of the uploads to a bucket that is gone, and reports whether there are more.
func (s *Service) reapUploads(ctx context.Context, bucketID string) (more bool, err error) {
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		more = false
		over := store.Prefix("s3", "upload", bucketID)
		over.Limit = reapBatch
		for kv, err := range tx.Range(over) {
			if err != nil {
				return err
			}
			names, err := store.Split(kv.Key)
			if err != nil || len(names) != 5 {
				return fmt.Errorf("s3: key %q: %w", kv.Key, err)
			}
			if err := s.endUpload(tx, bucketID, names[3].(string), names[4].(string)); err != nil {
				return err
			}
			more = true
		}
		return nil
	})
	return more, err
}

// sweep removes the bodies in the blob store that nothing came to refer to: of uploads that a crash broke off.
func (s *Service) sweep(ctx context.Context) error {
	var left []string
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("s3", "intent")) {
			if err != nil {
				return err
			}
			names, err := store.Split(kv.Key)
			if err != nil || len(names) != 3 {
				return fmt.Errorf("s3: key %q: %w", kv.Key, err)
			}
			if id := names[2].(string); !s.uploads.has(id) && s.abandoned(id) {
				left = append(left, id)
			}
		}
		return nil
	})
	for _, id := range left {
		if err == nil {
			err = s.sweepOne(ctx, id)
		}
	}
	return err
}

// abandonedAfter is how old an intent is that no other process can still be about.
const abandonedAfter = 24 * time.Hour

// abandoned reports whether nobody is about a body any more: one that this process is not about may be another's, where
// the store is shared.
func (s *Service) abandoned(id string) bool {
	return !s.Shared || s.Clock().Sub(madeAt(id)) > abandonedAfter
}

// sweepOne removes a body whose upload is over, unless it was successful: then its intent is gone.
func (s *Service) sweepOne(ctx context.Context, id string) error {
	err := s.Store.View(ctx, func(r store.Reader) error {
		_, err := r.Get(intentKey(id))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.removeIntended(ctx, id)
}

// sweepOn sweeps at once, and then from time to time.
func (s *Service) sweepOn(ctx context.Context) {
	tick := time.NewTicker(sweepPause)
	defer tick.Stop()
	for {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("s3: sweep", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
