package durable

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// memory is a Ledger that forgets nothing.
type memory struct {
	operations [][]byte
	ids        map[string]int
	due        map[int]time.Time
	events     []Event
}

func (m *memory) Operation(id string) (*Operation, error) {
	n, ok := m.ids[id]
	if !ok {
		return nil, nil
	}
	return m.Numbered(n)
}

func (m *memory) Numbered(n int) (*Operation, error) {
	op := &Operation{}
	return op, json.Unmarshal(m.operations[n], op)
}

func (m *memory) Due(until time.Time) (due []*Operation, err error) {
	for n := range m.operations {
		if t, ok := m.due[n]; ok && !t.After(until) {
			op, err := m.Numbered(n)
			if err != nil {
				return nil, err
			}
			due = append(due, op)
		}
	}
	return due, nil
}

func (m *memory) Keep(op *Operation, was time.Time) error {
	if op.Number > len(m.operations) {
		return fmt.Errorf("operation %d is kept as the %dth", op.Number, len(m.operations))
	}
	if !m.due[op.Number].Equal(was) {
		return fmt.Errorf("operation %d was due at %v, not %v", op.Number, m.due[op.Number], was)
	}
	b, err := json.Marshal(op)
	if op.Number == len(m.operations) {
		m.operations = append(m.operations, nil)
	}
	m.operations[op.Number], m.ids[op.ID] = b, op.Number
	if delete(m.due, op.Number); !op.Due.IsZero() {
		m.due[op.Number] = op.Due
	}
	return err
}

func (m *memory) Record(n int, e *Event) error {
	if n != len(m.events)+1 {
		return fmt.Errorf("event %d is recorded as the %dth", n, len(m.events)+1)
	}
	m.events = append(m.events, *e)
	return nil
}

// execution is one that runs, in memory.
type execution struct {
	*Step
	*memory
	t     testing.TB
	calls []string
}

func begin(t testing.TB) *execution {
	m := &memory{ids: map[string]int{}, due: map[int]time.Time{}}
	e := &execution{memory: m, t: t}
	e.Step = &Step{Ledger: m, Now: time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC),
		Execution:  &Execution{ID: "x", Account: "1", Region: "r", Function: "f", Version: "3", Name: "n", Timeout: 3600, Limit: MostPayload},
		CallbackID: func(n int) string { return "cb" + strconv.Itoa(n) },
		Targets:    map[string]Target{"gone": {Error: &api.ErrorObject{ErrorType: new("ResourceNotFoundException")}}, "plain": {Version: "7"}},
		Call: func(op *Operation, target Target) (string, error) {
			e.calls = append(e.calls, op.ID+target.Version)
			return "", nil
		}}
	e.must(e.Begin())
	return e
}

func (e *execution) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// take begins an invocation.
func (e *execution) take() []string {
	e.t.Helper()
	told, err := e.Take("i" + strconv.Itoa(e.Events))
	e.must(err)
	e.Invoke = false
	return told
}

func (e *execution) place() Place { return Place{e.Invocation, e.Sequence} }

// checkpoint sends updates that are written as "TYPE id ACTION [field=value …]" and returns what changed, as "id STATUS".
func (e *execution) checkpoint(updates ...string) (string, error) {
	var list []api.OperationUpdate
	for _, u := range updates {
		list = append(list, parseUpdate(u))
	}
	reply, err := e.Checkpoint(e.place(), "", list)
	if err != nil {
		return "", err
	}
	var told []string
	for _, op := range reply.Operations {
		told = append(told, op.ID+" "+op.Status)
	}
	return strings.Join(told, ", "), nil
}

func (e *execution) mustCheckpoint(updates ...string) string {
	e.t.Helper()
	told, err := e.checkpoint(updates...)
	e.must(err)
	return told
}

func parseUpdate(text string) api.OperationUpdate {
	parts := strings.Fields(text)
	u := api.OperationUpdate{Type: &parts[0], Id: &parts[1], Action: &parts[2]}
	for _, field := range parts[3:] {
		name, value, _ := strings.Cut(field, "=")
		n, _ := strconv.Atoi(value)
		switch name {
		case "payload":
			u.Payload = &value
		case "error":
			u.Error = &api.ErrorObject{ErrorMessage: &value}
		case "parent":
			u.ParentId = &value
		case "name":
			u.Name = &value
		case "sub":
			u.SubType = &value
		case "wait":
			u.WaitOptions = &api.WaitOptions{WaitSeconds: new(int32(n))}
		case "retry":
			u.StepOptions = &api.StepOptions{NextAttemptDelaySeconds: new(int32(n))}
		case "timeout":
			u.CallbackOptions = &api.CallbackOptions{TimeoutSeconds: new(int32(n))}
		case "heartbeat":
			u.CallbackOptions = &api.CallbackOptions{HeartbeatTimeoutSeconds: new(int32(n))}
		case "replay":
			u.ContextOptions = &api.ContextOptions{ReplayChildren: new(true)}
		case "function":
			u.ChainedInvokeOptions = &api.ChainedInvokeOptions{FunctionName: &value}
		}
	}
	return u
}

// history is the types of the events so far.
func (e *execution) history() string {
	var types []string
	for _, event := range e.events {
		types = append(types, event.Type)
	}
	return strings.Join(types, " ")
}

func (e *execution) op(id string) *Operation {
	e.t.Helper()
	op, err := e.Operation(id)
	e.must(err)
	if op == nil {
		e.t.Fatalf("there is no operation %s", id)
	}
	return op
}

// answer ends the invocation.
func (e *execution) answer(text string) {
	e.t.Helper()
	e.must(e.Answered(Answer{Invocation: e.Invocation, Request: "r", Payload: []byte(text)}))
}

func (e *execution) later(d time.Duration) { e.Now = e.Now.Add(d) }

// sound checks what always holds.
func (e *execution) sound() {
	e.t.Helper()
	pending := 0
	for n := range e.operations {
		op, err := e.Numbered(n)
		e.must(err)
		if op.pending() {
			pending++
		}
		if op.done() == op.End.IsZero() {
			e.t.Fatalf("operation %s is %s and ended at %v", op.ID, op.Status, op.End)
		}
		if !op.Due.IsZero() && !op.pending() {
			e.t.Fatalf("operation %s is %s and due at %v", op.ID, op.Status, op.Due)
		}
	}
	if pending != e.Pending || len(e.operations) != e.Operations || len(e.events) != e.Events {
		e.t.Fatalf("%d of %d operations are pending, and %d events: the record says %d, %d, %d", pending, len(e.operations), len(e.events),
			e.Pending, e.Operations, e.Events)
	}
}
