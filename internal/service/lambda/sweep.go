package lambda

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"cirro/internal/store"
)

const (
	sweepInterval = 10 * time.Minute
	// uploadGrace is how long a package without references is left alone: an upload may be under way.
	uploadGrace = time.Hour
	// directoryGrace is how long an unpacked package outlives its last version: the longest invocation
	// and then some.
	directoryGrace = 20 * time.Minute
)

// sweepAll removes what no function needs any more, now and then.
func (s *Service) sweepAll(ctx context.Context) {
	sweep := func() {
		if err := s.sweep(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("lambda: sweep packages", "error", err)
		}
	}
	sweep()
	every(ctx, sweepInterval, s.sweepNow, sweep)
}

// sweepSoon asks for a sweep.
func (s *Service) sweepSoon() {
	select {
	case s.sweepNow <- struct{}{}:
	default:
	}
}

func (s *Service) sweep(ctx context.Context) error {
	if err := s.sweepPackages(ctx); err != nil {
		return err
	}
	return s.sweepDirectories(ctx)
}

// sweepPackages deletes stored packages without references.
func (s *Service) sweepPackages(ctx context.Context) error {
	var unused []stored
	err := s.Store.View(ctx, func(r store.Reader) error {
		for p, err := range store.Records[stored](r, store.Prefix("lambda", "package")) {
			if err != nil {
				return err
			}
			// One that had references gets none again; one that never had waits for its upload.
			if p.References == 0 && (p.Released || s.Clock().Sub(p.Since) > uploadGrace) {
				unused = append(unused, p)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, p := range unused {
		if err := s.drop(ctx, p.ID); err != nil {
			return err
		}
	}
	return nil
}

// sweepDirectories deletes unpacked packages that nothing has referred to for a while.
func (s *Service) sweepDirectories(ctx context.Context) error {
	needed := map[string]bool{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		for v, err := range store.Records[version](r, store.Prefix("lambda", "version")) {
			if err != nil {
				return err
			}
			for _, c := range v.codes() {
				needed[c.SHA256] = true
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.codeRoot())
	if err != nil {
		return err
	}
	for _, e := range entries {
		if needed[e.Name()] {
			delete(s.unneeded, e.Name())
		} else if since, known := s.unneeded[e.Name()]; !known {
			s.unneeded[e.Name()] = s.Clock()
		} else if s.Clock().Sub(since) > directoryGrace {
			delete(s.unneeded, e.Name())
			if err := s.dropDirectory(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropDirectory deletes an unpacked package, moving it out of the way first so that a half of it is
// never seen.
func (s *Service) dropDirectory(sha string) error {
	defer s.unpacking.lock(sha)()
	grave, err := os.MkdirTemp(s.scratch(), "old-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(grave)
	return os.Rename(filepath.Join(s.codeRoot(), sha), filepath.Join(grave, "content"))
}
