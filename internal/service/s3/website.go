package s3

import (
	"context"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// maxRoutingRules bounds a website's configuration.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html
const maxRoutingRules = 50

// PutBucketWebsite makes a bucket a website.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketWebsite.html
func (s *Service) PutBucketWebsite(ctx context.Context, in *api.PutBucketWebsiteRequest) (*api.PutBucketWebsiteOutput, error) {
	c := in.WebsiteConfiguration
	if c == nil {
		return nil, badXML()
	}
	if err := checkWebsite(c); err != nil {
		return nil, err
	}
	return &api.PutBucketWebsiteOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketWebsite", kindWebsite, c)
}

// GetBucketWebsite tells how a bucket is a website.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketWebsite.html
func (s *Service) GetBucketWebsite(ctx context.Context, in *api.GetBucketWebsiteRequest) (*api.GetBucketWebsiteOutput, error) {
	c, err := kept[api.WebsiteConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketWebsite", kindWebsite, noWebsite())
	if err != nil {
		return nil, err
	}
	return &api.GetBucketWebsiteOutput{RedirectAllRequestsTo: c.RedirectAllRequestsTo, IndexDocument: c.IndexDocument,
		ErrorDocument: c.ErrorDocument, RoutingRules: c.RoutingRules}, nil
}

func noWebsite() *awsapi.Error {
	return lacking("NoSuchWebsiteConfiguration", "The specified bucket does not have a website configuration")
}

// DeleteBucketWebsite makes it none any more.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketWebsite.html
func (s *Service) DeleteBucketWebsite(ctx context.Context, in *api.DeleteBucketWebsiteRequest) (*api.DeleteBucketWebsiteOutput, error) {
	return &api.DeleteBucketWebsiteOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:DeleteBucketWebsite", kindWebsite)
}

func checkWebsite(c *api.WebsiteConfiguration) error {
	if all := c.RedirectAllRequestsTo; all != nil {
		switch {
		case c.IndexDocument != nil || c.ErrorDocument != nil || len(c.RoutingRules) > 0:
			return wrongArgument("RedirectAllRequestsTo", "not null",
				"RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.")
		case awsapi.Val(all.HostName) == "":
			return badXML()
		}
		return checkScheme(all.Protocol)
	}
	switch {
	case c.IndexDocument == nil:
		return wrongArgument("IndexDocument", "null", "A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty")
	case awsapi.Val(c.IndexDocument.Suffix) == "" || strings.Contains(*c.IndexDocument.Suffix, "/"):
		return wrongArgument("IndexDocument", awsapi.Val(c.IndexDocument.Suffix), "The IndexDocument Suffix is not well formed")
	case c.ErrorDocument != nil && awsapi.Val(c.ErrorDocument.Key) == "":
		return badXML()
	case len(c.RoutingRules) > maxRoutingRules:
		return invalidRequest.New("The number of routing rules must not exceed the limit of %d.", maxRoutingRules)
	}
	for i := range c.RoutingRules {
		if err := checkRoutingRule(&c.RoutingRules[i]); err != nil {
			return err
		}
	}
	return nil
}

func checkRoutingRule(rule *api.RoutingRule) error {
	r := rule.Redirect
	switch {
	case r == nil:
		return badXML()
	case r.ReplaceKeyWith != nil && r.ReplaceKeyPrefixWith != nil:
		return invalidRequest.New("You can only define ReplaceKeyPrefix or ReplaceKey but not both.")
	case r.HostName == nil && r.HttpRedirectCode == nil && r.Protocol == nil && r.ReplaceKeyWith == nil && r.ReplaceKeyPrefixWith == nil:
		return badXML()
	case rule.Condition != nil && rule.Condition.KeyPrefixEquals == nil && rule.Condition.HttpErrorCodeReturnedEquals == nil:
		return invalidRequest.New("Condition cannot be empty. To redirect all requests without a condition, the condition element shouldn't be present.")
	}
	if r.HttpRedirectCode != nil {
		if n, err := strconv.Atoi(*r.HttpRedirectCode); err != nil || n < 301 || n > 399 {
			return invalidRequest.New("The provided HTTP redirect code (%s) is not valid. Valid codes are 3XX except 300.", *r.HttpRedirectCode)
		}
	}
	if rule.Condition != nil && rule.Condition.HttpErrorCodeReturnedEquals != nil {
		code := *rule.Condition.HttpErrorCodeReturnedEquals
		if n, err := strconv.Atoi(code); err != nil || n < 400 || n > 599 {
			return invalidRequest.New("The provided HTTP error code (%s) is not valid. Valid codes are 4XX or 5XX.", code)
		}
	}
	return checkScheme(r.Protocol)
}

func checkScheme(scheme *string) error {
	if scheme != nil && *scheme != "http" && *scheme != "https" {
		return invalidRequest.New("Invalid protocol, protocol can be http or https. If not defined the protocol will be selected automatically.")
	}
	return nil
}
