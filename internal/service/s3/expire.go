package s3

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/courier"
	"cirro/internal/store"
)

// Lifecycle rules take effect at midnight, UTC. So a bucket that has some is visited once a day, and when they change: a
// message that waits in a queue until then brings the next visit, and a bucket without rules costs nothing. Each visit
// reads the bucket in pages, and changes what is due in transactions of a bounded size, where it looks again.

// The queue of visits, and how much one page and one transaction hold.
const (
	visitQueue   = "s3/lifecycle"
	visitsAtOnce = 2
	visitPage    = 1000
	dueAtOnce    = 100
)

// visit is the next look at a bucket. It counts as long as the bucket has the rules that it was planned for.
type visit struct {
	Bucket, ID string
	Change     int64
}

// visitLater plans the next visit of a bucket.
func (s *Service) visitLater(tx store.Tx, b *bucket, delay time.Duration) error {
	_, err := tx.Enqueue(visitQueue, store.NewMessage{Body: []byte(compactJSON(visit{b.Name, b.ID, b.Configs[kindLifecycle]})), Delay: delay})
	return err
}

func (s *Service) makeVisits(ctx context.Context) {
	c := courier.Courier{Store: s.Store, Queue: visitQueue, AtOnce: visitsAtOnce, Handle: s.handleVisit, Log: s.Log}
	c.Run(ctx)
}

func (s *Service) handleVisit(ctx context.Context, m store.Message) courier.Verdict {
	var v visit
	if err := json.Unmarshal(m.Body, &v); err != nil {
		s.Log.Error("s3: a visit cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	if err := s.visit(ctx, v); err != nil {
		if ctx.Err() == nil {
			s.Log.Error("s3: lifecycle rules could not be carried out", "bucket", v.Bucket, "error", err)
		}
		return courier.Again(courier.Jitter(time.Minute))
	}
	return courier.Verdict{Then: func(tx store.Tx) error {
		b, err := s.visited(tx, v)
		if err != nil || b == nil {
			return err
		}
		now := s.Clock()
		return s.visitLater(tx, b, midnight(now.Add(1), 0).Sub(now))
	}}
}

// visited is the bucket of a visit, nil where it is gone or has other rules by now.
func (s *Service) visited(r store.Reader, v visit) (*bucket, error) {
	b, err := s.bucketOf(r, v.Bucket)
	if errors.Is(err, api.NoSuchBucket) || err == nil && (b.ID != v.ID || b.Configs[kindLifecycle] != v.Change) {
		return nil, nil
	}
	return b, err
}

// visit carries out all that is due in a bucket.
func (s *Service) visit(ctx context.Context, v visit) error {
	for _, walk := range []func(*round) error{(*round).objects, (*round).versions, (*round).uploads} {
		if err := walk(&round{ctx: ctx, s: s, visit: v}); err != nil {
			return err
		}
	}
	return nil
}

// round is one way through a bucket.
type round struct {
	ctx   context.Context
	s     *Service
	visit visit
}

// due is something that is to be done about a version, or an upload that is to be given up.
type due struct {
	upload  string
	key     string
	version *version
	class   string // to move to; "" to expire
	current bool
}

// page reads a page of a range with the rules that count now, and hands each key to f. It returns where to go on, nil
// at the end.
func (r *round) page(over store.Range, f func(v store.Reader, b *bucket, p *plan, kv store.KV) error) (next []byte, err error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	err = r.s.Store.View(r.ctx, func(v store.Reader) error {
		b, err := r.s.visited(v, r.visit)
		if err != nil || b == nil {
			return err
		}
		p, err := configOf(r.s, v, b, kindLifecycle, newPlan)
		if err != nil {
			return err
		}
		over.Limit = visitPage
		n := 0
		for kv, err := range v.Range(over) {
			if err != nil {
				return err
			}
			if err := f(v, b, p, kv); err != nil {
				return err
			}
			if n++; n == visitPage {
				next = over.After(kv.Key).Start
			}
		}
		return nil
	})
	return next, err
}

// each goes through a range in pages, carrying out after each what find found to be due.
func (r *round) each(over store.Range, find func(v store.Reader, b *bucket, p *plan, key string, kv store.KV) (*due, error)) error {
	for {
		var found []due
		next, err := r.page(over, func(v store.Reader, b *bucket, p *plan, kv store.KV) error {
			parts, err := store.Split(kv.Key)
			if err != nil {
				return err
			}
			d, err := find(v, b, p, parts[3].(string), kv)
			if d != nil {
				found = append(found, *d)
			}
			return err
		})
		if err != nil {
			return err
		}
		for len(found) > 0 {
			n := min(len(found), dueAtOnce)
			if err := r.carryOut(found[:n]); err != nil {
				return err
			}
			found = found[n:]
		}
		if next == nil {
			return nil
		}
		over.Start = next
	}
}

// objects goes through the current versions.
func (r *round) objects() error {
	return r.each(store.Prefix("s3", "object", r.visit.ID), func(_ store.Reader, _ *bucket, p *plan, key string, kv store.KV) (*due, error) {
		v, err := decodeVersion(kv.Value)
		if err != nil {
			return nil, err
		}
		now := r.s.Clock()
		if at, rule := p.expiry(key, v); rule != nil && !at.After(now) {
			return &due{key: key, version: v, current: true}, nil
		}
		if class := p.class(key, v, true, 0, v.Modified, now); class != v.Class {
			return &due{key: key, version: v, class: class, current: true}, nil
		}
		return nil, nil
	})
}

// versions goes through the older versions and the delete markers: of each key from the newest on.
func (r *round) versions() error {
	var key string
	var since time.Time // when the version at hand was replaced by the one before
	newer := 0          // versions of the key that are not current, and newer
	first := true
	return r.each(store.Prefix("s3", "version", r.visit.ID), func(view store.Reader, b *bucket, p *plan, at string, kv store.KV) (*due, error) {
		v, err := decodeVersion(kv.Value)
		if err != nil {
			return nil, err
		}
		if first || at != key {
			first, key, newer, since = false, at, 0, time.Time{}
			cur, err := r.s.current(view, b, key)
			if err != nil {
				return nil, err
			}
			if cur == nil { // the newest of them hides the object: it is the current one
				since = v.Modified
				return r.marker(view, b, p, key, v)
			}
			since = cur.Modified
		}
		d := p.outdated(key, v, newer, since, r.s.Clock())
		newer, since = newer+1, v.Modified
		return d, nil
	})
}

// outdated is what is due about a version that is not the current one.
func (p *plan) outdated(key string, v *version, newer int, since, now time.Time) *due {
	for i := range p.rules {
		n := p.rules[i].NoncurrentVersionExpiration
		if n == nil || !p.rules[i].filter.includes(key, v) || newer < int(awsapi.Val(n.NewerNoncurrentVersions)) {
			continue
		}
		if !midnight(since, *n.NoncurrentDays).After(now) {
			return &due{key: key, version: v}
		}
	}
	if v.Marker {
		return nil
	}
	if class := p.class(key, v, false, newer, since, now); class != v.Class {
		return &due{key: key, version: v, class: class}
	}
	return nil
}

// marker is what is due about a delete marker that hides an object: it goes where there is nothing left to hide.
func (r *round) marker(view store.Reader, b *bucket, p *plan, key string, v *version) (*due, error) {
	if !v.Marker {
		return nil, nil
	}
	over := store.Prefix("s3", "version", b.ID, key)
	over.Limit = 2
	n := 0
	for _, err := range view.Range(over) {
		if err != nil {
			return nil, err
		}
		n++
	}
	if n > 1 {
		return nil, nil
	}
	for i := range p.rules {
		e := p.rules[i].Expiration
		if e == nil || !p.rules[i].filter.includes(key, v) {
			continue
		}
		if awsapi.Val(e.ExpiredObjectDeleteMarker) || e.Days != nil && !midnight(v.Modified, *e.Days).After(r.s.Clock()) {
			return &due{key: key, version: v}, nil
		}
	}
	return nil, nil
}

// carryOut does what is due in one transaction, as far as it is still due.
func (r *round) carryOut(all []due) error {
	return r.s.Store.Update(r.ctx, func(tx store.Tx) error {
		b, err := r.s.visited(tx, r.visit)
		if err != nil || b == nil {
			return err
		}
		for i := range all {
			if err := r.s.carryOut(tx, b, &all[i]); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Service) carryOut(tx store.Tx, b *bucket, d *due) error {
	if d.upload != "" {
		_, err := s.uploadOf(tx, b, d.key, d.upload)
		if errors.Is(err, api.NoSuchUpload) {
			return nil
		}
		if err != nil {
			return err
		}
		return s.endUpload(tx, b.ID, d.key, d.upload)
	}
	v, isCurrent, err := s.lookup(tx, b, d.key, d.version.ID)
	if b.Versioning == "" {
		v, err = s.current(tx, b, d.key)
		isCurrent = v != nil
	}
	if err != nil || v == nil || v.Order != d.version.Order || isCurrent != d.current {
		return err // something happened to it meanwhile
	}
	switch {
	case d.class != "":
		v.Class = d.class
		if err := s.replace(tx, b, d.key, v); err != nil {
			return err
		}
		return s.notify(tx, b, b.event("LifecycleTransition", d.key, v, nil))
	case d.current:
		return s.expireCurrent(tx, b, d.key, v)
	}
	if s.lockCheck(b, d.key, v, false) != nil {
		return nil // it is due again tomorrow
	}
	if err := s.erase(tx, b, d.key, v, false); err != nil {
		return err
	}
	e := s.removal(b, d.key, v, nil)
	e.Name = "LifecycleExpiration:Delete"
	return s.notify(tx, b, e)
}

// expireCurrent removes an object, or hides it behind a delete marker where the bucket has versions.
func (s *Service) expireCurrent(tx store.Tx, b *bucket, key string, v *version) error {
	marker, err := s.mark(tx, b, key, v)
	if err != nil {
		return err
	}
	e := s.removal(b, key, v, nil)
	e.Name = "LifecycleExpiration:Delete"
	if marker != nil {
		e = b.event("LifecycleExpiration:DeleteMarkerCreated", key, marker, nil)
	}
	return s.notify(tx, b, e)
}

// uploads gives up multipart uploads that were begun long ago.
func (r *round) uploads() error {
	return r.each(store.Prefix("s3", "upload", r.visit.ID), func(_ store.Reader, _ *bucket, p *plan, key string, kv store.KV) (*due, error) {
		u, err := decodeUpload(kv.Value)
		if err != nil {
			return nil, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil || !p.abandons(key, u, r.s.Clock()) {
			return nil, err
		}
		return &due{key: key, upload: parts[4].(string)}, nil
	})
}

// abandons reports whether an upload was begun long enough ago to be given up.
func (p *plan) abandons(key string, u *upload, now time.Time) bool {
	for i := range p.rules {
		a := p.rules[i].AbortIncompleteMultipartUpload
		if a != nil && strings.HasPrefix(key, p.rules[i].filter.prefix) && !midnight(u.Initiated, *a.DaysAfterInitiation).After(now) {
			return true
		}
	}
	return false
}
