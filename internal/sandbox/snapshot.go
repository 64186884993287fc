package sandbox

import "context"

// Snapshot implements Snapshotter.
func (f *Fleet) Snapshot(ctx context.Context, s *Spec) error {
	if !f.enter() {
		return errClosed
	}
	defer f.running.Done()
	return f.snapshot(ctx, s, f.shelf(s.ID))
}

func (f *Fleet) snapshot(ctx context.Context, s *Spec, sh *shelf) error {
	place, err := f.starts.enter(ctx)
	if err != nil {
		return err
	}
	defer place.leave()
	e, failed, err := f.open(ctx, s, place, nil, phaseSnapshot, max(snapshotInit, s.Timeout))
	if err != nil {
		return err
	}
	if failed != nil {
		failed.journal.close()
		return &InitError{Type: failed.Type, Body: failed.body(""), Timeout: failed.timeout}
	}
	f.hold(sh, e)
	return nil
}
