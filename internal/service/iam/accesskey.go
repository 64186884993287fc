package iam

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/identity"
	"cirro/internal/store"
)

// accessKeysPerUser is a quota.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entities
const accessKeysPerUser = 2

// CreateAccessKey makes an access key; its secret is shown this once.
func (s *Service) CreateAccessKey(ctx context.Context, in *iam.CreateAccessKeyRequest) (out *iam.CreateAccessKeyResponse, err error) {
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, user, name, func(tx store.Tx, p *principal) error {
		if len(p.AccessKeys) == accessKeysPerUser {
			return iam.LimitExceededException.New("Cannot exceed quota for AccessKeysPerUser: %d", accessKeysPerUser)
		}
		k := identity.NewAccessKey(account(ctx), p.ARN, p.ID, awsapi.RequestOf(ctx).Time.UTC())
		p.AccessKeys = append(p.AccessKeys, k.ID)
		out = &iam.CreateAccessKeyResponse{AccessKey: &iam.AccessKey{UserName: &p.Name, AccessKeyId: &k.ID,
			SecretAccessKey: &k.Secret, Status: new(keyStatus(k)), CreateDate: &k.Created}}
		return identity.SetAccessKey(tx, k)
	})
	return out, err
}

func keyStatus(k identity.AccessKey) string {
	if k.Active {
		return iam.StatusTypeActive
	}
	return iam.StatusTypeInactive
}

// ListAccessKeys lists a user's access keys, without secrets.
func (s *Service) ListAccessKeys(ctx context.Context, in *iam.ListAccessKeysRequest) (out *iam.ListAccessKeysResponse, err error) {
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	err = s.store.View(ctx, func(r store.Reader) error {
		p, err := find(r, account(ctx), user, name)
		if err != nil {
			return err
		}
		ids, page, err := paginate(each(slices.Sorted(slices.Values(p.AccessKeys))), self, in.Marker, in.MaxItems)
		if err != nil {
			return err
		}
		out = &iam.ListAccessKeysResponse{AccessKeyMetadata: []iam.AccessKeyMetadata{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
		for _, id := range ids {
			k, _, err := identity.FindAccessKey(r, id)
			if err != nil {
				return err
			}
			out.AccessKeyMetadata = append(out.AccessKeyMetadata, iam.AccessKeyMetadata{UserName: &p.Name,
				AccessKeyId: &k.ID, Status: new(keyStatus(k)), CreateDate: &k.Created})
		}
		return nil
	})
	return out, err
}

// changeKey lets f change an access key of a user.
func (s *Service) changeKey(ctx context.Context, userName *string, id string, f func(tx store.Tx, p *principal, at int) error) error {
	name, err := callerName(ctx, userName)
	if err != nil {
		return err
	}
	return s.change(ctx, user, name, func(tx store.Tx, p *principal) error {
		at := slices.Index(p.AccessKeys, id)
		if at < 0 {
			return iam.NoSuchEntityException.New("The Access Key with id %s cannot be found.", id)
		}
		return f(tx, p, at)
	})
}

// UpdateAccessKey switches an access key on or off.
func (s *Service) UpdateAccessKey(ctx context.Context, in *iam.UpdateAccessKeyRequest) (*iam.UpdateAccessKeyOutput, error) {
	return &iam.UpdateAccessKeyOutput{}, s.changeKey(ctx, in.UserName, *in.AccessKeyId, func(tx store.Tx, _ *principal, _ int) error {
		k, _, err := identity.FindAccessKey(tx, *in.AccessKeyId)
		if err != nil {
			return err
		}
		k.Active = *in.Status == iam.StatusTypeActive
		return identity.SetAccessKey(tx, k)
	})
}

// DeleteAccessKey deletes an access key.
func (s *Service) DeleteAccessKey(ctx context.Context, in *iam.DeleteAccessKeyRequest) (*iam.DeleteAccessKeyOutput, error) {
	return &iam.DeleteAccessKeyOutput{}, s.changeKey(ctx, in.UserName, *in.AccessKeyId, func(tx store.Tx, p *principal, at int) error {
		p.AccessKeys = slices.Delete(p.AccessKeys, at, at+1)
		return identity.DeleteAccessKey(tx, *in.AccessKeyId)
	})
}
