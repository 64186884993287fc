package dynamodb

import (
	"context"
	"errors"
	"slices"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// copyTable makes the copy of a backup, in one go from one snapshot: after a restart, from a new one.
func (s *Service) copyTable(ctx context.Context, r *table.Record, id string) error {
	t, err := table.New(r)
	if err != nil {
		return err
	}
	to := copyOf(id)
	if err := s.Store.Update(ctx, to.Clear); err != nil {
		return err
	}
	var bytes, items int64
	err = s.Store.View(ctx, func(reader store.Reader) error {
		w := s.batch(ctx, to.Save)
		err := t.Each(reader, func(e table.Entry) error {
			bytes, items = bytes+int64(e.Item.Size()), items+1
			return w.add(e)
		})
		return errors.Join(err, w.flush())
	})
	if err != nil {
		return err
	}
	return s.catalog.Change(ctx, r.Ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, nil
		}
		r.Backups = slices.DeleteFunc(slices.Clone(r.Backups), func(one string) bool { return one == id })
		b, found, err := store.GetRecord[backup](tx, backupKey(r.Ref, id))
		if err != nil || !found {
			return r, err
		}
		b.Status, b.Bytes, b.Items = api.BackupStatusAvailable, bytes, items
		return r, store.SetRecord(tx, backupKey(r.Ref, id), b)
	})
}

// batch writes entries in transactions of a portion each.
func (s *Service) batch(ctx context.Context, write func(store.Tx, table.Entry) error) *entryBatch {
	return &entryBatch{ctx: ctx, store: s.Store, write: write}
}

type entryBatch struct {
	ctx     context.Context
	store   store.Store
	write   func(store.Tx, table.Entry) error
	entries []table.Entry
}

func (b *entryBatch) add(e table.Entry) error {
	if b.entries = append(b.entries, e); len(b.entries) < portion {
		return nil
	}
	return b.flush()
}

func (b *entryBatch) flush() error {
	if len(b.entries) == 0 {
		return nil
	}
	err := b.store.Update(b.ctx, func(tx store.Tx) error {
		for _, e := range b.entries {
			if err := b.write(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	b.entries = b.entries[:0]
	return err
}
