package eventbridge

import (
	"net/http"

	api "cirro/internal/awsapi/events"
)

// Operates says whether a request puts events, by its method, target and X-Amz-Target: the one that comes
// most often.
func Operates(method, target, operation string) bool {
	return method == http.MethodPost && (target == "/" || target == "") && operation == api.Service.TargetPrefix+".PutEvents"
}
