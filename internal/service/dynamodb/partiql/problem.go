package partiql

import (
	"fmt"

	"cirro/internal/awsapi"
)

// malformed is the error of a statement that is none. AWS adds what its parser missed.
func malformed(detail string) error {
	return refused("Statement wasn't well formed, can't be processed: %s", detail)
}

func refused(format string, args ...any) error {
	return awsapi.ValidationException.New(format, args...)
}

// at says where a token is: " at line:column:length", counted from 1.
func (t token) at() string {
	return fmt.Sprintf(" at %d:%d:%d", t.line, t.column, t.length)
}

var errParameters = awsapi.ValidationException.New("Number of parameters in request and statement don't match.")
