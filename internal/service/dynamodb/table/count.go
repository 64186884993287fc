package table

import (
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/store"
)

// Count counts the items of a table, or of an index where x is not nil, and their bytes as AWS counts them. Above
// limit stored bytes it gives up, and whole is false; 0 is no limit.
func (t *Table) Count(r store.Reader, x *Index, limit int) (items, bytes int64, whole bool, err error) {
	stored := 0
	for kv, err := range r.Range(t.All(x).Range) {
		if err != nil {
			return 0, 0, false, err
		}
		if stored += len(kv.Key) + len(kv.Value); limit > 0 && stored > limit {
			return items, bytes, false, nil
		}
		it, err := item.Decode(kv.Value)
		if err != nil {
			return 0, 0, false, err
		}
		items, bytes = items+1, bytes+int64(it.Size())
	}
	return items, bytes, true, nil
}
