package s3

import (
	"context"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// wishes are what a request that makes an object asks for, besides its body and its own headers.
type wishes struct {
	ACL, GrantFullControl, GrantRead, GrantReadACP, GrantWriteACP *string

	Tagging *string // "a=b&c=d"

	LockMode, LegalHold *string
	RetainUntil         *time.Time

	Encryption, KMSKey, KMSContext *string
	BucketKey                      *bool
}

// fulfil checks what a request wishes for and sets it in the new version: tags, ACL, retention and legal hold
// (also the bucket's default ones), and encryption.
func (s *Service) fulfil(ctx context.Context, r store.Reader, b *bucket, key string, v *version, w *wishes) error {
	if w.Tagging != nil {
		tags, err := tagsOfHeader(*w.Tagging)
		if err != nil {
			return err
		}
		v.Tags = tags
	}
	if err := s.own(ctx, r, b, v, w); err != nil {
		return err
	}
	if err := s.lock(r, b, v, w); err != nil {
		return err
	}
	return s.encrypt(r, b, v, w)
}

// own sets who owns a new version, and its ACL.
func (s *Service) own(ctx context.Context, r store.Reader, b *bucket, v *version, w *wishes) error {
	wish := aclWish{canned: w.ACL, fullControl: w.GrantFullControl, read: w.GrantRead, readACP: w.GrantReadACP, writeACP: w.GrantWriteACP,
		owner: b.Account, bucketOwner: b.Account}
	if q := request(ctx); q != nil && q.Account() != b.Account && q.Principal.Service == "" && !q.Principal.Anonymous() {
		owns, err := s.ownership(r, b)
		if err != nil {
			return err
		}
		full := awsapi.Val(w.ACL) == api.ObjectCannedACLBucketOwnerFullControl
		if owns == api.ObjectOwnershipObjectWriter || owns == api.ObjectOwnershipBucketOwnerPreferred && !full {
			v.Owner, wish.owner = q.Account(), q.Account()
		}
	}
	if !wish.wanted() {
		return nil
	}
	list, err := s.allowedACL(r, b, &wish)
	v.ACL = list.encode()
	return err
}

// lock sets how long a new version is kept.
func (s *Service) lock(r store.Reader, b *bucket, v *version, w *wishes) error {
	asked := w.LockMode != nil || w.RetainUntil != nil || w.LegalHold != nil
	if !b.ObjectLock {
		if asked {
			return lockMissing()
		}
		return nil
	}
	if (w.LockMode == nil) != (w.RetainUntil == nil) {
		return invalidArgument.New("x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied")
	}
	if w.LegalHold != nil {
		if !legalHold(*w.LegalHold) {
			return wrongArgument("x-amz-object-lock-legal-hold", *w.LegalHold, "Legal Hold must be either of 'ON' or 'OFF'")
		}
		v.LegalHold = *w.LegalHold
	}
	if w.LockMode != nil {
		if err := s.checkRetention(*w.LockMode, *w.RetainUntil); err != nil {
			return err
		}
		v.LockMode, v.RetainUntil = *w.LockMode, w.RetainUntil.UTC()
		return nil
	}
	c, err := s.lockOf(r, b)
	if err != nil || c.Rule == nil {
		return err
	}
	d := c.Rule.DefaultRetention
	v.LockMode, v.RetainUntil = *d.Mode, s.Clock().UTC().AddDate(int(awsapi.Val(d.Years)), 0, int(awsapi.Val(d.Days)))
	return nil
}

// encrypt sets how a new version is encrypted, as far as it is told: bodies are kept as the disk keeps them.
func (s *Service) encrypt(r store.Reader, b *bucket, v *version, w *wishes) error {
	if v.Customer.MD5 != "" {
		return nil
	}
	by := api.ServerSideEncryptionByDefault{SSEAlgorithm: w.Encryption, KMSMasterKeyID: w.KMSKey}
	bucketKey := w.BucketKey
	if w.Encryption == nil {
		if _, has := b.Configs[kindEncryption]; !has {
			if w.KMSKey != nil {
				return wrongArgument("x-amz-server-side-encryption", "null",
					"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
			}
			return nil // AES256, which is what an empty one stands for
		}
		c, err := s.encryption(r, b)
		if err != nil {
			return err
		}
		by = *c.Rules[0].ApplyServerSideEncryptionByDefault
		if bucketKey == nil {
			bucketKey = c.Rules[0].BucketKeyEnabled
		}
	}
	switch algorithm := awsapi.Val(by.SSEAlgorithm); algorithm {
	case api.ServerSideEncryptionAes256:
		if w.Encryption != nil && w.KMSKey != nil {
			return wrongArgument("x-amz-server-side-encryption", algorithm,
				"Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms")
		}
		return nil
	case api.ServerSideEncryptionAwsKms, api.ServerSideEncryptionAwsKmsDsse:
		v.Encryption, v.KMSKey, v.KMSContext = algorithm, kmsKeyARN(b, awsapi.Val(by.KMSMasterKeyID)), awsapi.Val(w.KMSContext)
		v.BucketKey = awsapi.Val(bucketKey) && algorithm == api.ServerSideEncryptionAwsKms
		return nil
	default:
		return wrongArgument("x-amz-server-side-encryption", algorithm, "The encryption method specified is not supported")
	}
}

// kmsKeyARN is the key as replies name it: "" stands for the account's own for S3.
func kmsKeyARN(b *bucket, key string) string {
	switch {
	case key == "":
		return "arn:aws:kms:" + b.Region + ":" + b.Account + ":alias/aws/s3"
	case strings.HasPrefix(key, "arn:"):
		return key
	case strings.HasPrefix(key, "alias/"):
		return "arn:aws:kms:" + b.Region + ":" + b.Account + ":" + key
	}
	return "arn:aws:kms:" + b.Region + ":" + b.Account + ":key/" + key
}
