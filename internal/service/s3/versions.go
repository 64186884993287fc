package s3

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// current reads the current version of an object; nil where there is none, or where it is a delete marker.
func (s *Service) current(r store.Reader, b *bucket, key string) (*version, error) {
	return readVersion(r, objectKey(b.ID, key))
}

func readVersion(r store.Reader, key []byte) (*version, error) {
	raw, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := decodeVersion(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %q", err, key)
	}
	return v, nil
}

// newest reads the newest of the versions that are not the current one.
func newest(r store.Reader, b *bucket, key string) (*version, error) {
	over := store.Prefix("s3", "version", b.ID, key)
	over.Limit = 1
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, err
		}
		return decodeVersion(kv.Value)
	}
	return nil, nil
}

// lookup reads the version with an id, a delete marker or not, and reports whether it is the current one. It is
// nil where there is none.
func (s *Service) lookup(r store.Reader, b *bucket, key, id string) (v *version, isCurrent bool, err error) {
	cur, err := s.current(r, b, key)
	if err != nil || cur != nil && cur.ID == id {
		return cur, cur != nil, err
	}
	if b.Versioning == "" && id == nullVersion {
		return nil, false, nil
	}
	order, ok := orderOf(id)
	switch {
	case id == nullVersion:
		if order, err = nullOrder(r, b, key); err != nil || order == 0 {
			return nil, false, err
		}
	case !ok:
		return nil, false, invalidArgument.New("Invalid version id specified").
			With("ArgumentName", "versionId").With("ArgumentValue", id)
	}
	v, err = readVersion(r, versionKey(b.ID, key, order))
	if v != nil && v.ID != id {
		v = nil
	}
	return v, false, err
}

// nullOrder is the order of the null version where it is not the current one; 0 where there is none.
func nullOrder(r store.Reader, b *bucket, key string) (int64, error) {
	raw, err := r.Get(nullKey(b.ID, key))
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil || len(raw) != 8 {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(raw)), nil
}

// find reads the version that a request means, the current one where it names none. Where there is none, or it is
// a delete marker, it answers as S3 does.
func (s *Service) find(r store.Reader, b *bucket, key string, id *string) (*version, error) {
	if id == nil || *id == "" {
		v, err := s.current(r, b, key)
		if v != nil || err != nil {
			return v, err
		}
		return nil, s.noSuchKey(r, b, key)
	}
	v, _, err := s.lookup(r, b, key, *id)
	switch {
	case err != nil:
		return nil, err
	case v == nil:
		return nil, noSuchVersion.New("The specified version does not exist.").With("Key", key).With("VersionId", *id)
	case v.Marker:
		return nil, methodNotAllowed.New("The specified method is not allowed against this resource.").
			With("Method", "GET").With("ResourceType", "DeleteMarker").
			WithHeader("Allow", "DELETE").WithHeader("X-Amz-Delete-Marker", "true").
			WithHeader("X-Amz-Version-Id", v.ID).WithHeader("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
	}
	return v, nil
}

// noSuchKey is the answer where a key has no current version. It tells of the delete marker that hides it.
func (s *Service) noSuchKey(r store.Reader, b *bucket, key string) error {
	e := api.NoSuchKey.New("The specified key does not exist.").With("Key", key)
	if b.Versioning == "" {
		return e
	}
	marker, err := newest(r, b, key)
	if err != nil {
		return err
	}
	if marker != nil {
		e.WithHeader("X-Amz-Delete-Marker", "true").WithHeader("X-Amz-Version-Id", marker.ID)
	}
	return e
}

// replace writes a version whose record has changed back to where it is.
func (s *Service) replace(tx store.Tx, b *bucket, key string, v *version) error {
	cur, err := s.current(tx, b, key)
	if err != nil {
		return err
	}
	at := versionKey(b.ID, key, v.Order)
	if cur != nil && cur.Order == v.Order {
		at = objectKey(b.ID, key)
	}
	return tx.Set(at, v.encode(nil))
}

// put makes v the current version of a key, and says what becomes of the one before. It gives v its order, its id
// and its time.
func (s *Service) put(tx store.Tx, b *bucket, key string, cur, v *version) error {
	if err := s.date(tx, b, key, cur, v); err != nil {
		return err
	}
	if err := s.displace(tx, b, key, cur); err != nil {
		return err
	}
	return tx.Set(objectKey(b.ID, key), v.encode(nil))
}

// date gives a new version its order, which is above that of all versions before, its id and its time.
func (s *Service) date(r store.Reader, b *bucket, key string, cur, v *version) error {
	now := s.Clock()
	v.Modified = now.UTC().Truncate(time.Second)
	v.Order = now.UnixNano()
	last := cur
	if last == nil && b.Versioning != "" {
		var err error
		if last, err = newest(r, b, key); err != nil {
			return err
		}
	}
	if last != nil {
		v.Order = max(v.Order, last.Order+1)
	}
	v.ID = nullVersion
	if b.versioned() {
		v.ID = newVersionID(v.Order)
	}
	return nil
}

// displace makes room for a new version: the current one becomes an older one, or goes where the new one is the
// null version too.
func (s *Service) displace(tx store.Tx, b *bucket, key string, cur *version) error {
	if !b.versioned() {
		if cur != nil && cur.ID == nullVersion {
			return s.dropBody(tx, cur.Body)
		}
		if err := s.destroyNull(tx, b, key); err != nil {
			return err
		}
	}
	if cur == nil {
		return nil
	}
	return s.shelve(tx, b, key, cur)
}

// shelve keeps a version among the older ones.
func (s *Service) shelve(tx store.Tx, b *bucket, key string, v *version) error {
	if v.ID == nullVersion {
		if err := tx.Set(nullKey(b.ID, key), binary.BigEndian.AppendUint64(nil, uint64(v.Order))); err != nil {
			return err
		}
	}
	return tx.Set(versionKey(b.ID, key, v.Order), v.encode(nil))
}

// unshelve takes a version out from among the older ones.
func (s *Service) unshelve(tx store.Tx, b *bucket, key string, v *version) error {
	if v.ID == nullVersion {
		if err := tx.Delete(nullKey(b.ID, key)); err != nil {
			return err
		}
	}
	return tx.Delete(versionKey(b.ID, key, v.Order))
}

// destroyNull removes the null version among the older ones, if there is one.
func (s *Service) destroyNull(tx store.Tx, b *bucket, key string) error {
	if b.Versioning == "" {
		return nil
	}
	order, err := nullOrder(tx, b, key)
	if err != nil || order == 0 {
		return err
	}
	v, err := readVersion(tx, versionKey(b.ID, key, order))
	if err != nil || v == nil {
		return err
	}
	if err := s.unshelve(tx, b, key, v); err != nil {
		return err
	}
	return s.dropBody(tx, v.Body)
}

// mark makes a delete marker the newest version of a key. In a bucket that never had versioning it removes the
// object instead, and returns nil.
func (s *Service) mark(tx store.Tx, b *bucket, key string, cur *version) (*version, error) {
	if b.Versioning != "" {
		marker := &version{Marker: true}
		if err := s.date(tx, b, key, cur, marker); err != nil {
			return nil, err
		}
		if err := s.displace(tx, b, key, cur); err != nil {
			return nil, err
		}
		if err := s.shelve(tx, b, key, marker); err != nil {
			return nil, err
		}
		return marker, tx.Delete(objectKey(b.ID, key))
	}
	if cur == nil {
		return nil, nil
	}
	if err := tx.Delete(objectKey(b.ID, key)); err != nil {
		return nil, err
	}
	return nil, s.dropBody(tx, cur.Body)
}

// erase removes one version for good. Where it was the newest, the one before becomes the current one, unless that
// is a delete marker.
func (s *Service) erase(tx store.Tx, b *bucket, key string, v *version, isCurrent bool) error {
	if isCurrent {
		if err := tx.Delete(objectKey(b.ID, key)); err != nil {
			return err
		}
	} else if err := s.unshelve(tx, b, key, v); err != nil {
		return err
	}
	if err := s.dropBody(tx, v.Body); err != nil {
		return err
	}
	if !isCurrent && !v.Marker {
		return nil // an older one: what is current stays
	}
	if cur, err := s.current(tx, b, key); err != nil || cur != nil {
		return err
	}
	next, err := newest(tx, b, key)
	if err != nil || next == nil || next.Marker {
		return err
	}
	if err := s.unshelve(tx, b, key, next); err != nil {
		return err
	}
	return tx.Set(objectKey(b.ID, key), next.encode(nil))
}

// shownID is how a version's id is told: not at all in a bucket that never had versioning.
func (b *bucket) shownID(v *version) *string {
	if b.Versioning == "" {
		return nil
	}
	return &v.ID
}

// event makes an event of what happened to a version of a key.
func (b *bucket) event(name, key string, v *version, r *awsapi.Request) objectEvent {
	e := objectEvent{Name: name, Key: key, Size: v.Size, ETag: v.ETag, Sequencer: sequencer(v.Order), Request: r}
	if b.Versioning != "" {
		e.VersionID = v.ID
	}
	return e
}
