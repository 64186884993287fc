package lambda

import (
	"context"
	"errors"
	"io"

	"cirro/internal/awsapi"
	s3api "cirro/internal/awsapi/s3"
)

// packageObject is a package that lies in a bucket.
type packageObject struct{ Bucket, Key, Version *string }

// given reports whether a request names an object.
func (p packageObject) given() bool { return p.Bucket != nil || p.Key != nil }

// receiveObject takes in a zip that lies in a bucket, which the caller may read. It may be larger than one that comes
// with the request. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
func (s *Service) receiveObject(ctx context.Context, p packageObject) (code, error) {
	if awsapi.Val(p.Bucket) == "" || awsapi.Val(p.Key) == "" {
		return code{}, invalid("Please provide a source for function code.")
	}
	if s.Caller == nil {
		return code{}, awsapi.Unimplemented("s3", "GetObject")
	}
	out, err := s.Caller.Call(ctx, awsapi.RequestOf(ctx).Principal, "s3", "GetObject",
		&s3api.GetObjectRequest{Bucket: p.Bucket, Key: p.Key, VersionId: p.Version})
	var refused *awsapi.Error
	if errors.As(err, &refused) && !refused.Type.Server {
		return code{}, invalid("Error occurred while GetObject. S3 Error Code: %s. S3 Error Message: %s", refused.Type.Code, refused.Message)
	}
	if err != nil {
		return code{}, err
	}
	object, ok := out.(*s3api.GetObjectOutput)
	if !ok || object.Body == nil {
		return code{}, invalid("Uploaded file must be a non-empty zip")
	}
	if c, ok := object.Body.(io.Closer); ok {
		defer c.Close()
	}
	zip, err := io.ReadAll(io.LimitReader(object.Body, maxUnpacked+1))
	if err != nil {
		return code{}, err
	}
	if len(zip) > maxUnpacked {
		return code{}, tooLargeUnpacked()
	}
	return s.receiveWhole(ctx, zip)
}
