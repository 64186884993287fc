package logs

import (
	"cirro/internal/awsapi/logs"
)

// Errors as AWS words them.
var (
	errNoGroup      = logs.ResourceNotFoundException.New("The specified log group does not exist.")
	errNoStream     = logs.ResourceNotFoundException.New("The specified log stream does not exist.")
	errGroupExists  = logs.ResourceAlreadyExistsException.New("The specified log group already exists")
	errStreamExists = logs.ResourceAlreadyExistsException.New("The specified log stream already exists")
	errLimit        = logs.LimitExceededException.New("Resource limit exceeded.")
)

func invalid(format string, args ...any) error {
	return logs.InvalidParameterException.New(format, args...)
}
