// Package integrity reads bodies that say how to tell whether they came whole: aws-chunked bodies with
// their chunk signatures and trailers, and checksums in headers. Everything streams; what is wrong
// surfaces as an error of Read before the end.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
package integrity
