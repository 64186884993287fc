// Package s3 is Amazon S3: buckets and objects.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
package s3
