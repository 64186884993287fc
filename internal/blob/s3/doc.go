// Package s3 keeps bodies in a bucket of Amazon S3, or of any store that speaks its protocol: a body is an object,
// under the store's prefix and the body's key. Any number of nodes may share a bucket.
//
// A large body is uploaded in parts; what a crash leaves of one is invisible, and a lifecycle rule of the bucket
// (AbortIncompleteMultipartUpload) removes it. It knows nothing of what bodies mean.
package s3
