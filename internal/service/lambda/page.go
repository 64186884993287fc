package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"cirro/internal/store"
)

// The length of a page where the request gives none.
const pageLength = 50

// page reads one page of the records of a range, from where marker, which the page before returned,
// says. keep, where not nil, leaves out records that it does not want.
func page[T any](r store.Reader, over store.Range, marker *string, max *int32, keep func(*T) (bool, error)) (
	items []T, next *string, err error,
) {
	limit := pageLength
	if max != nil {
		limit = min(int(*max), pageLength)
	}
	if marker != nil && *marker != "" {
		after, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil || bytes.Compare(after, over.Start) < 0 || bytes.Compare(after, over.End) >= 0 {
			return nil, nil, invalid("Invalid Marker: %s", *marker)
		}
		over = over.After(after)
	}
	var last []byte
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, nil, err
		}
		if len(items) == limit {
			return items, new(base64.RawURLEncoding.EncodeToString(last)), nil
		}
		item, err := decode[T](kv.Value)
		if err != nil {
			return nil, nil, err
		}
		if keep != nil {
			if ok, err := keep(&item); err != nil {
				return nil, nil, err
			} else if !ok {
				continue
			}
		}
		items, last = append(items, item), bytes.Clone(kv.Key)
	}
	return items, nil, nil
}

func decode[T any](b []byte) (record T, err error) {
	err = json.Unmarshal(b, &record)
	return record, err
}
