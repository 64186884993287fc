package eventbridge

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"
	"cirro/internal/target"

	"github.com/google/uuid"
)

// archive is the record of an archive. Its events lie under a name of their own, by their time, so that
// another archive of the same name begins empty.
type archive struct {
	Name        string
	Place       place
	Bus         string
	UID         string
	Description *string `json:",omitempty"`
	Pattern     *string `json:",omitempty"`
	KmsKey      *string `json:",omitempty"`
	Retention   int32   // days; 0 for ever
	Created     time.Time
}

func (p place) archiveKey(name string) []byte { return p.key("archive", name) }

func (a *archive) arn() string { return a.Place.arn("archive/" + a.Name) }

// kept are the archive's events; before, where not zero, bounds them.
func (a *archive) kept(before time.Time) store.Range {
	r := a.Place.all("archived", a.UID)
	if !before.IsZero() {
		r.End = a.Place.key("archived", a.UID, before.UnixNano())
	}
	return r
}

// tally counts what an archive holds. It is kept in shards, so that events that are archived at the same time
// do not wait for each other.
type tally struct{ Events, Bytes int64 }

const shards = 16

func (a *archive) shardKey(shard int) []byte { return a.Place.key("archivetally", a.UID, shard) }

func (a *archive) count(tx store.Tx, shard int, by tally) error {
	t, _, err := store.GetRecord[tally](tx, a.shardKey(shard))
	if err != nil {
		return err
	}
	return store.SetRecord(tx, a.shardKey(shard), tally{t.Events + by.Events, t.Bytes + by.Bytes})
}

func (a *archive) tally(r store.Reader) (sum tally, err error) {
	for t, err := range store.Records[tally](r, a.Place.all("archivetally", a.UID)) {
		if err != nil {
			return sum, err
		}
		sum.Events, sum.Bytes = sum.Events+t.Events, sum.Bytes+t.Bytes
	}
	return sum, nil
}

// keep archives an event in the transaction that takes it.
func (a *archive) keep(tx store.Tx, p *parcel) error {
	if err := tx.Set(a.Place.key("archived", a.UID, p.Time.UnixNano(), p.ID), p.event); err != nil {
		return err
	}
	return a.count(tx, rand.IntN(shards), tally{1, int64(len(p.event))})
}

func getArchive(r store.Reader, at place, name string) (archive, error) {
	a, found, err := store.GetRecord[archive](r, at.archiveKey(name))
	if err == nil && !found {
		err = api.ResourceNotFoundException.New("Archive %s does not exist.", name)
	}
	return a, err
}

// CreateArchive makes an archive of a bus's events.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateArchive.html
func (s *Service) CreateArchive(ctx context.Context, in *api.CreateArchiveRequest) (*api.CreateArchiveResponse, error) {
	at := placeOf(ctx)
	ref, ok := parseBus(*in.EventSourceArn)
	if !ok {
		return nil, invalid("Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN.")
	}
	if in.EventPattern != nil {
		if _, err := compile(*in.EventPattern); err != nil {
			return nil, err
		}
	}
	a := archive{Name: *in.ArchiveName, Place: at, Bus: ref.Name, UID: uuid.NewString(), Description: in.Description, Pattern: nonEmpty(in.EventPattern),
		KmsKey: in.KmsKeyIdentifier, Retention: awsapi.Val(in.RetentionDays), Created: s.Clock()}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := getBus(tx, ref); err != nil || ref.place != at {
			if err == nil {
				err = api.ResourceNotFoundException.New("Event bus %s does not exist.", ref.Name)
			}
			return err
		}
		_, found, err := store.GetRecord[archive](tx, at.archiveKey(a.Name))
		if err != nil {
			return err
		}
		if found {
			return api.ResourceAlreadyExistsException.New("Archive %s already exists.", a.Name)
		}
		if err := store.SetRecord(tx, at.archiveKey(a.Name), a); err != nil {
			return err
		}
		return touch(tx, ref)
	})
	return &api.CreateArchiveResponse{ArchiveArn: new(a.arn()), State: new(api.ArchiveStateEnabled), CreationTime: &a.Created}, err
}

// UpdateArchive changes what an archive keeps, and for how long.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateArchive.html
func (s *Service) UpdateArchive(ctx context.Context, in *api.UpdateArchiveRequest) (*api.UpdateArchiveResponse, error) {
	at := placeOf(ctx)
	if in.EventPattern != nil {
		if _, err := compile(*in.EventPattern); err != nil {
			return nil, err
		}
	}
	var a archive
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if a, err = getArchive(tx, at, *in.ArchiveName); err != nil {
			return err
		}
		if in.Description != nil {
			a.Description = in.Description
		}
		if in.EventPattern != nil {
			a.Pattern = nonEmpty(in.EventPattern)
		}
		if in.RetentionDays != nil {
			a.Retention = *in.RetentionDays
		}
		if in.KmsKeyIdentifier != nil {
			a.KmsKey = in.KmsKeyIdentifier
		}
		if err := store.SetRecord(tx, at.archiveKey(a.Name), a); err != nil {
			return err
		}
		return touch(tx, busRef{at, a.Bus})
	})
	return &api.UpdateArchiveResponse{ArchiveArn: new(a.arn()), State: new(api.ArchiveStateEnabled), CreationTime: &a.Created}, err
}

// DeleteArchive deletes an archive and the events in it.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteArchive.html
func (s *Service) DeleteArchive(ctx context.Context, in *api.DeleteArchiveRequest) (*api.DeleteArchiveResponse, error) {
	at := placeOf(ctx)
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := getArchive(tx, at, *in.ArchiveName)
		if err != nil {
			return err
		}
		for _, r := range []store.Range{a.kept(time.Time{}), at.all("archivetally", a.UID)} {
			if err := tx.DeleteRange(r.Start, r.End); err != nil {
				return err
			}
		}
		if err := tx.Delete(at.archiveKey(a.Name)); err != nil {
			return err
		}
		return touch(tx, busRef{at, a.Bus})
	})
}

// DescribeArchive describes an archive.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeArchive.html
func (s *Service) DescribeArchive(ctx context.Context, in *api.DescribeArchiveRequest) (*api.DescribeArchiveResponse, error) {
	at := placeOf(ctx)
	var a archive
	var sum tally
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		if a, err = getArchive(r, at, *in.ArchiveName); err == nil {
			sum, err = a.tally(r)
		}
		return err
	})
	return &api.DescribeArchiveResponse{ArchiveArn: new(a.arn()), ArchiveName: &a.Name, EventSourceArn: new(busRef{at, a.Bus}.arn()),
		Description: a.Description, EventPattern: a.Pattern, State: new(api.ArchiveStateEnabled), RetentionDays: &a.Retention, SizeBytes: &sum.Bytes,
		EventCount: &sum.Events, CreationTime: &a.Created, KmsKeyIdentifier: a.KmsKey}, err
}

// ListArchives lists archives, all or those that one filter wants.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListArchives.html
func (s *Service) ListArchives(ctx context.Context, in *api.ListArchivesRequest) (*api.ListArchivesResponse, error) {
	at := placeOf(ctx)
	if !atMostOne(in.NamePrefix, in.EventSourceArn, in.State) {
		return nil, invalid("At most one filter is allowed for ListArchives. Use either : State, EventSourceArn, or NamePrefix.")
	}
	out := &api.ListArchivesResponse{Archives: []api.Archive{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		var of busRef
		if in.EventSourceArn != nil {
			of, _ = parseBus(*in.EventSourceArn)
			if of.Name == "" {
				of.Name = lastPart(*in.EventSourceArn)
			}
			if _, err := getBus(r, busRef{at, of.Name}); err != nil {
				return err
			}
		}
		archives, next, err := page(r, at.all("archive"), in.NextToken, in.Limit, func(a *archive) bool {
			return strings.HasPrefix(a.Name, awsapi.Val(in.NamePrefix)) && (of.Name == "" || a.Bus == of.Name) &&
				(in.State == nil || *in.State == api.ArchiveStateEnabled)
		})
		if err != nil {
			return err
		}
		out.NextToken = next
		for _, a := range archives {
			sum, err := a.tally(r)
			if err != nil {
				return err
			}
			out.Archives = append(out.Archives, api.Archive{ArchiveName: &a.Name, EventSourceArn: new(busRef{at, a.Bus}.arn()), State: new(api.ArchiveStateEnabled),
				RetentionDays: &a.Retention, SizeBytes: &sum.Bytes, EventCount: &sum.Events, CreationTime: &a.Created})
		}
		return nil
	})
	return out, err
}

func atMostOne(filters ...*string) bool {
	given := 0
	for _, f := range filters {
		if f != nil {
			given++
		}
	}
	return given <= 1
}

// lastPart is what comes behind the last slash.
func lastPart(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// archiveOf takes an archive's name from its ARN.
func archiveOf(arn string) (at place, name string, ok bool) {
	a, ok := target.ParseARN(arn)
	name, isArchive := strings.CutPrefix(a.Resource, "archive/")
	return place{a.Account, a.Region}, name, ok && a.Service == "events" && isArchive
}

// How often archives are looked through for events that have been there for long enough, and how many are
// taken away in one transaction.
const (
	expiryInterval = time.Minute
	expiryBatch    = 1000
)

// expire takes away what archives are to keep no longer, again and again until ctx ends.
func (s *Service) expire(ctx context.Context) {
	t := time.NewTicker(expiryInterval)
	defer t.Stop()
	for {
		if err := s.expireAll(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("eventbridge: expire archived events", "error", err)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Service) expireAll(ctx context.Context) error {
	var all []archive
	err := s.Store.View(ctx, func(r store.Reader) error {
		for a, err := range store.Records[archive](r, store.Prefix("events", "archive")) {
			if err != nil {
				return err
			}
			if a.Retention > 0 {
				all = append(all, a)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range all {
		for more := true; more; {
			if more, err = s.expireSome(ctx, &all[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// expireSome takes away the oldest events whose time is over; more says that there are others.
func (s *Service) expireSome(ctx context.Context, a *archive) (more bool, err error) {
	old := a.kept(s.Clock().Add(-time.Duration(a.Retention) * 24 * time.Hour))
	old.Limit = expiryBatch
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var sum tally
		var last []byte
		for kv, err := range tx.Range(old) {
			if err != nil {
				return err
			}
			sum.Events, sum.Bytes = sum.Events-1, sum.Bytes-int64(len(kv.Value))
			last = append(last[:0], kv.Key...)
		}
		more = sum.Events == -expiryBatch
		if last == nil {
			return nil
		}
		if err := tx.DeleteRange(old.Start, append(last, 0)); err != nil {
			return err
		}
		return a.count(tx, 0, sum)
	})
	return more, err
}
