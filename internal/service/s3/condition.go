package s3

import (
	"net/http"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// conditions are those of a request that reads.
type conditions struct {
	Match, NoneMatch               *string
	ModifiedSince, UnmodifiedSince *time.Time
}

// check answers PreconditionFailed or NotModified where the conditions do not hold of a version. An ETag that
// matches makes the time not count, and so does one that is to match none and does not.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-reads.html
func (c *conditions) check(v *version) error {
	switch {
	case c.Match != nil:
		if !matches(*c.Match, v.ETag) {
			return failed("If-Match")
		}
	case c.UnmodifiedSince != nil && v.Modified.After(*c.UnmodifiedSince):
		return failed("If-Unmodified-Since")
	}
	switch {
	case c.NoneMatch != nil:
		if matches(*c.NoneMatch, v.ETag) {
			return unchanged(v)
		}
	case c.ModifiedSince != nil && !v.Modified.After(*c.ModifiedSince):
		return unchanged(v)
	}
	return nil
}

// checkSource is check for the source of a copy, which nobody has yet: what is not modified fails, too.
func (c *conditions) checkSource(v *version) error {
	switch {
	case c.Match != nil:
		if !matches(*c.Match, v.ETag) {
			return failed("x-amz-copy-source-If-Match")
		}
	case c.UnmodifiedSince != nil && v.Modified.After(*c.UnmodifiedSince):
		return failed("x-amz-copy-source-If-Unmodified-Since")
	}
	switch {
	case c.NoneMatch != nil:
		if matches(*c.NoneMatch, v.ETag) {
			return failed("x-amz-copy-source-If-None-Match")
		}
	case c.ModifiedSince != nil && !v.Modified.After(*c.ModifiedSince):
		return failed("x-amz-copy-source-If-Modified-Since")
	}
	return nil
}

func failed(condition string) error {
	return preconditionFailed.New("At least one of the pre-conditions you specified did not hold").With("Condition", condition)
}

func unchanged(v *version) error {
	return notModified.New("Not Modified").WithHeader("ETag", quoted(v.ETag)).
		WithHeader("Last-Modified", v.Modified.UTC().Format(http.TimeFormat))
}

// matches reports whether an ETag is in a list of them: quoted or not, or "*" for any.
func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || strings.Trim(one, `"`) == etag {
			return true
		}
	}
	return false
}

func quoted(etag string) string { return `"` + etag + `"` }

// checkWrite answers what S3 does where the conditions of a request that writes do not hold of the current version,
// nil where there is none.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func checkWrite(match, noneMatch *string, key string, cur *version) error {
	switch {
	case noneMatch != nil && *noneMatch != "*":
		return unsupportedHeader("If-None-Match")
	case match != nil && (noneMatch != nil || *match == "*"):
		return unsupportedHeader("If-Match")
	case noneMatch != nil && cur != nil:
		return failed("If-None-Match")
	case match != nil && cur == nil:
		return api.NoSuchKey.New("The specified key does not exist.").With("Key", key)
	case match != nil && !matches(*match, cur.ETag):
		return failed("If-Match")
	}
	return nil
}

func unsupportedHeader(name string) error {
	return awsapi.NotImplemented.New("A header you provided implies functionality that is not implemented").
		With("Header", name).With("additionalMessage", "We don't accept the provided value of "+name+" header for this API")
}
