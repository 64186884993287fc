package dynamodb

import (
	"context"
	"errors"
	"time"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// expiryInterval is how often items are looked for whose time has come, unless Deps say otherwise. AWS takes up to
// a few days.
const expiryInterval = 5 * time.Second

// UpdateTimeToLive switches time to live on, for one attribute, or off. AWS refuses a second change within an hour;
// there is no need for that here.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html
func (s *Service) UpdateTimeToLive(ctx context.Context, in *api.UpdateTimeToLiveInput) (*api.UpdateTimeToLiveOutput, error) {
	ref, err := refOf(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	enable, name := *in.TimeToLiveSpecification.Enabled, *in.TimeToLiveSpecification.AttributeName
	err = s.changeActive(ctx, ref, func(tx store.Tx, r *table.Record) error {
		is := r.TimeToLive
		switch {
		case enable && is != nil && is.Attribute == name:
			return invalid("TimeToLive is already enabled")
		case enable && is != nil, !enable && is != nil && is.Attribute != name:
			return invalid("TimeToLive is active on a different AttributeName: current AttributeName is %s", is.Attribute)
		case !enable && is == nil:
			return invalid("TimeToLive is already disabled")
		case enable:
			r.TimeToLive = &table.TimeToLive{Attribute: name}
			return errors.Join(tx.Delete(progressKey(*r.API.TableId, expiryWalk)), tx.Set(workKey(ref), nil))
		}
		t, err := table.New(r)
		if err != nil {
			return err
		}
		err = t.ClearExpiry(tx)
		r.TimeToLive = nil
		return err
	})
	if err != nil {
		return nil, err
	}
	s.workers.begin(ref, s.work)
	return &api.UpdateTimeToLiveOutput{TimeToLiveSpecification: in.TimeToLiveSpecification}, nil
}

// DescribeTimeToLive tells whether time to live is on.
func (s *Service) DescribeTimeToLive(ctx context.Context, in *api.DescribeTimeToLiveInput) (*api.DescribeTimeToLiveOutput, error) {
	t, err := s.describe(ctx, in.TableName)
	if err != nil {
		return nil, err
	}
	d := &api.TimeToLiveDescription{TimeToLiveStatus: new(api.TimeToLiveStatusDisabled)}
	if is := t.TimeToLive; is != nil {
		d.AttributeName = &is.Attribute
		d.TimeToLiveStatus = new(api.TimeToLiveStatusEnabling)
		if is.Ready {
			d.TimeToLiveStatus = new(api.TimeToLiveStatusEnabled)
		}
	}
	return &api.DescribeTimeToLiveOutput{TimeToLiveDescription: d}, nil
}

// expiryWalk is the walk over the items that were there before time to live was switched on.
const expiryWalk = "\x00expiry"

// learnExpiries notes when the time comes of the items that were there before.
func (s *Service) learnExpiries(ctx context.Context, ref table.Ref) error {
	err := s.walk(ctx, ref, expiryWalk, func(t *table.Table, tx store.Tx, k table.Key, it item.Item) error {
		return t.FillExpiry(tx, k, it)
	})
	if err != nil {
		return err
	}
	return s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil || r.TimeToLive == nil {
			return r, nil
		}
		r.TimeToLive.Ready = true
		return r, tx.Delete(progressKey(*r.API.TableId, expiryWalk))
	})
}

// expire deletes the items of all tables whose time has come.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
func (s *Service) expire(ctx context.Context) {
	var refs []table.Ref
	err := s.Store.View(ctx, func(r store.Reader) error {
		for record, err := range store.Records[table.Record](r, store.Prefix("dynamodb", "table")) {
			if err != nil {
				return err
			}
			if record.TimeToLive != nil {
				refs = append(refs, record.Ref)
			}
		}
		return nil
	})
	s.complain(err, "tables with a time to live")
	for _, ref := range refs {
		for more := true; more && err == nil && ctx.Err() == nil; {
			more, err = s.expirePortion(ctx, ref)
		}
		if !errors.Is(err, table.ErrNotFound) {
			s.complain(err, "time to live of table "+ref.Name)
		}
		err = nil
	}
}

func (s *Service) expirePortion(ctx context.Context, ref table.Ref) (more bool, err error) {
	t, err := s.catalog.Use(ctx, ref)
	if err != nil {
		return false, err
	}
	defer t.End()
	if t.TimeToLive == nil {
		return false, nil
	}
	now := s.Clock()
	var due []table.Key
	if err := s.Store.View(ctx, func(r store.Reader) (err error) {
		due, err = t.Expired(r, now, portion)
		return err
	}); err != nil || len(due) == 0 {
		return false, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := t.Check(tx); err != nil {
			return err
		}
		for _, k := range due {
			it, err := t.Get(tx, k)
			if err != nil {
				return err
			}
			if at, ok := t.ExpiresAt(it); !ok || at > now.Unix() {
				continue // changed meanwhile
			}
			if err := t.Expire(tx, k, it); err != nil {
				return err
			}
		}
		return nil
	})
	return len(due) == portion, err
}
