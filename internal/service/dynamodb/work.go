package dynamodb

import (
	"context"
	"errors"
	"sync"
	"time"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// Tables that are being changed have a mark, ("dynamodb", "work", account, region, table), set by the transaction that
// began the change and removed by the one that ends it, so that a restart goes on with it. What remains to be done is
// in the table's record: indexes that are CREATING or DELETING, a time to live that is not ready, a source to restore
// from.

func workKey(ref table.Ref) []byte {
	return store.Key("dynamodb", "work", ref.Account, ref.Region, ref.Name)
}

// workers are the changes under way.
type workers struct {
	ctx  context.Context
	stop func()
	done sync.WaitGroup

	mu  sync.Mutex
	of  map[table.Ref]bool // true: something was added since it began
	end bool
}

func newWorkers() *workers {
	w := &workers{of: map[table.Ref]bool{}}
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

// begin says that f is to run for a table: at once, or again after the run under way.
func (w *workers) begin(ref table.Ref, f func(context.Context, table.Ref)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.end {
		return
	}
	if _, running := w.of[ref]; running {
		w.of[ref] = true
		return
	}
	w.of[ref] = false
	w.done.Go(func() {
		for again := true; again; again = w.again(ref) {
			f(w.ctx, ref)
		}
	})
}

// again says whether the run that has ended must be followed by another.
func (w *workers) again(ref table.Ref) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of[ref] && !w.end {
		w.of[ref] = false
		return true
	}
	delete(w.of, ref)
	return false
}

// every calls f now and after each period, until the end.
func (w *workers) every(period time.Duration, f func(context.Context)) {
	w.done.Go(func() {
		tick := time.NewTicker(period)
		defer tick.Stop()
		for w.ctx.Err() == nil {
			f(w.ctx)
			select {
			case <-tick.C:
			case <-w.ctx.Done():
			}
		}
	})
}

// close stops what is under way: the next start goes on with it.
func (w *workers) close() {
	w.mu.Lock()
	w.end = true
	w.mu.Unlock()
	w.stop()
	w.done.Wait()
}

// resume goes on with the changes that were under way when the last process ended.
func (s *Service) resume(ctx context.Context) {
	var refs []table.Ref
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("dynamodb", "work")) {
			if err != nil {
				return err
			}
			parts, err := store.Split(kv.Key)
			if err != nil {
				return err
			}
			refs = append(refs, table.Ref{Account: parts[2].(string), Region: parts[3].(string), Name: parts[4].(string)})
		}
		return nil
	})
	s.complain(err, "tables whose change was under way")
	for _, ref := range refs {
		s.workers.begin(ref, s.work)
	}
}

// complain logs an error of the background, unless it is the end.
func (s *Service) complain(err error, of string) {
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, store.ErrClosed) {
		s.Log.Error("dynamodb: "+of, "err", err)
	}
}

// work does what a table's record says remains to be done, step by step, until nothing does.
func (s *Service) work(ctx context.Context, ref table.Ref) {
	for ctx.Err() == nil {
		record, err := s.recordOf(ctx, ref)
		if err == nil {
			var step func(context.Context) error
			if record != nil {
				step = s.nextStep(record)
			}
			if step == nil {
				err = s.settle(ctx, ref)
				s.complain(err, "table "+ref.Name)
				return
			}
			err = step(ctx)
		}
		if err != nil {
			s.complain(err, "table "+ref.Name)
			select { // another try
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}
}

func (s *Service) recordOf(ctx context.Context, ref table.Ref) (*table.Record, error) {
	var record table.Record
	var found bool
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		record, found, err = store.GetRecord[table.Record](r, ref.Key())
		return err
	})
	if err != nil || !found {
		return nil, err
	}
	return &record, nil
}

// nextStep returns the next thing to do for a table, or nil.
func (s *Service) nextStep(r *table.Record) func(context.Context) error {
	if r.Source != nil && r.Source.Import != "" {
		return func(ctx context.Context) error { return s.importTable(ctx, r) }
	}
	if r.Source != nil {
		return func(ctx context.Context) error { return s.restore(ctx, r) }
	}
	if len(r.Backups) > 0 {
		return func(ctx context.Context) error { return s.copyTable(ctx, r, r.Backups[0]) }
	}
	if len(r.Exports) > 0 {
		return func(ctx context.Context) error { return s.exportTable(ctx, r, r.Exports[0]) }
	}
	for _, x := range r.API.GlobalSecondaryIndexes {
		switch *x.IndexStatus {
		case api.IndexStatusDeleting:
			return func(ctx context.Context) error { return s.removeIndex(ctx, r.Ref, *x.IndexName) }
		case api.IndexStatusCreating:
			return func(ctx context.Context) error { return s.buildIndex(ctx, r.Ref, *x.IndexName) }
		}
	}
	if r.TimeToLive != nil && !r.TimeToLive.Ready {
		return func(ctx context.Context) error { return s.learnExpiries(ctx, r.Ref) }
	}
	return nil
}

// settle makes a table ACTIVE of which nothing remains to be done.
func (s *Service) settle(ctx context.Context, ref table.Ref) error {
	return s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, tx.Delete(workKey(ref))
		}
		if s.nextStep(r) != nil {
			return r, nil // begin was called again
		}
		r.API.TableStatus = new(api.TableStatusActive)
		return r, tx.Delete(workKey(ref))
	})
}
