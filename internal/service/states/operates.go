package states

import api "cirro/internal/awsapi/states"

// Operates says whether a request is one of those on executions that come most often, by its method, target and
// X-Amz-Target.
func Operates(method, target, operation string) bool {
	switch api.Service.Called(method, target, operation) {
	case "StartExecution", "StartSyncExecution", "DescribeExecution", "SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat":
		return true
	}
	return false
}
