package expression

import (
	"errors"
	"fmt"

	"cirro/internal/awsapi"
)

// fault is what is wrong with an expression, before it is known which parameter held it.
type fault string

func (f fault) Error() string { return string(f) }

func problem(format string, args ...any) error { return fault(fmt.Sprintf(format, args...)) }

// in words the fault of a parameter: "Invalid UpdateExpression: …".
func in(parameter string, err error) error {
	var f fault
	if !errors.As(err, &f) {
		return err
	}
	return awsapi.ValidationException.New("Invalid %s: %s", parameter, string(f))
}

func invalid(format string, args ...any) error {
	return awsapi.ValidationException.New(format, args...)
}

// bare words the fault of an expression that is no parameter.
func bare(err error) error {
	var f fault
	if !errors.As(err, &f) {
		return err
	}
	return awsapi.ValidationException.New("%s", string(f))
}
