package applicationautoscaling

import (
	"bytes"
	"encoding/base64"
	"strings"

	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"
)

// How many items a page has where the request does not say, which is also the most that it may say.
const (
	defaultPage = 50
	policyPage  = 10
)

// page reads one page of the records of a range that keep wants, from where a token says. kind tells the
// listings' tokens apart.
func page[T any](r store.Reader, kind string, over store.Range, token *string, size *int32, most int, keep func(*T) bool) (
	items []T, next *string, err error,
) {
	limit := most
	if size != nil {
		if limit = int(*size); limit < 1 || limit > most {
			return nil, nil, invalid("MaxResults must be between 1 and %d", most)
		}
	}
	if token != nil {
		after, err := parseToken(kind, *token, over)
		if err != nil {
			return nil, nil, err
		}
		over = over.After(after)
	}
	items, last, err := store.Page(r, over, limit, keep)
	if last != nil {
		next = new(newToken(kind, last))
	}
	return items, next, err
}

func newToken(kind string, after []byte) string {
	return base64.RawURLEncoding.EncodeToString(append([]byte(kind+"\x00"), after...))
}

func parseToken(kind, token string, over store.Range) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	after, mine := strings.CutPrefix(string(b), kind+"\x00")
	key := []byte(after)
	if err != nil || !mine || bytes.Compare(key, over.Start) < 0 || bytes.Compare(key, over.End) >= 0 {
		return nil, api.InvalidNextTokenException.New("The next token is invalid.")
	}
	return key, nil
}
