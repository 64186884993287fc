// Package iam is AWS Identity and Access Management, as far as there is something to manage: roles,
// users with their access keys, groups, inline and managed policies, and what is attached to what.
// It keeps them; what they permit is not enforced yet.
//
// Roles, users and groups are one thing to this package, a principal, of which each kind has its own
// operations. IAM is global: nothing here depends on a region.
//
// https://docs.aws.amazon.com/IAM/latest/APIReference/welcome.html
package iam

import (
	"context"
	"encoding/base64"
	"iter"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/store"
)

// Service answers IAM's operations.
type Service struct {
	iam.Unimplemented
	store store.Store
}

// New makes the service over a store.
func New(s store.Store) *Service { return &Service{store: s} }

func account(ctx context.Context) string { return awsapi.RequestOf(ctx).Account() }

// page is what the operations that list answer besides their list.
type page struct {
	IsTruncated *bool
	Marker      *string
}

// paginate collects up to maxItems (100 if nil) of what all yields, beginning after the marker. key
// names an item: all yields in the order of the keys.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListRoles.html#API_ListRoles_RequestParameters
func paginate[T any](all iter.Seq2[T, error], key func(T) string, marker *string, maxItems *int32) (list []T, p page, err error) {
	after, limit := "", 100
	if maxItems != nil {
		limit = int(*maxItems)
	}
	if marker != nil {
		b, err := base64.RawURLEncoding.DecodeString(*marker)
		if err != nil || len(b) == 0 {
			return nil, page{}, awsapi.ValidationError.New("Invalid Marker.")
		}
		after = string(b)
	}
	for item, err := range all {
		if err != nil {
			return nil, page{}, err
		}
		if key(item) <= after {
			continue
		}
		if len(list) == limit {
			next := base64.RawURLEncoding.EncodeToString([]byte(key(list[limit-1])))
			return list, page{IsTruncated: new(true), Marker: &next}, nil
		}
		list = append(list, item)
	}
	return list, page{IsTruncated: new(false)}, nil
}

// each walks a slice as paginate wants it.
func each[T any](items []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, item := range items {
			if !yield(item, nil) {
				return
			}
		}
	}
}

func self(s string) string { return s }
