package awsapi

import (
	"fmt"
	"net/http"
)

// ErrorType is one kind of error a service answers with. It is itself an error, so that
// errors.Is(err, lambda.ResourceNotFoundException) holds for every error it made.
type ErrorType struct {
	Code   string // on the wire
	Status int    // HTTP
	Server bool   // the fault is the service's, not the sender's
	// QueryCode is the code in protocols compatible with query, where it differs; "" where not.
	QueryCode string
}

func (t *ErrorType) Error() string { return t.Code }

// New makes an error of this type with a message as AWS words it.
func (t *ErrorType) New(format string, args ...any) *Error {
	if len(args) > 0 {
		format = fmt.Sprintf(format, args...)
	}
	return &Error{Type: t, Message: format}
}

// Error is what an operation answers when it fails. An error of any other type that reaches the
// front door is answered as InternalFailure, logged, and never shown to the client.
type Error struct {
	Type    *ErrorType
	Message string
	// Fields are the members of the error's shape besides its message: {"Type": "User"}. A value has
	// the member's Go type, or its element type where that is a pointer.
	Fields map[string]any
	// Header is what else the reply's head says, by names in canonical form.
	Header map[string]string
}

func (e *Error) Error() string { return e.Type.Code + ": " + e.Message }

// Is reports whether the error is of the given type.
func (e *Error) Is(target error) bool {
	t, ok := target.(*ErrorType)
	return ok && t.Code == e.Type.Code
}

// With returns the error with one more field.
func (e *Error) With(member string, value any) *Error {
	if e.Fields == nil {
		e.Fields = map[string]any{}
	}
	e.Fields[member] = value
	return e
}

// WithHeader returns the error with one more header.
func (e *Error) WithHeader(name, value string) *Error {
	if e.Header == nil {
		e.Header = map[string]string{}
	}
	e.Header[http.CanonicalHeaderKey(name)] = value
	return e
}

// Errors that every service can answer with.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
var (
	InternalFailure     = &ErrorType{Code: "InternalFailure", Status: http.StatusInternalServerError, Server: true}
	ValidationException = &ErrorType{Code: "ValidationException", Status: http.StatusBadRequest}
	AccessDenied        = &ErrorType{Code: "AccessDeniedException", Status: http.StatusForbidden}
	// ValidationError and QueryAccessDenied are the names in services of the query protocol.
	ValidationError   = &ErrorType{Code: "ValidationError", Status: http.StatusBadRequest}
	QueryAccessDenied = &ErrorType{Code: "AccessDenied", Status: http.StatusForbidden}
	// ServiceUnavailable is for what will be possible again: SDKs retry it.
	ServiceUnavailable = &ErrorType{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Server: true}
	NotImplemented     = &ErrorType{Code: "NotImplemented", Status: http.StatusNotImplemented, Server: true}
)

// Unimplemented is the answer to an operation that the platform does not have.
func Unimplemented(service, operation string) error {
	return NotImplemented.New("Cirro does not implement %s.%s", service, operation)
}

// Val returns what p points to, or the zero value where p is nil.
func Val[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
