package lambda

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"cirro/internal/service/lambda/bundle"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// stored is the record of a package in the blob store. It is written before the body and outlives it,
// so that no crash leaves a body that nobody knows: one without references is swept.
type stored struct {
	ID         string
	References int  // versions and layer versions made of it
	Released   bool // it had references and has lost them all
	Since      time.Time
}

func storedKey(id string) []byte { return store.Key("lambda", "package", id) }

func blobKey(id string) string { return "lambda/package/" + id }

// upload checks a package, unpacks it, and stores it durably with no reference yet. limit bounds
// what its files hold, in bytes.
func (s *Service) upload(ctx context.Context, zip []byte, limit int64) (code, error) {
	sum := sha256.Sum256(zip)
	c := code{Package: uuid.NewString(), SHA256: hex.EncodeToString(sum[:]), Size: int64(len(zip))}
	unpacked, err := s.unpack(c.SHA256, bytes.NewReader(zip), c.Size, limit)
	if err != nil {
		return code{}, err
	}
	c.Unpacked = unpacked
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		return store.SetRecord(tx, storedKey(c.Package), stored{ID: c.Package, Since: s.Clock()})
	})
	if err != nil {
		return code{}, err
	}
	if _, err := s.Blobs.Put(ctx, blobKey(c.Package), bytes.NewReader(zip)); err != nil {
		return code{}, fmt.Errorf("lambda: store package: %w", err)
	}
	return c, nil
}

// discard deletes a package that was uploaded for nothing.
func (s *Service) discard(c code) {
	if err := s.drop(s.ctx, c.Package); err != nil && s.ctx.Err() == nil {
		s.Log.Error("lambda: discard a package", "package", c.Package, "error", err)
	}
}

// drop deletes a package without references.
func (s *Service) drop(ctx context.Context, id string) error {
	if err := s.Blobs.Delete(ctx, blobKey(id)); err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		return errors.Join(tx.Delete(storedKey(id)), tx.Delete(releasedKey(id)))
	})
}

// retain adds a reference to a package; release takes one back. What has none left is swept.
func (s *Service) retain(tx store.Tx, c code) error { return s.count(tx, c, 1) }

func (s *Service) release(tx store.Tx, c code) error { return s.count(tx, c, -1) }

func (s *Service) count(tx store.Tx, c code, n int) error {
	p, found, err := store.GetRecord[stored](tx, storedKey(c.Package))
	if err != nil {
		return err
	}
	if !found || (n > 0 && p.Released) {
		return fmt.Errorf("lambda: package %s is gone", c.Package)
	}
	p.References += n
	p.Since = s.Clock()
	if p.References == 0 {
		p.Released = true
		if err := tx.Set(releasedKey(c.Package), []byte{}); err != nil {
			return err
		}
	}
	return store.SetRecord(tx, storedKey(c.Package), p)
}

// codeDir is the directory with the unpacked package, which is made from the stored one if it is not
// there. It is read-only to all, and stays while any version refers to the package.
func (s *Service) codeDir(ctx context.Context, c code) (string, error) {
	dir := filepath.Join(s.codeRoot(), c.SHA256)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	body, size, err := s.Blobs.Get(ctx, blobKey(c.Package))
	if err != nil {
		return "", fmt.Errorf("lambda: package %s: %w", c.Package, err)
	}
	defer body.Close()
	file, ok := body.(io.ReaderAt)
	if !ok {
		zip, err := io.ReadAll(body)
		if err != nil {
			return "", fmt.Errorf("lambda: package %s: %w", c.Package, err)
		}
		file = bytes.NewReader(zip)
	}
	if _, err := s.unpack(c.SHA256, file, size, maxUnpacked); err != nil {
		return "", fmt.Errorf("lambda: package %s: %w", c.Package, err)
	}
	return dir, nil
}

// layerDirs is codeDir for each of a version's layers, in their order.
func (s *Service) layerDirs(ctx context.Context, v *version) ([]string, error) {
	dirs := make([]string, 0, len(v.Layers))
	for _, l := range v.Layers {
		dir, err := s.codeDir(ctx, l.Code)
		if err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// unpack makes the directory of a package, at most once, and returns what its files hold in bytes.
func (s *Service) unpack(sha string, zip io.ReaderAt, size, limit int64) (int64, error) {
	defer s.unpacking.lock(sha)()
	dir := filepath.Join(s.codeRoot(), sha)
	tmp, err := os.MkdirTemp(s.scratch(), sha[:8]+"-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(tmp)
	content := filepath.Join(tmp, "content")
	unpacked, err := bundle.Unpack(content, zip, size, bundle.Limits{Bytes: limit})
	if err != nil {
		return 0, err
	}
	if err = os.Rename(content, dir); errors.Is(err, fs.ErrExist) {
		err = nil // the same package, from before
	}
	return unpacked, err
}
