package asl

import "fmt"

// Failure is an error as a state machine sees it.
type Failure struct {
	Error, Cause string
	Location     string // the field whose expression failed; "" for none
	Heartbeat    bool   // a timeout that came of silence
}

// The errors that the language itself has.
// https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-error-representation
const (
	All                             = "States.ALL"
	BranchFailed                    = "States.BranchFailed"
	DataLimitExceeded               = "States.DataLimitExceeded"
	ExceedToleratedFailureThreshold = "States.ExceedToleratedFailureThreshold"
	HeartbeatTimeout                = "States.HeartbeatTimeout"
	IntrinsicFailure                = "States.IntrinsicFailure"
	ItemReaderFailed                = "States.ItemReaderFailed"
	NoChoiceMatched                 = "States.NoChoiceMatched"
	ParameterPathFailure            = "States.ParameterPathFailure"
	Permissions                     = "States.Permissions"
	QueryEvaluationError            = "States.QueryEvaluationError"
	ResultPathMatchFailure          = "States.ResultPathMatchFailure"
	ResultWriterFailed              = "States.ResultWriterFailed"
	Runtime                         = "States.Runtime"
	TaskFailed                      = "States.TaskFailed"
	Timeout                         = "States.Timeout"
)

// TooLarge is the failure of a state that would pass on more than may pass between states.
func TooLarge(state string) *Failure {
	return fail(DataLimitExceeded, "The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", state)
}

// fail makes a failure.
func fail(name, cause string, args ...any) *Failure {
	return &Failure{Error: name, Cause: fmt.Sprintf(cause, args...)}
}

// caught reports whether a failure is among the errors that a retrier or catcher names. States.ALL names all
// but States.Runtime, States.TaskFailed all but timeouts either. That States.ALL catches
// States.DataLimitExceeded too, against the documentation, was recorded of the service:
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/error_handling/test_states_errors.snapshot.json
func (f *Failure) caught(names []string) bool {
	for _, name := range names {
		switch {
		case name == f.Error:
			return true
		case name == All && f.Error != Runtime:
			return true
		case name == TaskFailed && f.Error != Timeout && f.Error != HeartbeatTimeout && f.Error != Runtime:
			return true
		case name == HeartbeatTimeout && f.Heartbeat, name == Timeout && f.Error == HeartbeatTimeout:
			return true
		}
	}
	return false
}
