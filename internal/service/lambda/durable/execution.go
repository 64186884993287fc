package durable

import (
	"slices"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// Execution is the record of one execution. Its operations, input, result and history lie beside it.
type Execution struct {
	ID       string // a UUID, unique everywhere
	Account  string
	Region   string
	Function string
	Version  string // that all its invocations run
	// Qualifier is the one that it was begun with.
	Qualifier string
	Name      string
	Trace     string // the tracing header that it was begun with

	Status    string
	Start     time.Time
	End       time.Time `json:",omitzero"`
	Timeout   int       // seconds
	Retention int       // days
	Deadline  time.Time
	Limit     int              // of the result, in bytes
	Error     *api.ErrorObject `json:",omitempty"`
	HasResult bool             `json:",omitempty"`
	Parent    *Link            `json:",omitempty"` // of an execution that a chained invocation began
	// Detached says that nobody waited: what came of it goes to the function's destinations.
	Detached bool   `json:",omitempty"`
	Request  string // of the request that began it
	// Awaited says that somebody waits for the end.
	Awaited bool `json:",omitempty"`

	Operations int // begun so far, the execution itself included: the next one's number
	Events     int // in the history
	Pending    int // operations that something outside will go on with
	// Untold are the numbers of operations that changed since the function was last told.
	Untold []int `json:",omitempty"`

	// Invoking says that an invocation is under way or on its way.
	Invoking bool `json:",omitempty"`
	// Invocation names the one that may make checkpoints; "" for none.
	Invocation string `json:",omitempty"`
	// Taken is what that one was begun for.
	Taken []int `json:",omitempty"`
	// Sequence counts checkpoints: a token is good for one.
	Sequence int64
	Receipt  *Receipt `json:",omitempty"`
	Failures int      `json:",omitempty"` // invocations in a row that failed
	Idle     int      `json:",omitempty"` // invocations in a row that answered PENDING while nothing was

	// Alarm is when the execution is looked at again, whatever happens before; its owner's to use.
	Alarm time.Time `json:",omitzero"`
}

// Link is the operation of another execution.
type Link struct {
	Execution string
	Operation int
}

// Receipt is what the last checkpoint was answered, for whoever sends it again.
type Receipt struct {
	Client string
	Told   []int `json:",omitempty"`
}

// Running reports whether the execution has not ended.
func (x *Execution) Running() bool { return x.Status == api.ExecutionStatusRunning }

// FunctionARN is that of the version that the execution runs.
func (x *Execution) FunctionARN() string {
	return "arn:aws:lambda:" + x.Region + ":" + x.Account + ":function:" + x.Function + ":" + x.Version
}

// ARN is the execution's.
func (x *Execution) ARN() string {
	return x.FunctionARN() + "/durable-execution/" + x.Name + "/" + x.ID
}

// told empties Untold, and returns it in the order in which the operations began.
func (x *Execution) told() []int {
	told := x.Untold
	x.Untold = nil
	slices.Sort(told)
	return slices.Compact(told)
}
