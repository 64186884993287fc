package target

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/courier"
)

// Lasting reports whether a letter that failed so would fail again: what is not there or not allowed stays so
// until somebody acts, and nobody tries again before. Throttling passes, whatever status a service gives it.
func Lasting(err error) bool { return !courier.Passing(err) && Code(err) != "THROTTLING" }

// Code is EventBridge's name for an error of delivery, as dead letters give it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
func Code(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return codeOf(e)
	}
	var failed *FunctionError
	var network net.Error
	switch {
	case errors.As(err, &failed):
		return "ERROR_FROM_TARGET"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return "TIMEOUT"
	case errors.As(err, &network):
		return "CONNECTION_FAILURE"
	}
	return "UNKNOWN"
}

func codeOf(e *awsapi.Error) string {
	code := e.Type.Code
	switch {
	case code == awsapi.NotImplemented.Code:
		return "SDK_CLIENT_ERROR"
	case strings.Contains(code, "Throttl"), strings.Contains(code, "TooManyRequests"), strings.Contains(code, "ThroughputExceeded"):
		return "THROTTLING"
	case strings.Contains(code, "AccessDenied"), strings.Contains(code, "Authorization"), e.Type.Status == http.StatusForbidden:
		return "NO_PERMISSIONS"
	case strings.Contains(code, "NotFound"), strings.Contains(code, "NonExistent"), strings.Contains(code, "DoesNotExist"), e.Type.Status == http.StatusNotFound:
		return "NO_RESOURCE"
	case e.Type.Server:
		return "INTERNAL_ERROR"
	}
	return "INVALID_PARAMETER"
}

// Message is an error's text as dead letters give it.
func Message(err error) string {
	var e *awsapi.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
