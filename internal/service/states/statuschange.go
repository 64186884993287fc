package states

import (
	"encoding/json"
	"strings"
	"time"

	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// StatusChange is an event of an execution for the default event bus of its account.
type StatusChange struct {
	Account, Region, Execution, Trace string
	Detail                            func() ([]byte, error) // JSON; asked for where somebody may want it
}

// The names of the events. https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
const (
	EventSource = "aws.states"
	EventType   = "Step Functions Execution Status Change"
)

// announce tells the event bus how an execution's status has changed.
func (s *Service) announce(tx store.Tx, run *engine.Run, changes []string) error {
	if s.Announce == nil {
		return nil
	}
	for _, status := range changes {
		err := s.Announce(tx, StatusChange{Account: run.Account, Region: run.Region, Execution: run.ARN, Trace: run.Trace,
			Detail: func() ([]byte, error) { return statusDetail(tx, run, status, s.Clock()) }})
		if err != nil {
			return err
		}
	}
	return nil
}

// statuses are those that an execution has after an event that changes it.
var statuses = map[string]string{
	api.HistoryEventTypeExecutionStarted: engine.Running, api.HistoryEventTypeExecutionRedriven: engine.Running,
	api.HistoryEventTypeExecutionSucceeded: engine.Succeeded, api.HistoryEventTypeExecutionFailed: engine.Failed,
	api.HistoryEventTypeExecutionTimedOut: engine.TimedOut, api.HistoryEventTypeExecutionAborted: engine.Aborted,
}

// maxShown is how large input and output may be, escaped, to be in an event: 248 KB.
// https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
const maxShown = 248 * 1024

// statusDetail is the detail of an event: what DescribeExecution tells, all of its members.
func statusDetail(r engine.Tx, run *engine.Run, status string, at time.Time) ([]byte, error) {
	now := *run
	if now.Status = status; status == engine.Running { // its end may be told of in the same step
		now.Error, now.Cause, now.HasError = "", "", false
	}
	d, err := described(r, &now, at)
	if err != nil {
		return nil, err
	}
	if status == engine.Running {
		d.StopDate = nil
	}
	input, output := d.Input, d.Output
	if escaped(output) > maxShown {
		output = nil
	}
	if escaped(input)+escaped(d.Output) > maxShown {
		input = nil
	}
	details := func(whole, shown *string) any {
		if whole == nil {
			return nil
		}
		return document.NewObject("included", shown != nil)
	}
	o := document.NewObject("executionArn", *d.ExecutionArn, "stateMachineArn", *d.StateMachineArn, "name", *d.Name, "status", status,
		"startDate", d.StartDate.UnixMilli(), "stopDate", nil, "input", orNull(input), "output", orNull(output),
		"stateMachineVersionArn", orNull(d.StateMachineVersionArn), "stateMachineAliasArn", orNull(d.StateMachineAliasArn),
		"redriveCount", run.Redrives, "redriveDate", nil, "redriveStatus", orNull(d.RedriveStatus), "redriveStatusReason", orNull(d.RedriveStatusReason),
		"inputDetails", details(d.Input, input), "outputDetails", details(d.Output, output), "error", orNull(d.Error), "cause", orNull(d.Cause))
	if d.StopDate != nil {
		o.Set("stopDate", d.StopDate.UnixMilli())
	}
	if d.RedriveDate != nil {
		o.Set("redriveDate", d.RedriveDate.UnixMilli())
	}
	return document.Encode(o), nil
}

func orNull(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// escaped is the size of a text within JSON.
func escaped(s *string) int {
	if s == nil {
		return 0
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(awsapi.Val(s)) != nil {
		return 0 // texts can be encoded
	}
	return b.Len() - len("\"\"\n")
}
