package extensionsapi

import (
	"encoding/json"
	"time"
)

// InvokeEvent is the event of an invocation.
func InvokeEvent(requestID, arn, trace string, deadline time.Time) []byte {
	type tracing struct {
		Type  string `json:"type"`
		Value string `json:"value"`
	}
	b, _ := json.Marshal(struct {
		Type       string  `json:"eventType"`
		DeadlineMs int64   `json:"deadlineMs"`
		RequestID  string  `json:"requestId"`
		ARN        string  `json:"invokedFunctionArn"`
		Tracing    tracing `json:"tracing"`
	}{Invoke, deadline.UnixMilli(), requestID, arn, tracing{"X-Amzn-Trace-Id", trace}})
	return b
}

// ShutdownEvent is the event of an environment's end; the reason is "spindown", "timeout" or "failure".
func ShutdownEvent(reason string, deadline time.Time) []byte {
	b, _ := json.Marshal(struct {
		Type       string `json:"eventType"`
		Reason     string `json:"shutdownReason"`
		DeadlineMs int64  `json:"deadlineMs"`
	}{Shutdown, reason, deadline.UnixMilli()})
	return b
}
