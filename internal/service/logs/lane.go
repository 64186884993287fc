package logs

import (
	"context"
	"errors"
	"sync"

	"cirro/internal/awsapi"
	"cirro/internal/store"
)

// maxTurn bounds how many writes share a transaction, and how many bytes.
const (
	maxTurn      = 256
	maxTurnBytes = 4 << 20
)

// lanes are the groups that are being written to.
type lanes struct {
	mu sync.Mutex
	m  map[groupKey]*lane
}

// lane is the queue of writes to one group. It has a writer as long as it exists.
type lane struct{ waiting []*write }

// write is one change to a group. apply checks all it must before it changes anything: where it fails
// with an *awsapi.Error, the other writes of the transaction stand.
type write struct {
	apply func(*change) error
	size  int // bytes, roughly
	err   error
	done  chan struct{}
}

// change makes changes to the group in a transaction that it shares with other writes. It returns
// when they are durable.
func (s *Service) change(ctx context.Context, k groupKey, size int, apply func(*change) error) error {
	w := &write{apply: apply, size: size, done: make(chan struct{})}
	s.lanes.mu.Lock()
	l := s.lanes.m[k]
	leads := l == nil
	if leads {
		l = &lane{}
		if s.lanes.m == nil {
			s.lanes.m = map[groupKey]*lane{}
		}
		s.lanes.m[k] = l
	}
	l.waiting = append(l.waiting, w)
	s.lanes.mu.Unlock()
	if leads {
		// Others wait for this writer, so it must not end with its own caller.
		s.write(context.WithoutCancel(ctx), k, l, w)
		return w.err
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// write does the lane's writes until mine is done; another goroutine takes what waits then.
func (s *Service) write(ctx context.Context, k groupKey, l *lane, mine *write) {
	for {
		turn := s.take(k, l)
		if turn == nil {
			return
		}
		s.commit(ctx, k, turn)
		for _, w := range turn {
			close(w.done)
		}
		if turn[0] == mine {
			go s.write(ctx, k, l, nil)
			return
		}
	}
}

// take takes the writes of the next transaction. With none left, the lane ends.
func (s *Service) take(k groupKey, l *lane) []*write {
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	if len(l.waiting) == 0 {
		delete(s.lanes.m, k)
		return nil
	}
	n, size := 0, 0
	for n < len(l.waiting) && n < maxTurn && (n == 0 || size+l.waiting[n].size <= maxTurnBytes) {
		size += l.waiting[n].size
		n++
	}
	turn := l.waiting[:n:n]
	l.waiting = l.waiting[n:]
	return turn
}

// commit does the writes in one transaction.
func (s *Service) commit(ctx context.Context, k groupKey, turn []*write) {
	var c *change
	err := s.store.Update(ctx, func(tx store.Tx) (err error) {
		if c, err = s.newChange(tx, k); err != nil {
			return err
		}
		for _, w := range turn {
			if w.err = w.apply(c); w.err != nil && !errors.As(w.err, new(*awsapi.Error)) {
				return w.err
			}
		}
		return c.save()
	})
	if err != nil {
		for _, w := range turn {
			w.err = err
		}
		return
	}
	s.tails.publish(k, c.appended)
}
