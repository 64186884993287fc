package s3

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// defaultRegion is the region whose buckets have no location constraint, and which never minds what it has already.
const defaultRegion = "us-east-1"

var bucketName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)

// checkBucketName checks the name of a bucket that is to be made.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func checkBucketName(name string) error {
	ok := bucketName.MatchString(name) && !strings.Contains(name, "..") && net.ParseIP(name) == nil
	for _, prefix := range []string{"xn--", "sthree-", "amzn-s3-demo-"} {
		ok = ok && !strings.HasPrefix(name, prefix)
	}
	for _, suffix := range []string{"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"} {
		ok = ok && !strings.HasSuffix(name, suffix)
	}
	if !ok {
		return invalidBucketName.New("The specified bucket is not valid.").With("BucketName", name)
	}
	return nil
}

// location is the region that a request wants its bucket in: the request's own, or the one that the global endpoint is
// asked for.
func location(region string, c *api.CreateBucketConfiguration) (string, error) {
	asked := ""
	if c != nil {
		asked = awsapi.Val(c.LocationConstraint)
	}
	switch {
	case asked == "" && region == defaultRegion:
		return region, nil
	case asked == "":
		return "", illegalLocation.New("The unspecified location constraint is incompatible for the region specific endpoint this request was sent to.")
	case asked == "EU":
		return "eu-west-1", nil
	case asked == defaultRegion || !regionName.MatchString(asked):
		return "", invalidLocation.New("The specified location-constraint is not valid").With("LocationConstraint", asked)
	case region != defaultRegion && asked != region:
		return "", illegalLocation.New("The %s location constraint is incompatible for the region specific endpoint this request was sent to.", asked)
	}
	return asked, nil
}

var regionName = regexp.MustCompile(`^[a-z]{2,3}(-[a-z]+)+-\d$`)

// CreateBucket makes a bucket. Names are unique over all accounts.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func (s *Service) CreateBucket(ctx context.Context, in *api.CreateBucketRequest) (*api.CreateBucketOutput, error) {
	q, name := awsapi.RequestOf(ctx), *in.Bucket
	if err := checkBucketName(name); err != nil {
		return nil, err
	}
	region, err := location(q.Region, in.CreateBucketConfiguration)
	if err != nil {
		return nil, err
	}
	if c := in.CreateBucketConfiguration; c != nil && (c.Location != nil || c.Bucket != nil) {
		return nil, awsapi.NotImplemented.New("Cirro does not implement directory buckets")
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		had, err := s.bucketOf(tx, name)
		switch {
		case err == nil && had.Account != q.Account():
			return api.BucketAlreadyExists.New("The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.").
				With("BucketName", name)
		case err == nil && (had.Region != defaultRegion || region != defaultRegion):
			return api.BucketAlreadyOwnedByYou.New("Your previous request to create the named bucket succeeded and you already own it.").
				With("BucketName", name)
		case err == nil:
			return nil
		case !errors.Is(err, api.NoSuchBucket):
			return err
		}
		now := s.Clock()
		b := &bucket{Name: name, ID: newID(now), Account: q.Account(), Region: region, Created: now.UTC()}
		if awsapi.Val(in.ObjectLockEnabledForBucket) {
			b.ObjectLock, b.Versioning = true, api.BucketVersioningStatusEnabled
		}
		if err := tx.Set(ownedKey(b.Account, name), nil); err != nil {
			return err
		}
		if err := s.setBucket(tx, b); err != nil {
			return err
		}
		return s.founded(ctx, tx, b, in)
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateBucketOutput{Location: new("/" + name), BucketArn: new("arn:aws:s3:::" + name)}
	if region != defaultRegion {
		out.Location = new("http://" + name + ".s3.amazonaws.com/")
	}
	return out, nil
}

// DeleteBucket deletes a bucket that has neither objects nor versions. Uploads to it end.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucket.html
func (s *Service) DeleteBucket(ctx context.Context, in *api.DeleteBucketRequest) (*api.DeleteBucketOutput, error) {
	return &api.DeleteBucketOutput{}, s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.access(ctx, tx, *in.Bucket, in.ExpectedBucketOwner, "s3:DeleteBucket", "")
		if err != nil {
			return err
		}
		versions := ""
		for _, space := range []string{"object", "version"} {
			over := store.Prefix("s3", space, b.ID)
			over.Limit = 1
			for _, err := range tx.Range(over) {
				if err != nil {
					return err
				}
				return bucketNotEmpty.New("The bucket you tried to delete is not empty%s", versions).With("BucketName", b.Name)
			}
			versions = ". You must delete all versions in the bucket."
		}
		over := store.Prefix("s3", "upload", b.ID)
		over.Limit = 1
		for _, err := range tx.Range(over) {
			if err == nil {
				err = reapLater(tx, reapMessage{Bucket: b.ID})
			}
			if err != nil {
				return err
			}
		}
		for _, key := range [][]byte{bucketKey(b.Name), ownedKey(b.Account, b.Name)} {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return s.emptied(tx, b)
	})
}

// HeadBucket tells whether a bucket is there.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func (s *Service) HeadBucket(ctx context.Context, in *api.HeadBucketRequest) (*api.HeadBucketOutput, error) {
	var b *bucket
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		b, err = s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:ListBucket", "")
		return err
	})
	if err != nil {
		return nil, err
	}
	return &api.HeadBucketOutput{BucketRegion: &b.Region, BucketArn: new(b.arn()), AccessPointAlias: new(false)}, nil
}

// GetBucketLocation tells a bucket's region; that of us-east-1 has no name.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html
func (s *Service) GetBucketLocation(ctx context.Context, in *api.GetBucketLocationRequest) (*api.GetBucketLocationOutput, error) {
	var b *bucket
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		b, err = s.access(ctx, r, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketLocation", "")
		return err
	})
	if err != nil {
		return nil, err
	}
	if b.Region == defaultRegion {
		return &api.GetBucketLocationOutput{}, nil
	}
	return &api.GetBucketLocationOutput{LocationConstraint: &b.Region}, nil
}

// maxBuckets is how many buckets a page of ListBuckets has at most; without a maximum in the request there are no pages.
const maxBuckets = 10_000

// ListBuckets lists an account's buckets.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
func (s *Service) ListBuckets(ctx context.Context, in *api.ListBucketsRequest) (*api.ListBucketsOutput, error) {
	account := awsapi.RequestOf(ctx).Account()
	most := maxBuckets
	if in.MaxBuckets != nil {
		if most = int(*in.MaxBuckets); most < 1 || most > maxBuckets {
			return nil, invalidArgument.New("Argument max-buckets must be an integer between 1 and 10000").
				With("ArgumentName", "max-buckets").With("ArgumentValue", itoa(most))
		}
	}
	over := beginning(awsapi.Val(in.Prefix), "s3", "owned", account)
	if in.ContinuationToken != nil {
		last, ok := readToken(*in.ContinuationToken)
		if !ok {
			return nil, invalidArgument.New("The continuation token provided is incorrect").With("ArgumentName", "continuation-token")
		}
		over = over.After(ownedKey(account, last))
	}
	out := &api.ListBucketsOutput{Owner: ownerOf(account), Prefix: in.Prefix, Buckets: []api.Bucket{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		for kv, err := range r.Range(over) {
			if err != nil {
				return err
			}
			name, err := firstPart(kv.Key[len(store.Key("s3", "owned", account)):])
			if err != nil {
				return err
			}
			b, err := s.bucketOf(r, name)
			if err != nil {
				return err
			}
			if in.BucketRegion != nil && *in.BucketRegion != b.Region {
				continue
			}
			if len(out.Buckets) == most {
				out.ContinuationToken = new(newToken(*out.Buckets[most-1].Name))
				return nil
			}
			out.Buckets = append(out.Buckets, api.Bucket{Name: &b.Name, CreationDate: &b.Created, BucketRegion: &b.Region, BucketArn: new(b.arn())})
		}
		return nil
	})
	return out, err
}
