package durable

import (
	"encoding/json"

	api "cirro/internal/awsapi/lambda"
)

// Invocation is the event that the function gets.
type Invocation struct {
	DurableExecutionArn   string
	CheckpointToken       string
	InitialExecutionState State
	UpdatedOperationIds   []string
}

// State is the operations that an invocation begins with, and where more of them begin.
type State struct {
	Operations []json.RawMessage
	NextMarker string
}

// wire is an operation within the event: times are milliseconds, and what is not there is left out.
type wire struct {
	ID        string `json:"Id"`
	Parent    string `json:"ParentId,omitempty"`
	Name      string `json:",omitempty"`
	Type      string
	SubType   string `json:",omitempty"`
	Start     int64  `json:"StartTimestamp"`
	End       int64  `json:"EndTimestamp,omitempty"`
	Status    string
	Execution *wireExecution `json:"ExecutionDetails,omitempty"`
	Context   *wireResult    `json:"ContextDetails,omitempty"`
	Step      *wireResult    `json:"StepDetails,omitempty"`
	Wait      *wireWait      `json:"WaitDetails,omitempty"`
	Callback  *wireResult    `json:"CallbackDetails,omitempty"`
	Chained   *wireResult    `json:"ChainedInvokeDetails,omitempty"`
}

type wireExecution struct{ InputPayload string }

type wireWait struct{ ScheduledEndTimestamp int64 }

// wireResult is the details of several types.
type wireResult struct {
	CallbackID     string     `json:"CallbackId,omitempty"`
	ReplayChildren bool       `json:",omitempty"`
	Attempt        *int       `json:",omitempty"`
	Next           int64      `json:"NextAttemptTimestamp,omitempty"`
	Result         *string    `json:",omitempty"`
	Error          *wireError `json:",omitempty"`
}

type wireError struct {
	ErrorMessage *string  `json:",omitempty"`
	ErrorType    *string  `json:",omitempty"`
	ErrorData    *string  `json:",omitempty"`
	StackTrace   []string `json:",omitempty"`
}

// Wire is an operation as it stands in the event. The execution's needs its input.
func (o *Operation) Wire(input string) (json.RawMessage, error) {
	w := wire{ID: o.ID, Parent: o.Parent, Name: o.Name, Type: o.Type, SubType: o.SubType, Start: o.Start.UnixMilli(), Status: o.Status}
	if !o.End.IsZero() {
		w.End = o.End.UnixMilli()
	}
	r := &wireResult{Result: o.Result, ReplayChildren: o.Replays, CallbackID: o.Callback}
	if e := o.Error; e != nil {
		r.Error = &wireError{e.ErrorMessage, e.ErrorType, e.ErrorData, e.StackTrace}
	}
	switch o.Type {
	case api.OperationTypeExecution:
		w.Execution = &wireExecution{input}
	case api.OperationTypeContext:
		w.Context = r
	case api.OperationTypeStep:
		w.Step, r.Attempt = r, &o.Attempt
		if o.Status == api.OperationStatusPending {
			r.Next = o.Due.UnixMilli()
		}
	case api.OperationTypeWait:
		w.Wait = &wireWait{o.Closes.UnixMilli()}
	case api.OperationTypeCallback:
		w.Callback = r
	case api.OperationTypeChainedInvoke:
		w.Chained = r
	}
	return json.Marshal(w)
}
