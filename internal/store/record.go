package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
)

// GetRecord reads the JSON record under key; found says whether there is one.
func GetRecord[T any](r Reader, key []byte) (record T, found bool, err error) {
	b, err := r.Get(key)
	if errors.Is(err, ErrNotFound) {
		return record, false, nil
	}
	if err != nil {
		return record, false, err
	}
	if err := json.Unmarshal(b, &record); err != nil {
		return record, false, fmt.Errorf("store: record %q: %w", key, err)
	}
	return record, true, nil
}

// SetRecord writes a record as JSON.
func SetRecord[T any](tx Tx, key []byte, record T) error {
	b, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("store: record %q: %w", key, err)
	}
	return tx.Set(key, b)
}

// Records walks the JSON records of a range.
func Records[T any](r Reader, over Range) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for kv, err := range r.Range(over) {
			var record T
			if err == nil {
				err = json.Unmarshal(kv.Value, &record)
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

// After is what remains of a range beyond a key, in the range's direction.
func (r Range) After(key []byte) Range {
	if r.Reverse {
		r.End = key
	} else {
		r.Start = append(bytes.Clone(key), 0)
	}
	return r
}

// Page returns up to limit of the JSON records of a range that keep wants; a nil keep wants all. last is
// the key of the last one where more remain, to go on After, and nil where none do.
func Page[T any](r Reader, over Range, limit int, keep func(*T) bool) (records []T, last []byte, err error) {
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, nil, err
		}
		var record T
		if err := json.Unmarshal(kv.Value, &record); err != nil {
			return nil, nil, fmt.Errorf("store: record %q: %w", kv.Key, err)
		}
		if keep != nil && !keep(&record) {
			continue
		}
		if len(records) == limit {
			return records, last, nil
		}
		records, last = append(records, record), append(last[:0], kv.Key...)
	}
	return records, nil, nil
}
