package dynamodb

import (
	"context"
	"errors"
	"slices"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// portion is how many items one transaction of the background handles.
const portion = 256

// progressKey is where a walk over a table's items has come.
func progressKey(id, walk string) []byte { return store.Key("dynamodb", "progress", id, walk) }

// walk calls f for each item of a table, in transactions of a portion each, from where the walk of that name was
// left. Those who write meanwhile must themselves do what f does.
func (s *Service) walk(ctx context.Context, ref table.Ref, name string, f func(*table.Table, store.Tx, table.Key, item.Item) error) error {
	for {
		more, err := s.walkPortion(ctx, ref, name, f)
		if errors.Is(err, table.ErrChanged) {
			s.catalog.Forget(ref)
			continue
		}
		if err != nil || !more {
			return err
		}
	}
}

func (s *Service) walkPortion(ctx context.Context, ref table.Ref, name string, f func(*table.Table, store.Tx, table.Key, item.Item) error) (more bool, err error) {
	t, err := s.catalog.Use(ctx, ref)
	if err != nil {
		return false, err
	}
	defer t.End()
	progress := progressKey(*t.API.TableId, name)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		more = false
		if err := t.Check(tx); err != nil {
			return err
		}
		after, err := tx.Get(progress)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		items, err := t.Portion(tx, after, portion)
		if err != nil || len(items) == 0 {
			return err
		}
		for _, e := range items {
			if err := f(t.Table, tx, e.Key, e.Item); err != nil {
				return err
			}
		}
		more = len(items) == portion
		return tx.Set(progress, items[len(items)-1].Key)
	})
	return more, err
}

// buildIndex fills an index with the items that were there before it, and lets it be read.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.html
func (s *Service) buildIndex(ctx context.Context, ref table.Ref, name string) error {
	err := s.walk(ctx, ref, name, func(t *table.Table, tx store.Tx, k table.Key, it item.Item) error {
		if x := t.Index(name); x != nil && x.Writable {
			return x.Fill(tx, k, it)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.changeIndex(ctx, ref, name, func(tx store.Tx, r *table.Record, i int) error {
		x := &r.API.GlobalSecondaryIndexes[i]
		if *x.IndexStatus == api.IndexStatusCreating {
			x.IndexStatus, x.Backfilling = new(api.IndexStatusActive), nil
		}
		return tx.Delete(progressKey(*r.API.TableId, name))
	})
}

// removeIndex removes an index and its entries.
func (s *Service) removeIndex(ctx context.Context, ref table.Ref, name string) error {
	return s.changeIndex(ctx, ref, name, func(tx store.Tx, r *table.Record, i int) error {
		t, err := table.New(r)
		if err != nil {
			return err
		}
		if err := t.ClearIndex(tx, t.Index(name)); err != nil {
			return err
		}
		r.API.GlobalSecondaryIndexes = slices.Delete(r.API.GlobalSecondaryIndexes, i, i+1)
		if len(r.API.GlobalSecondaryIndexes) == 0 {
			r.API.GlobalSecondaryIndexes = nil
		}
		delete(r.Numbers, name)
		dropDefinitions(r)
		return tx.Delete(progressKey(*r.API.TableId, name))
	})
}

// changeIndex changes a table's global index, if it is there.
func (s *Service) changeIndex(ctx context.Context, ref table.Ref, name string, f func(store.Tx, *table.Record, int) error) error {
	return s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, nil
		}
		i := globalIndex(r, name)
		if i < 0 {
			return r, nil
		}
		return r, f(tx, r, i)
	})
}

func globalIndex(r *table.Record, name string) int {
	return slices.IndexFunc(r.API.GlobalSecondaryIndexes, func(x api.GlobalSecondaryIndexDescription) bool { return *x.IndexName == name })
}

// dropDefinitions drops the definitions of attributes that are no key any more.
func dropDefinitions(r *table.Record) {
	used := names(r.API.KeySchema)
	for _, x := range r.API.LocalSecondaryIndexes {
		used = append(used, names(x.KeySchema)...)
	}
	for _, x := range r.API.GlobalSecondaryIndexes {
		used = append(used, names(x.KeySchema)...)
	}
	r.API.AttributeDefinitions = slices.DeleteFunc(r.API.AttributeDefinitions, func(a api.AttributeDefinition) bool {
		return !slices.Contains(used, *a.AttributeName)
	})
}
