package s3

import (
	"context"
	"net/http"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

var noSuchLock = &awsapi.ErrorType{Code: "NoSuchObjectLockConfiguration", Status: http.StatusNotFound}

// lockMissing is the answer where a bucket has no object lock.
func lockMissing() error {
	return invalidRequest.New("Bucket is missing Object Lock Configuration")
}

// PutObjectLockConfiguration switches object lock on, and says how new objects are kept.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLockConfiguration.html
func (s *Service) PutObjectLockConfiguration(ctx context.Context, in *api.PutObjectLockConfigurationRequest) (*api.PutObjectLockConfigurationOutput, error) {
	c := in.ObjectLockConfiguration
	if c == nil || awsapi.Val(c.ObjectLockEnabled) != api.ObjectLockEnabledEnabled {
		return nil, badXML()
	}
	if err := checkDefaultRetention(c); err != nil {
		return nil, err
	}
	return &api.PutObjectLockConfigurationOutput{}, s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketObjectLockConfiguration",
		func(tx store.Tx, b *bucket) error {
			if !b.versioned() {
				return invalidBucketState.New("Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
			}
			changed := *b
			changed.ObjectLock = true
			_, err := s.setConfig(tx, &changed, kindObjectLock, c)
			return err
		})
}

func checkDefaultRetention(c *api.ObjectLockConfiguration) error {
	if c.Rule == nil {
		return nil
	}
	d := c.Rule.DefaultRetention
	switch {
	case d == nil || d.Mode == nil && d.DefaultEventHold == nil:
		return badXML()
	case d.DefaultEventHold != nil:
		return awsapi.NotImplemented.New("Cirro does not implement s3.PutObjectLockConfiguration with DefaultEventHold")
	case *d.Mode != api.ObjectLockRetentionModeGovernance && *d.Mode != api.ObjectLockRetentionModeCompliance, (d.Days == nil) == (d.Years == nil):
		return badXML()
	case d.Days != nil && *d.Days <= 0, d.Years != nil && *d.Years <= 0:
		return invalidArgument.New("Default retention period must be a positive integer value.")
	case d.Days != nil && *d.Days > 36500, d.Years != nil && *d.Years > 100:
		return invalidArgument.New("Default retention period too large.")
	}
	return nil
}

// lockOf is a bucket's object lock, nil where it has none.
func (s *Service) lockOf(r store.Reader, b *bucket) (*api.ObjectLockConfiguration, error) {
	if !b.ObjectLock {
		return nil, nil
	}
	c, err := configOf(s, r, b, kindObjectLock, asIs[api.ObjectLockConfiguration])
	if err == nil && c == nil {
		c = &api.ObjectLockConfiguration{ObjectLockEnabled: new(api.ObjectLockEnabledEnabled)}
	}
	return c, err
}

// GetObjectLockConfiguration tells a bucket's object lock.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLockConfiguration.html
func (s *Service) GetObjectLockConfiguration(ctx context.Context, in *api.GetObjectLockConfigurationRequest) (*api.GetObjectLockConfigurationOutput, error) {
	out := &api.GetObjectLockConfigurationOutput{}
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketObjectLockConfiguration", func(r store.Reader, b *bucket) (err error) {
		out.ObjectLockConfiguration, err = s.lockOf(r, b)
		if err == nil && out.ObjectLockConfiguration == nil {
			return lacking("ObjectLockConfigurationNotFoundError", "Object Lock configuration does not exist for this bucket").With("BucketName", b.Name)
		}
		return err
	})
	return out, err
}

// PutObjectRetention says until when a version is kept.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectRetention.html
func (s *Service) PutObjectRetention(ctx context.Context, in *api.PutObjectRetentionRequest) (*api.PutObjectRetentionOutput, error) {
	want := in.Retention
	if want == nil {
		want = &api.ObjectLockRetention{}
	}
	if want.EventHold != nil || want.EventHoldDuration != nil {
		return nil, awsapi.NotImplemented.New("Cirro does not implement s3.PutObjectRetention with EventHold")
	}
	_, err := s.changeVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutObjectRetention", *in.Key, in.VersionId,
		func(tx store.Tx, b *bucket, v *version) error {
			if !b.ObjectLock {
				return lockMissing()
			}
			mode, until := awsapi.Val(want.Mode), awsapi.Val(want.RetainUntilDate).UTC()
			if (mode == "") != (want.RetainUntilDate == nil) {
				return badXML()
			}
			if mode != "" {
				if err := s.checkRetention(mode, until); err != nil {
					return err
				}
			}
			if err := s.checkChange(v, mode, until, s.mayBypass(ctx, tx, b, *in.Key, awsapi.Val(in.BypassGovernanceRetention))); err != nil {
				return err
			}
			v.LockMode, v.RetainUntil = mode, until
			if mode == "" {
				v.RetainUntil = time.Time{}
			}
			return nil
		})
	return &api.PutObjectRetentionOutput{}, err
}

// checkRetention refuses a retention that is none.
func (s *Service) checkRetention(mode string, until time.Time) error {
	switch {
	case mode != api.ObjectLockModeGovernance && mode != api.ObjectLockModeCompliance:
		return wrongArgument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
	case !until.After(s.Clock()):
		return wrongArgument("x-amz-object-lock-retain-until-date", until.Format(isoMilli), "The retain until date must be in the future!")
	}
	return nil
}

// checkChange refuses a change that weakens a retention which holds.
func (s *Service) checkChange(v *version, mode string, until time.Time, bypass bool) error {
	if v.LockMode == "" || !v.RetainUntil.After(s.Clock()) {
		return nil
	}
	weaker := until.Before(v.RetainUntil) || mode != v.LockMode && v.LockMode == api.ObjectLockModeCompliance
	if v.LockMode == api.ObjectLockModeGovernance {
		weaker = (until.Before(v.RetainUntil) || mode == "") && !bypass
	}
	if weaker {
		return protected()
	}
	return nil
}

func protected() error {
	return accessDenied.New("Access Denied because object protected by object lock.")
}

// GetObjectRetention tells until when a version is kept.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectRetention.html
func (s *Service) GetObjectRetention(ctx context.Context, in *api.GetObjectRetentionRequest) (*api.GetObjectRetentionOutput, error) {
	out := &api.GetObjectRetentionOutput{}
	err := s.lookVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetObjectRetention", *in.Key, in.VersionId,
		func(_ store.Reader, b *bucket, v *version) error {
			switch {
			case !b.ObjectLock:
				return lockMissing()
			case v.LockMode == "":
				return noSuchLock.New("The specified object does not have a ObjectLock configuration").With("Key", *in.Key)
			}
			out.Retention = &api.ObjectLockRetention{Mode: &v.LockMode, RetainUntilDate: &v.RetainUntil}
			return nil
		})
	return out, err
}

// PutObjectLegalHold holds a version, or lets it go.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectLegalHold.html
func (s *Service) PutObjectLegalHold(ctx context.Context, in *api.PutObjectLegalHoldRequest) (*api.PutObjectLegalHoldOutput, error) {
	if in.LegalHold == nil || !legalHold(awsapi.Val(in.LegalHold.Status)) {
		return nil, badXML()
	}
	_, err := s.changeVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutObjectLegalHold", *in.Key, in.VersionId,
		func(_ store.Tx, b *bucket, v *version) error {
			if !b.ObjectLock {
				return lockMissing()
			}
			v.LegalHold = *in.LegalHold.Status
			return nil
		})
	return &api.PutObjectLegalHoldOutput{}, err
}

func legalHold(status string) bool {
	return status == api.ObjectLockLegalHoldStatusOn || status == api.ObjectLockLegalHoldStatusOff
}

// GetObjectLegalHold tells whether a version is held.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectLegalHold.html
func (s *Service) GetObjectLegalHold(ctx context.Context, in *api.GetObjectLegalHoldRequest) (*api.GetObjectLegalHoldOutput, error) {
	out := &api.GetObjectLegalHoldOutput{}
	err := s.lookVersion(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:GetObjectLegalHold", *in.Key, in.VersionId,
		func(_ store.Reader, b *bucket, v *version) error {
			switch {
			case !b.ObjectLock:
				return lockMissing()
			case v.LegalHold == "":
				return noSuchLock.New("The specified object does not have a ObjectLock configuration").With("Key", *in.Key)
			}
			out.LegalHold = &api.ObjectLockLegalHold{Status: &v.LegalHold}
			return nil
		})
	return out, err
}

// mayBypass reports whether a request that asks to bypass governance retention may.
func (s *Service) mayBypass(ctx context.Context, r store.Reader, b *bucket, key string, asks bool) bool {
	return asks && s.authorize(ctx, r, b, "s3:BypassGovernanceRetention", key) == nil
}

// lockCheck answers AccessDenied where object lock keeps a version from being removed. bypass says that the
// request asks to bypass governance retention.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
func (s *Service) lockCheck(b *bucket, _ string, v *version, bypass bool) error {
	if !b.ObjectLock || v.Marker {
		return nil
	}
	retained := v.LockMode != "" && v.RetainUntil.After(s.Clock()) && !(v.LockMode == api.ObjectLockModeGovernance && bypass)
	if retained || v.LegalHold == api.ObjectLockLegalHoldStatusOn {
		return protected()
	}
	return nil
}
