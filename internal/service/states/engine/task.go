package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// Task is work to be done outside of the engine, once for each attempt.
type Task struct {
	Run        string `cbor:"1,keyasint"`
	Frame      int64  `cbor:"2,keyasint"`
	Turn       int64  `cbor:"3,keyasint"`
	State      string `cbor:"4,keyasint"`
	Resource   string `cbor:"5,keyasint"`
	Parameters string `cbor:"6,keyasint"`           // JSON
	Assume     string `cbor:"7,keyasint,omitempty"` // the role of Credentials
	JSONata    bool   `cbor:"8,keyasint,omitempty"`
	Execution  string `cbor:"9,keyasint"` // ARN
	Machine    string `cbor:"10,keyasint"`
	Role       string `cbor:"11,keyasint"`
	Account    string `cbor:"12,keyasint"`
	Region     string `cbor:"13,keyasint"`
	Trace      string `cbor:"14,keyasint,omitempty"`
	Retries    int64  `cbor:"15,keyasint,omitempty"`
	Heartbeat  int64  `cbor:"16,keyasint,omitempty"` // seconds

	// of a task that a mock answers for
	Case       string `cbor:"17,keyasint,omitempty"` // "" for none
	Invocation int64  `cbor:"18,keyasint,omitempty"` // how often the state's task was performed before
}

// Resource is what a task's resource names.
type Resource struct {
	Kind    ResourceKind
	Service string // of an integration: "lambda", "aws-sdk:s3"
	Action  string // "invoke", without what is waited for
	Wait    string // "", "sync", "sync:2", "waitForTaskToken"
}

// ResourceKind is the kind of a resource.
type ResourceKind int

// The kinds of resources.
const (
	Function ResourceKind = iota
	Activity
	Integration
)

// ParseResource reads the ARN of a task's resource.
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-to-resource.html
func ParseResource(arn string) (Resource, error) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || parts[0] != "arn" {
		return Resource{}, fmt.Errorf("%q is no ARN", arn)
	}
	switch {
	case parts[2] == "lambda" && strings.HasPrefix(parts[5], "function:"):
		return Resource{Kind: Function}, nil
	case parts[2] == "states" && strings.HasPrefix(parts[5], "activity:"):
		return Resource{Kind: Activity}, nil
	case parts[2] != "states" || parts[3] != "" || parts[4] != "":
		return Resource{}, fmt.Errorf("%q is no resource of a task", arn)
	}
	r := Resource{Kind: Integration}
	rest := parts[5]
	for _, wait := range []string{"waitForTaskToken", "sync:2", "sync"} {
		if before, ok := strings.CutSuffix(rest, "."+wait); ok {
			rest, r.Wait = before, wait
			break
		}
	}
	i := strings.LastIndexByte(rest, ':')
	if i < 0 {
		return Resource{}, fmt.Errorf("%q names no action", arn)
	}
	r.Service, r.Action = rest[:i], rest[i+1:]
	return r, nil
}

// tokenised reports whether a state's task is answered with a token.
func tokenised(state *asl.State) bool {
	if state.Type != asl.Task {
		return false
	}
	r, err := ParseResource(state.Resource)
	return err == nil && (r.Kind == Activity || r.Wait == "waitForTaskToken")
}

// schedule has the task of a frame's state performed.
func (s *step) schedule(f *frame, state *asl.State, sc *asl.Scope) error {
	effective, failure := state.Begin(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	timeout, heartbeat, failure := state.Timeouts(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	role, failure := state.Credentials(sc)
	if failure != nil {
		return s.failed(f, failure)
	}
	r, err := ParseResource(state.Resource)
	if err != nil {
		return s.failed(f, &asl.Failure{Error: asl.Runtime, Cause: err.Error()})
	}
	mocked := s.run.Case != "" && s.e.Mocked != nil && s.e.Mocked(s.run, state.Name)
	if r.Kind == Activity && s.e.HasActivity != nil && !mocked {
		if has, err := s.e.HasActivity(s.tx, state.Resource); err != nil {
			return err
		} else if !has {
			return s.failed(f, noActivity(state, sc))
		}
	}
	parameters := string(document.Encode(effective))
	if len(parameters) > document.MaxSize {
		return s.failed(f, asl.TooLarge(state.Name))
	}
	f.Phase, f.Turn = working, f.Turn+1
	f.Heartbeat, f.Beat = heartbeat, s.now
	t := &Task{Run: s.run.ID, Frame: f.ID, Turn: f.Turn, State: state.Name, Resource: state.Resource, Parameters: parameters,
		JSONata: state.Language == asl.JSONata, Execution: s.run.ARN, Machine: s.run.Machine, Role: s.run.Role, Account: s.run.Account,
		Region: s.run.Region, Trace: s.run.Trace, Retries: f.Retries, Heartbeat: int64(heartbeat / time.Second)}
	if object, ok := role.(*document.Object); ok {
		arn, _ := object.Get("RoleArn")
		t.Assume, _ = arn.(string)
	}
	if mocked {
		t.Case = s.run.Case
		if t.Invocation, err = s.invocation(state.Name); err != nil {
			return err
		}
	}
	s.scheduled(f, r, t, int64(timeout/time.Second))
	queue := taskQueue
	if r.Kind == Activity && !mocked {
		queue = ActivityQueue(state.Resource)
	}
	if err := s.send(queue, t); err != nil {
		return err
	}
	if timeout > 0 {
		if err := s.timer(f, timeoutDue, timeout); err != nil {
			return err
		}
	}
	if heartbeat > 0 && r.Kind != Activity {
		return s.timer(f, heartbeatDue, heartbeat)
	}
	return nil
}

// send sends a task on its way.
func (s *step) send(queue string, t *Task) error {
	if s.memory != nil {
		s.memory.sent = append(s.memory.sent, sent{queue: queue, task: t})
		return nil
	}
	_, err := s.tx.Enqueue(queue, store.NewMessage{Body: encode(t)})
	return err
}

// invokedKey counts the invocations of a mocked state.
func invokedKey(run, state string) []byte { return store.Key("states", "invoked", run, state) }

// invocation counts an invocation of a mocked state, from 0.
func (s *step) invocation(state string) (n int64, err error) {
	b, err := s.tx.Get(invokedKey(s.run.ID, state))
	if err == nil {
		err = cbor.Unmarshal(b, &n)
	} else if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return 0, err
	}
	return n, s.tx.Set(invokedKey(s.run.ID, state), encode(n+1))
}

// noActivity is the failure of a task of an activity that is gone, as it was recorded of the service:
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/activities/test_activities.snapshot.json
func noActivity(state *asl.State, sc *asl.Scope) *asl.Failure {
	return &asl.Failure{Error: asl.Runtime, Cause: fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). The activity %s does not exist.",
		state.Name, sc.Entered, state.Resource)}
}

// scheduled records that a task is to be performed, and, of all but activities, that it begins.
func (s *step) scheduled(f *frame, r Resource, t *Task, timeout int64) {
	e := Event{Input: t.Parameters, Timeout: timeout, Heartbeat: t.Heartbeat, Role: t.Assume}
	switch r.Kind {
	case Function:
		e.Type, e.Resource = "LambdaFunctionScheduled", t.Resource
		s.record(f, e)
		s.begun = append(s.begun, begun{f, Event{Type: "LambdaFunctionStarted"}})
	case Activity:
		e.Type, e.Resource = "ActivityScheduled", t.Resource
		s.record(f, e)
	case Integration:
		e.Type, e.Resource, e.ResourceType, e.Region = "TaskScheduled", r.action(), r.Service, s.run.Region
		s.record(f, e)
		s.begun = append(s.begun, begun{f, Event{Type: "TaskStarted", Resource: r.action(), ResourceType: r.Service}})
	}
}

// begun is a task that begins when all that is scheduled with it has been scheduled.
type begun struct {
	*frame
	event Event
}

// recordBegun records that the tasks begin that a step has scheduled, and that are still wanted.
func (s *step) recordBegun() {
	for _, b := range s.begun {
		if s.run.Status == Running && s.frames[b.ID] == b.frame && b.Phase == working {
			s.record(b.frame, b.event)
		}
	}
}

// action is the action with what is waited for, as events have it.
func (r Resource) action() string {
	if r.Wait == "" {
		return r.Action
	}
	return r.Action + "." + r.Wait
}

// event makes the event of a task that succeeded, failed or timed out.
func (r Resource) event(what string) Event {
	switch r.Kind {
	case Function:
		return Event{Type: "LambdaFunction" + what}
	case Activity:
		return Event{Type: "Activity" + what}
	}
	return Event{Type: "Task" + what, Resource: r.action(), ResourceType: r.Service}
}

// name is what messages call the task.
func (r Resource) name(resource string) string {
	if r.Kind == Integration {
		return r.Service
	}
	return resource
}

// returned takes the result of a frame's task.
func (s *step) returned(f *frame, h Happening) error {
	state := s.state(f)
	r, err := ParseResource(state.Resource)
	if err != nil {
		return err
	}
	if h.Submitted != "" {
		if err := s.submitted(f, Happening{Output: h.Submitted}); err != nil {
			return err
		}
	}
	if h.Failure == nil && len(h.Output) > document.MaxSize {
		h.Failure = asl.TooLarge(r.name(state.Resource))
	}
	if h.Failure != nil {
		what := "Failed"
		if h.Kind != result {
			what = "TimedOut"
		}
		e := r.event(what)
		e.Error, e.Cause, e.HasError = h.Failure.Error, h.Failure.Cause, true
		s.record(f, e)
		f.Phase = going
		return s.failed(f, h.Failure)
	}
	e := r.event("Succeeded")
	e.Output = h.Output
	s.record(f, e)
	return s.done(f, state, []byte(h.Output))
}

// submitted records that what a task waits for has begun.
func (s *step) submitted(f *frame, h Happening) error {
	r, err := ParseResource(s.state(f).Resource)
	if err != nil {
		return err
	}
	e := r.event("Submitted")
	e.Output = h.Output
	s.record(f, e)
	return nil
}

// wanted reports whether a task is still waited for.
func (e *Engine) wanted(ctx context.Context, t *Task) (wanted bool, err error) {
	err = e.Store.View(ctx, func(r store.Reader) error {
		b, err := r.Get(frameKey(t.Run, t.Frame))
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		f := &frame{}
		if err := cbor.Unmarshal(b, f); err != nil {
			return err
		}
		run, err := Find(r, t.Run)
		wanted = err == nil && run.Status == Running && f.Turn == t.Turn && f.Phase == working
		return err
	})
	return wanted, err
}
