package endpoint

import (
	"net/http"
	"strings"

	"cirro/internal/endpoint/wire"
)

// s3Suffixes are the domains below which S3 has hosts of its own.
var s3Suffixes = []string{".localhost", ".localhost.localstack.cloud", ".amazonaws.com", ".amazonaws.com.cn"}

// BucketHost returns the bucket that a host names for S3, "" for none: {bucket}.s3.{region}.localhost,
// {bucket}.s3.localhost.localstack.cloud, {bucket}.s3.amazonaws.com, {bucket}.s3-{region}.amazonaws.com and
// their like. website says that it is one of the hosts of websites: {bucket}.s3-website.{region}.localhost
// or {bucket}.s3-website-{region}.amazonaws.com.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteEndpoints.html
func BucketHost(host string) (bucket string, website bool) {
	name, ok := withoutS3Suffix(host)
	if !ok {
		return "", false
	}
	// A bucket's name may hold ".s3" too: the last one is the service's. Behind it come a region and "dualstack".
	labels := strings.Split(name, ".")
	for i := len(labels) - 1; i > 0 && i >= len(labels)-3; i-- {
		switch label := labels[i]; {
		case label == "s3-website" || strings.HasPrefix(label, "s3-website-"):
			return strings.Join(labels[:i], "."), true
		case label == "s3" || strings.HasPrefix(label, "s3-"):
			return strings.Join(labels[:i], "."), false
		}
	}
	return "", false
}

// withoutS3Suffix cuts off the port and the domain.
func withoutS3Suffix(host string) (string, bool) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	for _, suffix := range s3Suffixes {
		if name, ok := strings.CutSuffix(host, suffix); ok {
			return name, true
		}
	}
	return "", false
}

// bucketOf returns the bucket that the host of a request signed for S3 names. Such a request may name it before
// "localhost" alone: that is what SDKs make of the endpoint http://localhost:4566.
func bucketOf(r *http.Request, signingName string) string {
	if bucket, website := BucketHost(r.Host); bucket != "" && !website {
		return bucket
	}
	if signingName != "s3" {
		return ""
	}
	return localBucket(r.Host)
}

// localBucket returns what stands before localhost where that is no host of S3's itself.
func localBucket(host string) string {
	name, ok := withoutS3Suffix(host)
	if !ok || strings.HasSuffix(name, ".amazonaws") || !strings.Contains(host, "localhost") {
		return ""
	}
	first, _, _ := strings.Cut(name, ".")
	if first == "s3" || strings.HasPrefix(first, "s3-") {
		return ""
	}
	return name
}

// BucketOf returns the bucket that a host names for requests to S3's API, "" for none. It may stand before "localhost"
// alone.
func BucketOf(host string) string {
	if bucket, website := BucketHost(host); bucket != "" || website {
		if website {
			return ""
		}
		return bucket
	}
	return localBucket(host)
}

// pathOf is the path of a request as routes have it: with the bucket that its host names in front.
func pathOf(x *wire.Exchange, s *service) string {
	path := x.HTTP.URL.EscapedPath()
	if x.Bucket == "" || s.Name != "s3" {
		return path
	}
	return "/" + x.Bucket + path
}
