package engine

import (
	"context"
	"errors"
	"fmt"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

func indexOf(r reads, run string) (index int64, err error) {
	b, err := r.Get(indexKey(run))
	if err != nil {
		return 0, fmt.Errorf("states: execution %s is nobody's child: %w", run, err)
	}
	return index, cbor.Unmarshal(b, &index)
}

// read reads how the execution of a child stands.
func (c *Child) read(r reads) (err error) {
	if c.Run, err = Find(r, c.Run.ID); err != nil {
		return err
	}
	c.Output, err = Output(r, c.Run.ID)
	return err
}

// childAt reads a child of a map run; nil for none.
func childAt(r reads, id string, index int64) (*Child, error) {
	b, err := r.Get(childKey(id, index))
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &Child{}
	return c, cbor.Unmarshal(b, c)
}

// conclude readies the end of a map run: it stops what still runs, writes the results, and says what its state gets.
func (d *driver) conclude(ctx context.Context) (h Happening, err error) {
	h = Happening{Run: d.run.Parent.Run, Frame: d.run.Parent.Frame, Turn: d.run.Parent.Turn, Kind: mapEnded, Failure: d.failure}
	if d.run.Executed.Running > 0 {
		if err := d.abort(ctx); err != nil {
			return h, err
		}
	}
	if d.run.Status == Running && d.failure == nil || d.failure != nil && d.run.Writer != nil && d.run.Writer.Resource != "" {
		output, err := d.results(ctx)
		if err != nil {
			return h, err
		}
		h.Output = output
	}
	if d.failure != nil {
		h.Failure = d.failure
	}
	return h, nil
}

// close writes down how the run has ended, in the transaction that tells its state; or begins with the redrive that was
// asked for since it was stopped.
func (d *driver) close(tx store.Tx) (stopped bool, err error) {
	run, err := FindMapRun(tx, d.run.ID)
	if err != nil {
		return false, err
	}
	run.Driven, run.Pending, run.PendingItems = false, 0, 0
	if stopped = run.Status != Running; !stopped {
		run.Status, run.Stopped, run.Written = Succeeded, d.Clock(), d.run.Written
		if d.failure != nil {
			run.Status, run.Error, run.Cause = Failed, d.failure.Error, d.failure.Cause
		}
	}
	if err := tx.Drop(EndedQueue(&run.Run)); err != nil {
		return stopped, err
	}
	if run.Wanted {
		if err := run.again(tx); err != nil {
			return stopped, err
		}
	}
	return stopped, tx.Set(mapRunKey(run.ID), encode(run))
}

// abort stops the children that still run.
func (d *driver) abort(ctx context.Context) error {
	var running []*Child
	err := d.Store.View(ctx, func(r store.Reader) error {
		return Children(r, d.run.ID, 0, func(c *Child) (bool, error) {
			if !c.Ended {
				running = append(running, c)
			}
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	for _, c := range running {
		if !d.run.Express {
			if err := d.Stop(ctx, c.Run.ID, "", ""); err != nil && !errors.Is(err, ErrLate) && !errors.Is(err, ErrNoRun) {
				return err
			}
		}
	}
	return d.Store.Update(ctx, func(tx store.Tx) error {
		run, err := FindMapRun(tx, d.run.ID)
		if err != nil {
			return err
		}
		for _, c := range running {
			kept, err := childAt(tx, run.ID, c.Index)
			if err != nil {
				return err
			}
			if kept == nil || kept.Ended {
				continue
			}
			if run.Express {
				kept.Run.Status, kept.Run.Stopped = Aborted, d.Clock()
			} else if err := kept.read(tx); err != nil {
				return err
			}
			kept.Ended = true
			run.Executed.end(kept.Run.Status, 1)
			run.Items.end(kept.Run.Status, kept.Items)
			if err := tx.Set(childKey(run.ID, kept.Index), encode(kept)); err != nil {
				return err
			}
		}
		d.run.Executed, d.run.Items = run.Executed, run.Items
		return tx.Set(mapRunKey(run.ID), encode(run))
	})
}

// results are the children's outputs, or where they were written to.
func (d *driver) results(ctx context.Context) (string, error) {
	if d.run.Writer != nil {
		out, written, err := d.WriteResults(ctx, d.run, d.state)
		if f, ok := errors.AsType[failedReading](err); ok {
			d.failure = f.Failure
			return "", nil
		}
		if d.run.Written = written; len(out) > document.MaxSize && d.failure == nil {
			d.failure = asl.TooLarge(d.run.State)
			return "", err
		}
		return out, err
	}
	b := []byte{'['}
	err := d.Store.View(ctx, func(r store.Reader) error {
		return Children(r, d.run.ID, 0, func(c *Child) (bool, error) {
			if c.Run.Status != Succeeded {
				return true, nil
			}
			if len(b) > 1 {
				b = append(b, ',')
			}
			b = append(b, c.Output...)
			return len(b) <= document.MaxSize, nil
		})
	})
	if err != nil {
		return "", err
	}
	if b = append(b, ']'); len(b) > document.MaxSize {
		d.failure = asl.TooLarge(d.run.State)
		return "", nil
	}
	return string(b), nil
}

// WriterFailed makes an error of WriteResults that the map run fails with; any other is tried again.
func WriterFailed(cause string, args ...any) error {
	return failedReading{&asl.Failure{Error: asl.ResultWriterFailed, Cause: fmt.Sprintf(cause, args...)}}
}
