package states

import (
	"net/http"
	"strings"

	api "cirro/internal/awsapi/states"
)

// Operates says whether a request is one of those on executions that come most often, by its method, target and
// X-Amz-Target.
func Operates(method, target, operation string) bool {
	if method != http.MethodPost || target != "/" && target != "" {
		return false
	}
	name, ok := strings.CutPrefix(operation, api.Service.TargetPrefix+".")
	if !ok {
		return false
	}
	switch name {
	case "StartExecution", "StartSyncExecution", "DescribeExecution", "SendTaskSuccess", "SendTaskFailure", "SendTaskHeartbeat":
		return true
	}
	return false
}
