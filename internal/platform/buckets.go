package platform

import (
	"context"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint"
	"cirro/internal/service/s3"
)

// mountBuckets mounts the faces of buckets that are no operations: websites, and uploads from forms.
func mountBuckets(front *endpoint.Endpoint, buckets *s3.Service, verify bool) {
	sites := buckets.Website(websiteOf, verify)
	front.Mount(sites.Match, sites)
	who := func(ctx context.Context, f s3.FormSigner) (awsapi.Principal, string, error) {
		return front.AuthenticateForm(ctx, endpoint.SignedForm{Algorithm: f.Algorithm, Credential: f.Credential, AccessKey: f.AccessKey,
			Token: f.Token, Text: f.Policy, Signature: f.Signature})
	}
	forms := buckets.Forms(endpoint.BucketOf, who, verify)
	front.Mount(forms.Match, front.Guarded(forms))
}

// websiteOf is the bucket whose website a host is, "" for none.
func websiteOf(host string) string {
	bucket, website := endpoint.BucketHost(host)
	if !website {
		return ""
	}
	return bucket
}
