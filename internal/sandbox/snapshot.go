package sandbox

import (
	"context"
	"errors"

	"cirro/internal/sandbox/jail"
)

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
	if f.saveable(s, sh) {
		if saved, err := f.save(ctx, s, sh, place); saved || err != nil {
			return err
		}
	}
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

// saveable says whether the memory of a Spec's initialised program may be saved.
func (f *Fleet) saveable(s *Spec, sh *shelf) bool {
	r, err := f.runtime(s.Runtime)
	return err == nil && r.Ahead != nil && saves(r.Ahead) && r.Ahead.Fits(s.Environment) && f.imageSize() > 0 && !sh.kept.futile()
}

// save initialises a function in an environment that is for nothing else, and keeps an image of its memory. It
// returns false where there is none to be had.
func (f *Fleet) save(ctx context.Context, s *Spec, sh *shelf, place *start) (saved bool, err error) {
	saving, err := newSaving(nil, f.imageSize())
	if err != nil {
		return false, nil
	}
	defer func() {
		if !saved {
			saving.image.close()
		}
	}()
	e, failed, err := f.openTo(ctx, s, place, nil, phaseSnapshot, max(snapshotInit, s.Timeout), saving)
	switch {
	case errors.Is(err, jail.ErrNoZygote):
		return false, nil
	case err != nil:
		return false, err
	case failed != nil:
		failed.journal.close()
		return false, &InitError{Type: failed.Type, Body: failed.body(""), Timeout: failed.timeout}
	}
	if err := e.unsaved; err != nil {
		var why declined
		if errors.As(err, &why) {
			e.journal.warn("The memory of the function cannot be saved: " + err.Error() + ". Its environments are initialised ahead instead.")
		}
		e.shutDown(spindown)
		sh.kept.failed(err)
		return false, nil
	}
	e.shutDown(spindown)
	i, err := saving.finish()
	if err != nil {
		sh.kept.failed(err)
		return false, nil
	}
	sh.kept.put(i)
	for _, e := range sh.held.shed() { // they are not needed any more
		f.end(e, spindown)
	}
	f.trimImages(f.imageMemory())
	return true, nil
}
