package store

import (
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
