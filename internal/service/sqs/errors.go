package sqs

import (
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
)

// compatible is an error under the code that it had in the query protocol, which clients still go by: it comes
// in a header. https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#awsquerycompatible-trait
func compatible(t *awsapi.ErrorType, queryCode string) *awsapi.ErrorType {
	c := *t
	c.QueryCode = queryCode
	return &c
}

const prefix = "AWS.SimpleQueueService."

// Errors by their codes in both protocols.
// https://github.com/aws/aws-sdk-go-v2/blob/main/service/sqs/types/errors.go
var (
	queueDoesNotExist     = compatible(api.QueueDoesNotExist, prefix+"NonExistentQueue")
	queueNameExists       = compatible(api.QueueNameExists, "QueueAlreadyExists")
	queueDeletedRecently  = compatible(api.QueueDeletedRecently, prefix+"QueueDeletedRecently")
	purgeInProgress       = compatible(api.PurgeQueueInProgress, prefix+"PurgeQueueInProgress")
	tooManyEntries        = compatible(api.TooManyEntriesInBatchRequest, prefix+"TooManyEntriesInBatchRequest")
	emptyBatch            = compatible(api.EmptyBatchRequest, prefix+"EmptyBatchRequest")
	entryIDsNotDistinct   = compatible(api.BatchEntryIdsNotDistinct, prefix+"BatchEntryIdsNotDistinct")
	invalidEntryID        = compatible(api.InvalidBatchEntryId, prefix+"InvalidBatchEntryId")
	batchTooLong          = compatible(api.BatchRequestTooLong, prefix+"BatchRequestTooLong")
	unsupportedOperation  = compatible(api.UnsupportedOperation, prefix+"UnsupportedOperation")
	invalidParameterValue = &awsapi.ErrorType{Code: "InvalidParameterValueException", QueryCode: "InvalidParameterValue", Status: http.StatusBadRequest}
	missingParameter      = &awsapi.ErrorType{Code: "MissingRequiredParameterException", QueryCode: "MissingParameter", Status: http.StatusBadRequest}
)

func noSuchQueue() error { return queueDoesNotExist.New("The specified queue does not exist.") }

// invalidValue says why a parameter's value is refused.
func invalidValue(value any, parameter, reason string, args ...any) error {
	return invalidParameterValue.New("Value %v for parameter %s is invalid. Reason: "+reason, append([]any{value, parameter}, args...)...)
}

func missing(parameter string) error {
	return missingParameter.New("The request must contain the parameter %s.", parameter)
}
