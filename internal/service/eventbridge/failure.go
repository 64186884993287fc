package eventbridge

import (
	"errors"
	"net/http"

	"cirro/internal/target"
)

// failure is why an event cannot be delivered, by EventBridge's own name for it. It does not go away by itself.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
type failure struct{ code, message string }

func (f *failure) Error() string { return f.message }

// lasting reports whether an error of delivery will not go away by itself.
func lasting(err error) bool {
	var own *failure
	var answered *httpError
	switch {
	case errors.As(err, &own):
		return true
	case errors.As(err, &answered):
		return !answered.passing()
	}
	return target.Lasting(err)
}

// code is EventBridge's name for an error of delivery.
func code(err error) string {
	var own *failure
	var answered *httpError
	switch {
	case errors.As(err, &own):
		return own.code
	case errors.As(err, &answered) && answered.status == http.StatusTooManyRequests:
		return "THROTTLING"
	case answered != nil:
		return "ERROR_FROM_TARGET"
	}
	return target.Code(err)
}
