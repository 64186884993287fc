// Package sigv2 checks signatures of version 2, which S3 alone still takes and some clients use for presigned URLs
// and forms. It takes a request's signature apart and compares it; whom the access key belongs to it does not know.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
package sigv2
