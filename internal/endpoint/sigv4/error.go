package sigv4

import (
	"net/http"

	"cirro/internal/awsapi"
)

// The answers to requests that are not signed as they should be. The query protocol and S3 have other
// names for them, which they give them when they write them.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var (
	MissingToken = &awsapi.ErrorType{Code: "MissingAuthenticationTokenException", Status: http.StatusForbidden}
	Incomplete   = &awsapi.ErrorType{Code: "IncompleteSignatureException", Status: http.StatusForbidden}
	Invalid      = &awsapi.ErrorType{Code: "InvalidSignatureException", Status: http.StatusForbidden}
	Unrecognized = &awsapi.ErrorType{Code: "UnrecognizedClientException", Status: http.StatusForbidden}
	Expired      = &awsapi.ErrorType{Code: "ExpiredTokenException", Status: http.StatusForbidden}
	HashMismatch = &awsapi.ErrorType{Code: "XAmzContentSHA256Mismatch", Status: http.StatusBadRequest}
)

// Mismatch is the answer to a signature that is another one than ours.
func Mismatch() error { return Invalid.New(mismatch) }

const mismatch = "The request signature we calculated does not match the signature you provided. " +
	"Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
