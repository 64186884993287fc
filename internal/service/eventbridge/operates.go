package eventbridge

import api "cirro/internal/awsapi/events"

// Operates says whether a request puts events, by its method, target and X-Amz-Target: the one that comes
// most often.
func Operates(method, target, operation string) bool {
	return api.Service.Called(method, target, operation) == "PutEvents"
}
