package sqs

import api "cirro/internal/awsapi/sqs"

// Operates says whether a request is one of those on messages that come most often, by its method, target and
// X-Amz-Target. None of them waits where it is not to; see awsapi.Request.NoWait.
func Operates(method, target, operation string) bool {
	switch api.Service.Called(method, target, operation) {
	case "SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch", "ChangeMessageVisibility", "ChangeMessageVisibilityBatch":
		return true
	}
	return false
}
