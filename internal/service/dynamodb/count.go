package dynamodb

import (
	"context"
	"time"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

const (
	// countInterval is how often the items of a table are counted, as on AWS.
	// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
	countInterval = 6 * time.Hour
	// countAtOnce is how many stored bytes are counted for a description, so that small tables have exact ones.
	countAtOnce = 256 << 10
)

// size is a number of items and their bytes.
type size struct{ Items, Bytes int64 }

// counts are what a table and its indexes, by their names, held when they were counted.
type counts struct {
	Table   size
	Indexes map[string]size
	At      time.Time
}

func countKey(r *table.Record) []byte { return store.Key("dynamodb", "count", *r.API.TableId) }

// countTable counts a table and its indexes, up to a limit; see table.Count.
func countTable(r store.Reader, t *table.Table, limit int) (c counts, whole bool, err error) {
	c.Indexes = map[string]size{}
	if c.Table.Items, c.Table.Bytes, whole, err = t.Count(r, nil, limit); err != nil || !whole {
		return c, whole, err
	}
	for _, x := range t.Indexes {
		var of size
		if of.Items, of.Bytes, whole, err = t.Count(r, x, limit); err != nil || !whole {
			return c, whole, err
		}
		c.Indexes[x.Name] = of
	}
	return c, true, nil
}

// counted returns what to say of a table: what it holds, or, where it is large, what it held when it was counted.
func (s *Service) counted(ctx context.Context, t *table.Table) (c counts, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		now, whole, err := countTable(r, t, countAtOnce)
		if err != nil || whole {
			c = now
			return err
		}
		c, _, err = store.GetRecord[counts](r, countKey(t.Record))
		return err
	})
	return c, err
}

// tell sets the counts in a description, which is not the table's own.
func (c *counts) tell(d *api.TableDescription) {
	d.ItemCount, d.TableSizeBytes = &c.Table.Items, &c.Table.Bytes
	d.LocalSecondaryIndexes = append([]api.LocalSecondaryIndexDescription(nil), d.LocalSecondaryIndexes...)
	for i := range d.LocalSecondaryIndexes {
		x := &d.LocalSecondaryIndexes[i]
		of := c.Indexes[*x.IndexName]
		x.ItemCount, x.IndexSizeBytes = &of.Items, &of.Bytes
	}
	d.GlobalSecondaryIndexes = append([]api.GlobalSecondaryIndexDescription(nil), d.GlobalSecondaryIndexes...)
	for i := range d.GlobalSecondaryIndexes {
		x := &d.GlobalSecondaryIndexes[i]
		of := c.Indexes[*x.IndexName]
		x.ItemCount, x.IndexSizeBytes = &of.Items, &of.Bytes
	}
}

// countLarge counts the tables that are too large to be counted when they are described.
func (s *Service) countLarge(ctx context.Context) {
	var tables []*table.Table
	err := s.Store.View(ctx, func(r store.Reader) error {
		for record, err := range store.Records[table.Record](r, store.Prefix("dynamodb", "table")) {
			if err != nil {
				return err
			}
			t, err := table.New(&record)
			if err != nil {
				return err
			}
			tables = append(tables, t)
		}
		return nil
	})
	for i := 0; i < len(tables) && err == nil; i++ {
		err = s.countOne(ctx, tables[i])
	}
	s.complain(err, "tables that are counted")
}

func (s *Service) countOne(ctx context.Context, t *table.Table) error {
	var c counts
	now := s.Clock().UTC()
	large := false
	err := s.Store.View(ctx, func(r store.Reader) error {
		was, known, err := store.GetRecord[counts](r, countKey(t.Record))
		if err != nil || known && now.Sub(was.At) < countInterval {
			return err
		}
		_, whole, err := countTable(r, t, countAtOnce)
		if err != nil || whole {
			return err
		}
		large = true
		c, _, err = countTable(r, t, 0)
		return err
	})
	if err != nil || !large {
		return err
	}
	c.At = now
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if _, found, err := store.GetRecord[table.Record](tx, t.Key()); err != nil || !found {
			return err
		}
		return store.SetRecord(tx, countKey(t.Record), c)
	})
}
