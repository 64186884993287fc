package durable

import (
	"encoding/json"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// Take begins an invocation of the function: it alone may make checkpoints from now on. told are the ids of what
// changed since the function was last told. ErrLate says that there is nothing to invoke it for.
func (s *Step) Take(invocation string) (told []string, err error) {
	if !s.Running() {
		return nil, ErrLate
	}
	if err := s.Tick(); err != nil || s.Ended {
		return nil, err
	}
	if s.Invocation != "" { // it never ended, or did not come to run: nothing was told
		s.Untold = append(s.Untold, s.Taken...)
	}
	s.Invocation, s.Receipt, s.Taken = invocation, nil, s.told()
	told = []string{}
	for _, n := range s.Taken {
		op, err := s.Numbered(n)
		if err != nil {
			return nil, err
		}
		told = append(told, op.ID)
	}
	return told, nil
}

// Answer is how an invocation ended.
type Answer struct {
	Invocation string
	Request    string
	Began      time.Time
	Payload    []byte
	Failure    *api.ErrorObject // what the function did not survive
	Final      bool             // no attempt would do better than that failure
}

// output is what the function answers.
type output struct {
	Status string           `json:"Status"`
	Result *string          `json:"Result"`
	Error  *api.ErrorObject `json:"Error"`
}

// The statuses of an answer.
const (
	succeeded = "SUCCEEDED"
	failed    = "FAILED"
	pending   = "PENDING"
)

// Answered goes on with an execution after an invocation. ErrLate says that another one has taken its place.
func (s *Step) Answered(a Answer) error {
	if s.Invocation != a.Invocation {
		return ErrLate
	}
	s.Invocation, s.Invoking, s.Receipt, s.Taken = "", false, nil, nil
	completed := Event{Type: api.EventTypeInvocationCompleted, Request: a.Request, Began: a.Began}
	if !s.Running() { // by a checkpoint, or it was stopped: that stands
		return s.record(nil, completed)
	}
	if a.Failure != nil {
		completed.Error = a.Failure
		if err := s.record(nil, completed); err != nil {
			return err
		}
		s.Failures++
		if a.Final || s.Failures >= mostFailures {
			return s.end(api.ExecutionStatusFailed, nil, a.Failure)
		}
		s.again(s.Failures)
		return nil
	}
	s.Failures = 0
	var out output
	if json.Unmarshal(a.Payload, &out) != nil {
		out = output{}
	}
	wrong := s.wrong(&out)
	switch {
	case wrong != "":
		completed.Error = &api.ErrorObject{ErrorType: new("InvalidParameterValueException"), ErrorMessage: new(string(wrong))}
	case out.Status == failed:
		completed.Error = orEmpty(out.Error)
	}
	if err := s.record(nil, completed); err != nil {
		return err
	}
	return s.follow(&out, wrong, completed.Error)
}

// follow does what an answer says.
func (s *Step) follow(out *output, wrong Refusal, failure *api.ErrorObject) error {
	switch {
	case wrong == errIdle && s.Idle+1 < mostIdle:
		s.Idle++
		s.again(s.Idle)
		return nil
	case failure != nil:
		return s.end(api.ExecutionStatusFailed, nil, failure)
	case out.Status == succeeded:
		return s.end(api.ExecutionStatusSucceeded, out.Result, nil)
	}
	s.Idle = 0
	s.wake()
	return nil
}

// errIdle is wrong with an answer that says that something is under way while nothing is. An SDK may say so by
// mistake while something just came, so it is asked again.
const errIdle = Refusal("Cannot return PENDING status with no pending operations.")

// wrong is what is wrong with an answer, "" for nothing.
func (s *Step) wrong(out *output) Refusal {
	switch {
	case out.Status == succeeded && out.Error != nil:
		return "Cannot provide an Error for SUCCEEDED status."
	case out.Status == succeeded && out.Result != nil && len(*out.Result) > s.Limit:
		return tooLarge("Execution output", s.Limit)
	case out.Status == failed && out.Result != nil:
		return "Cannot provide a Result for FAILED status."
	case out.Status == pending && s.Pending == 0 && len(s.Untold) == 0:
		return errIdle
	case out.Status != succeeded && out.Status != failed && out.Status != pending:
		return "Invalid Status in invocation output."
	}
	return ""
}

// again has the function invoked again after so many attempts that failed.
func (s *Step) again(attempts int) {
	s.Invoke, s.Invoking = true, true
	s.After = firstBackoff << (attempts - 1)
	if s.Scale != nil {
		s.After = s.Scale(s.After)
	}
}
