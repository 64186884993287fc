package sns

import (
	"bytes"
	"encoding/base64"

	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"
)

// pageSize is how much of a list a reply has.
// https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html
const pageSize = 100

// page reads a page of the records of a range; next says where the following one begins.
func page[T any](r store.Reader, over store.Range, token *string) (records []T, next *string, err error) {
	if token != nil && *token != "" {
		after, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || bytes.Compare(after, over.Start) < 0 || bytes.Compare(after, over.End) >= 0 {
			return nil, nil, api.InvalidParameterException.New("Invalid parameter: NextToken")
		}
		over = over.After(after)
	}
	records, last, err := store.Page[T](r, over, pageSize, nil)
	if last != nil {
		next = new(base64.RawURLEncoding.EncodeToString(last))
	}
	return records, next, err
}
