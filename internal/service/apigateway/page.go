package apigateway

import (
	"encoding/base64"
	"sort"

	"cirro/internal/awsapi"
)

// The number of items in a page: by default, and at most.
const (
	defaultLimit = 25
	maxLimit     = 500
)

// page cuts a page out of items sorted by key. position is the token of the page before, which holds the
// key of its last item: whatever was added or removed since, no item that stayed comes twice or not at
// all. next is nil after the last page.
func page[T any](items []T, key func(T) string, position *string, limit *int32) (cut []T, next *string, err error) {
	if position != nil {
		last, err := base64.RawURLEncoding.DecodeString(*position)
		if err != nil {
			return nil, nil, badRequest("Invalid position parameter specified")
		}
		items = items[sort.Search(len(items), func(i int) bool { return key(items[i]) > string(last) }):]
	}
	n := defaultLimit
	if l := awsapi.Val(limit); l > 0 {
		n = min(int(l), maxLimit)
	}
	if len(items) <= n {
		return items, nil, nil
	}
	return items[:n], new(base64.RawURLEncoding.EncodeToString([]byte(key(items[n-1])))), nil
}
