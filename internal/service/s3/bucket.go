package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"encoding/json"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// bucket is a bucket's record. It is shared by all who read the same: whoever changes one copies it.
type bucket struct {
	Name       string
	ID         string // of this bucket alone: one made later under the same name has another
	Account    string
	Region     string
	Created    time.Time
	Versioning string `json:",omitempty"` // "" for never, Enabled, Suspended
	ObjectLock bool   `json:",omitempty"`
	// Configs says which configurations the bucket has, by kind, with a number that every change raises: most
	// buckets have none, and nobody needs to look for them.
	Configs map[string]int64 `json:",omitempty"`
	Changes int64            `json:",omitempty"` // of configurations so far
}

// versioned reports whether new versions get ids of their own.
func (b *bucket) versioned() bool { return b.Versioning == api.BucketVersioningStatusEnabled }

func (b *bucket) arn() string { return "arn:aws:s3:::" + b.Name }

// memo keeps what was made of a record's bytes: reading the same bytes again means the same.
type memo struct {
	mu   sync.RWMutex
	made map[string]memoized
}

type memoized struct {
	raw    []byte
	bucket *bucket
}

const maxMemo = 1024

func (m *memo) get(name string, raw []byte) *bucket {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if had, ok := m.made[name]; ok && bytes.Equal(had.raw, raw) {
		return had.bucket
	}
	return nil
}

func (m *memo) put(name string, raw []byte, b *bucket) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil || len(m.made) >= maxMemo {
		m.made = map[string]memoized{}
	}
	m.made[name] = memoized{raw, b}
}

// bucketOf reads a bucket's record, or answers NoSuchBucket.
func (s *Service) bucketOf(r store.Reader, name string) (*bucket, error) {
	raw, err := r.Get(bucketKey(name))
	if errors.Is(err, store.ErrNotFound) {
		return nil, api.NoSuchBucket.New("The specified bucket does not exist").With("BucketName", name)
	}
	if err != nil {
		return nil, err
	}
	if b := s.memo.get(name, raw); b != nil {
		return b, nil
	}
	b := &bucket{}
	if err := json.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("s3: the record of bucket %s: %w", name, err)
	}
	s.memo.put(name, raw, b)
	return b, nil
}

// access reads the bucket that a request names, for whoever makes the request: it must have the owner that is
// expected, if any, and the request be allowed to do the action ("s3:GetObject") there, to the key where the
// action has one.
func (s *Service) access(ctx context.Context, r store.Reader, name string, owner *string, action, key string) (*bucket, error) {
	b, err := s.bucketOf(r, name)
	if err != nil {
		return nil, err
	}
	if err := b.belongsTo(owner); err != nil {
		return nil, err
	}
	return b, s.authorize(ctx, r, b, action, key)
}

// belongsTo refuses a request that expects another owner.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
func (b *bucket) belongsTo(owner *string) error {
	if owner != nil && *owner != b.Account {
		return accessDenied.New("Access Denied")
	}
	return nil
}

// setBucket writes a changed record.
func (s *Service) setBucket(tx store.Tx, b *bucket) error {
	return store.SetRecord(tx, bucketKey(b.Name), b)
}

// getConfig reads a bucket's configuration of a kind into what into points to, and reports whether there is one.
func (s *Service) getConfig(r store.Reader, b *bucket, kind string, into any) (bool, error) {
	if _, has := b.Configs[kind]; !has {
		return false, nil
	}
	raw, err := r.Get(configKey(b.ID, kind))
	if err != nil {
		return false, err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return false, fmt.Errorf("s3: configuration %s of %s: %w", kind, b.Name, err)
	}
	return true, nil
}

// setConfig writes a bucket's configuration of a kind, and returns the bucket as it is then.
func (s *Service) setConfig(tx store.Tx, b *bucket, kind string, config any) (*bucket, error) {
	b = b.changed()
	b.Configs[kind] = b.Changes
	if err := store.SetRecord(tx, configKey(b.ID, kind), config); err != nil {
		return nil, err
	}
	return b, s.setBucket(tx, b)
}

// deleteConfig removes a bucket's configuration of a kind; one that is not there is no error.
func (s *Service) deleteConfig(tx store.Tx, b *bucket, kind string) (*bucket, error) {
	if _, has := b.Configs[kind]; !has {
		return b, nil
	}
	b = b.changed()
	delete(b.Configs, kind)
	if err := tx.Delete(configKey(b.ID, kind)); err != nil {
		return nil, err
	}
	return b, s.setBucket(tx, b)
}

// changed returns a copy to change a configuration of.
func (b *bucket) changed() *bucket {
	c := *b
	c.Changes++
	c.Configs = make(map[string]int64, len(b.Configs)+1)
	for kind, n := range b.Configs {
		c.Configs[kind] = n
	}
	return &c
}

// request is the request that ctx belongs to, or nil for work in the background.
func request(ctx context.Context) *awsapi.Request {
	r, _ := awsapi.LookupRequest(ctx)
	return r
}
