package s3

import (
	"context"
	"net/http"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// founded gives a bucket that is being made what the request asks for besides: who owns its objects, an ACL, tags.
func (s *Service) founded(_ context.Context, tx store.Tx, b *bucket, in *api.CreateBucketRequest) (err error) {
	if in.ObjectOwnership != nil {
		if !slices.Contains(ownerships, *in.ObjectOwnership) {
			return wrongArgument("x-amz-object-ownership", *in.ObjectOwnership, "Invalid x-amz-object-ownership header: %s", *in.ObjectOwnership)
		}
		controls := api.OwnershipControls{Rules: []api.OwnershipControlsRule{{ObjectOwnership: in.ObjectOwnership}}}
		if b, err = s.setConfig(tx, b, kindOwnership, controls); err != nil {
			return err
		}
	}
	w := aclWish{canned: in.ACL, fullControl: in.GrantFullControl, read: in.GrantRead, readACP: in.GrantReadACP, write: in.GrantWrite,
		writeACP: in.GrantWriteACP, owner: b.Account, bucketOwner: b.Account}
	if w.wanted() && awsapi.Val(w.canned) != api.BucketCannedACLPrivate {
		list, err := w.list()
		switch {
		case err != nil:
			return err
		case in.ObjectOwnership == nil || *in.ObjectOwnership == api.ObjectOwnershipBucketOwnerEnforced:
			return invalidBucketACL.New("Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting")
		case list.public():
			return publicBucketACL.New("Bucket cannot have public ACLs set with BlockPublicAccess enabled")
		}
		if b, err = s.setConfig(tx, b, kindACL, list); err != nil {
			return err
		}
	}
	if in.CreateBucketConfiguration == nil || in.CreateBucketConfiguration.Tags == nil {
		return nil
	}
	tags, err := tagsOf(&api.Tagging{TagSet: in.CreateBucketConfiguration.Tags}, maxBucketTags)
	if err == nil && len(tags) > 0 {
		_, err = s.setConfig(tx, b, kindTagging, tags)
	}
	return err
}

var (
	invalidBucketACL = &awsapi.ErrorType{Code: "InvalidBucketAclWithObjectOwnership", Status: http.StatusBadRequest}
	publicBucketACL  = &awsapi.ErrorType{Code: "InvalidBucketAclWithBlockPublicAccessError", Status: http.StatusBadRequest}
)
