package s3

import (
	"net/http"

	"cirro/internal/awsapi"
)

// Errors that the API model lacks, or has with another status.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	accessDenied        = &awsapi.ErrorType{Code: "AccessDenied", Status: http.StatusForbidden}
	badDigest           = &awsapi.ErrorType{Code: "BadDigest", Status: http.StatusBadRequest}
	bucketNotEmpty      = &awsapi.ErrorType{Code: "BucketNotEmpty", Status: http.StatusConflict}
	entityTooLarge      = &awsapi.ErrorType{Code: "EntityTooLarge", Status: http.StatusBadRequest}
	entityTooSmall      = &awsapi.ErrorType{Code: "EntityTooSmall", Status: http.StatusBadRequest}
	incompleteBody      = &awsapi.ErrorType{Code: "IncompleteBody", Status: http.StatusBadRequest}
	illegalLocation     = &awsapi.ErrorType{Code: "IllegalLocationConstraintException", Status: http.StatusBadRequest}
	invalidArgument     = &awsapi.ErrorType{Code: "InvalidArgument", Status: http.StatusBadRequest}
	invalidBucketName   = &awsapi.ErrorType{Code: "InvalidBucketName", Status: http.StatusBadRequest}
	invalidLocation     = &awsapi.ErrorType{Code: "InvalidLocationConstraint", Status: http.StatusBadRequest}
	invalidPart         = &awsapi.ErrorType{Code: "InvalidPart", Status: http.StatusBadRequest}
	invalidPartNumber   = &awsapi.ErrorType{Code: "InvalidPartNumber", Status: http.StatusRequestedRangeNotSatisfiable}
	invalidPartOrder    = &awsapi.ErrorType{Code: "InvalidPartOrder", Status: http.StatusBadRequest}
	invalidRange        = &awsapi.ErrorType{Code: "InvalidRange", Status: http.StatusRequestedRangeNotSatisfiable}
	invalidRequest      = &awsapi.ErrorType{Code: "InvalidRequest", Status: http.StatusBadRequest}
	invalidStorageClass = &awsapi.ErrorType{Code: "InvalidStorageClass", Status: http.StatusBadRequest}
	invalidURI          = &awsapi.ErrorType{Code: "InvalidURI", Status: http.StatusBadRequest}
	keyTooLong          = &awsapi.ErrorType{Code: "KeyTooLongError", Status: http.StatusBadRequest}
	malformedXML        = &awsapi.ErrorType{Code: "MalformedXML", Status: http.StatusBadRequest}
	metadataTooLarge    = &awsapi.ErrorType{Code: "MetadataTooLarge", Status: http.StatusBadRequest}
	methodNotAllowed    = &awsapi.ErrorType{Code: "MethodNotAllowed", Status: http.StatusMethodNotAllowed}
	noSuchVersion       = &awsapi.ErrorType{Code: "NoSuchVersion", Status: http.StatusNotFound}
	notModified         = &awsapi.ErrorType{Code: "NotModified", Status: http.StatusNotModified}
	preconditionFailed  = &awsapi.ErrorType{Code: "PreconditionFailed", Status: http.StatusPreconditionFailed}
	restoreNotAllowed   = &awsapi.ErrorType{Code: "InvalidObjectState", Status: http.StatusForbidden}
)
