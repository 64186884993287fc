package sqs

import (
	"context"
	"encoding/base64"

	"cirro/internal/awsapi"
	"cirro/internal/store"
)

// list lists the URLs of the account's queues that keep wants, a page of them. Without a number there is one
// page of up to a thousand, and no token.
func (s *Service) list(ctx context.Context, keep func(*record) bool, limit *int32, token *string) (urls []string, next *string, err error) {
	n := maxListed
	if limit != nil {
		if n = int(*limit); n < 1 || n > maxListed {
			return nil, nil, invalidValue(n, "MaxResults", "MaxResults must be an integer between 1 and 1000.")
		}
	}
	r := awsapi.RequestOf(ctx)
	over := store.Prefix("sqs", "queue", r.Account(), r.Region)
	if token != nil && *token != "" {
		last, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil {
			return nil, nil, invalidParameterValue.New("Invalid or expired next token.")
		}
		over = over.After(store.Key("sqs", "queue", r.Account(), r.Region, string(last)))
	}
	err = s.Store.View(ctx, func(reader store.Reader) error {
		records, more, err := store.Page(reader, over, n, keep)
		for _, found := range records {
			urls = append(urls, address{account: r.Account(), region: r.Region, name: found.Name}.url(r))
		}
		if more != nil && limit != nil {
			next = new(base64.RawURLEncoding.EncodeToString([]byte(records[len(records)-1].Name)))
		}
		return err
	})
	return urls, next, err
}
