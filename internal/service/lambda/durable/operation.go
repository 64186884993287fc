package durable

import (
	"time"

	api "cirro/internal/awsapi/lambda"
)

// Operation is one of an execution's operations. The execution itself is number 0.
type Operation struct {
	Number  int
	ID      string
	Parent  string `json:",omitempty"`
	Name    string `json:",omitempty"`
	Type    string
	SubType string `json:",omitempty"`
	Status  string
	Start   time.Time
	End     time.Time `json:",omitzero"`
	// Due is when time goes on with it, if nothing else did before; the zero time for never.
	Due    time.Time        `json:",omitzero"`
	Result *string          `json:",omitempty"`
	Error  *api.ErrorObject `json:",omitempty"`

	Attempt  int     `json:",omitempty"` // of a step: those that have ended
	Seconds  int32   `json:",omitempty"` // of a wait
	Replays  bool    `json:",omitempty"` // of a context: its children are part of the state
	Function string  `json:",omitempty"` // of a chained invocation, as it is named
	Input    *string `json:",omitempty"`
	Trace    string  `json:",omitempty"`

	Callback  string    `json:",omitempty"` // its id
	Closes    time.Time `json:",omitzero"`  // when a wait is over, or a callback times out
	Heartbeat int32     `json:",omitempty"` // seconds
	Beat      time.Time `json:",omitzero"`  // when the next heartbeat is due
}

// done reports whether the operation has ended.
func (o *Operation) done() bool {
	switch o.Status {
	case api.OperationStatusStarted, api.OperationStatusPending, api.OperationStatusReady:
		return false
	}
	return true
}

// pending reports whether something outside will go on with the operation.
func (o *Operation) pending() bool {
	switch o.Type {
	case api.OperationTypeStep:
		return o.Status == api.OperationStatusPending
	case api.OperationTypeWait, api.OperationTypeCallback, api.OperationTypeChainedInvoke:
		return o.Status == api.OperationStatusStarted
	}
	return false
}

// Folds reports whether the operations below are left out of the state: the result of a context that has ended
// stands for them.
func (o *Operation) Folds() bool {
	return o.Type == api.OperationTypeContext && o.done() && !o.Replays
}

// earlier is the earlier of two times, of which zero ones are none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// View is the operation as the API shows it. The execution's needs its input.
func (o *Operation) View(input string) api.Operation {
	v := api.Operation{Id: &o.ID, ParentId: text(o.Parent), Name: text(o.Name), Type: &o.Type, SubType: text(o.SubType),
		StartTimestamp: &o.Start, EndTimestamp: instant(o.End), Status: &o.Status}
	switch o.Type {
	case api.OperationTypeExecution:
		v.ExecutionDetails = &api.ExecutionDetails{InputPayload: &input}
	case api.OperationTypeContext:
		v.ContextDetails = &api.ContextDetails{Result: o.Result, Error: o.Error}
		if o.Replays {
			v.ContextDetails.ReplayChildren = &o.Replays
		}
	case api.OperationTypeStep:
		v.StepDetails = &api.StepDetails{Attempt: new(int32(o.Attempt)), Result: o.Result, Error: o.Error}
		if o.Status == api.OperationStatusPending {
			v.StepDetails.NextAttemptTimestamp = instant(o.Due)
		}
	case api.OperationTypeWait:
		v.WaitDetails = &api.WaitDetails{ScheduledEndTimestamp: instant(o.Closes)}
	case api.OperationTypeCallback:
		v.CallbackDetails = &api.CallbackDetails{CallbackId: text(o.Callback), Result: o.Result, Error: o.Error}
	case api.OperationTypeChainedInvoke:
		v.ChainedInvokeDetails = &api.ChainedInvokeDetails{Result: o.Result, Error: o.Error}
	}
	return v
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
