package lambda

import (
	"context"
	"errors"
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

// sweepAll removes what no function needs any more: stored packages as they lose their last use, and
// the rest now and then.
func (s *Service) sweepAll(ctx context.Context) {
	report := func(err error) {
		if err != nil && ctx.Err() == nil {
			s.Log.Error("lambda: sweep packages", "error", err)
		}
	}
	ticker := time.NewTicker(sweepInterval)
	defer ticker.Stop()
	report(s.sweep(ctx))
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.sweepNow:
			report(s.sweepReleased(ctx))
		case <-ticker.C:
			report(s.sweep(ctx))
		}
	}
}

// sweepSoon asks for a sweep of released packages.
func (s *Service) sweepSoon() {
	select {
	case s.sweepNow <- struct{}{}:
	default:
	}
}

func (s *Service) sweep(ctx context.Context) error {
	return errors.Join(s.sweepReleased(ctx), s.sweepUploads(ctx), s.sweepDirectories(ctx))
}

// releasedKey marks a package that lost its last use, and gets none again.
func releasedKey(id string) []byte { return store.Key("lambda", "released", id) }

// sweepReleased deletes the stored packages that lost their last use.
func (s *Service) sweepReleased(ctx context.Context) error {
	var ids []string
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("lambda", "released")) {
			if err != nil {
				return err
			}
			parts, err := store.Split(kv.Key)
			if err != nil {
				return err
			}
			ids = append(ids, parts[2].(string))
		}
		return nil
	})
	for _, id := range ids {
		if err == nil {
			err = s.drop(ctx, id)
		}
	}
	return err
}

// sweepUploads deletes packages that were uploaded and never used: a crash came between.
func (s *Service) sweepUploads(ctx context.Context) error {
	var abandoned []string
	err := s.Store.View(ctx, func(r store.Reader) error {
		for p, err := range store.Records[stored](r, store.Prefix("lambda", "package")) {
			if err != nil {
				return err
			}
			if p.References == 0 && s.Clock().Sub(p.Since) > uploadGrace {
				abandoned = append(abandoned, p.ID)
			}
		}
		return nil
	})
	for _, id := range abandoned {
		if err == nil {
			err = s.drop(ctx, id)
		}
	}
	return err
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
