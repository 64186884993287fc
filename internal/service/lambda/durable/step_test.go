package durable

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

func TestTimeGoesOn(t *testing.T) {
	for _, c := range []struct {
		name, update string
		after        time.Duration
		status, kind string
	}{
		{"a wait", "WAIT a START wait=5", 5 * time.Second, api.OperationStatusSucceeded, ""},
		{"a retry", "STEP a RETRY error=no retry=5", 5 * time.Second, api.OperationStatusReady, ""},
		{"a callback", "CALLBACK a START timeout=5", 5 * time.Second, api.OperationStatusTimedOut, "Callback.Timeout"},
		{"a heartbeat", "CALLBACK a START heartbeat=5", 5 * time.Second, api.OperationStatusTimedOut, "Callback.Heartbeat"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := begin(t)
			e.take()
			e.mustCheckpoint(c.update)
			e.answer(`{"Status":"PENDING"}`)
			e.later(c.after - time.Millisecond)
			if e.must(e.Tick()); e.Invoke {
				t.Fatal("the function is invoked too early")
			}
			e.later(time.Millisecond)
			if e.must(e.Tick()); !e.Invoke {
				t.Fatal("the function is not invoked")
			}
			if op := e.op("a"); op.Status != c.status || op.Error != nil && c.kind != "" && awsapi.Val(op.Error.ErrorType) != c.kind {
				t.Fatalf("%+v", op)
			}
			if told := e.take(); !slices.Equal(told, []string{"a"}) {
				t.Fatalf("told %v", told)
			}
			e.sound()
		})
	}
}

func TestScale(t *testing.T) {
	e := begin(t)
	e.Scale = func(d time.Duration) time.Duration { return d / 100 }
	e.take()
	e.mustCheckpoint("WAIT a START wait=100")
	if a := e.op("a"); a.Seconds != 100 || !a.Closes.Equal(e.Now.Add(time.Second)) {
		t.Fatalf("%+v", a)
	}
}

func TestExecutionTimesOut(t *testing.T) {
	e := begin(t)
	e.take()
	e.mustCheckpoint("WAIT a START wait=7200")
	e.answer(`{"Status":"PENDING"}`)
	e.later(time.Hour)
	e.must(e.Tick())
	if e.Status != api.ExecutionStatusTimedOut || *e.Error.ErrorMessage != "Execution timed out after 3600 seconds." || e.Invoke {
		t.Fatalf("%+v", e.Execution)
	}
	if err := e.Tick(); !errors.Is(err, ErrLate) {
		t.Fatal(err)
	}
}

func TestCallback(t *testing.T) {
	e := begin(t)
	e.take()
	e.mustCheckpoint("CALLBACK a START timeout=10", "CALLBACK b START")
	e.answer(`{"Status":"PENDING"}`)
	if err := e.Callback(1, "cb2", nil, nil); !errors.Is(err, ErrLate) {
		t.Fatalf("another's id: %v", err)
	}
	e.must(e.Callback(1, "cb1", new("7"), nil))
	if !e.Invoke || *e.op("a").Result != "7" {
		t.Fatal("the function is not invoked with the answer")
	}
	if err := e.Callback(1, "cb1", new("8"), nil); !errors.Is(err, ErrLate) {
		t.Fatalf("twice: %v", err)
	}
	e.must(e.Callback(2, "cb2", nil, &api.ErrorObject{}))
	if told := e.take(); !slices.Equal(told, []string{"a", "b"}) {
		t.Fatalf("told %v", told)
	}
	if !strings.HasSuffix(e.history(), "InvocationCompleted CallbackSucceeded CallbackFailed") {
		t.Fatal(e.history())
	}
	for _, n := range []int{-1, 0, 99} {
		if err := e.Callback(n, "", nil, nil); !errors.Is(err, ErrLate) {
			t.Fatalf("operation %d: %v", n, err)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	e := begin(t)
	e.take()
	e.mustCheckpoint("CALLBACK a START heartbeat=10")
	e.later(9 * time.Second)
	e.must(e.Heartbeat(1, "cb1"))
	e.later(9 * time.Second)
	if told := e.mustCheckpoint(); told != "" {
		t.Fatalf("told %q after a heartbeat", told)
	}
	e.later(time.Second)
	if err := e.Heartbeat(1, "cb1"); !errors.Is(err, ErrLate) {
		t.Fatalf("a heartbeat that came late: %v", err)
	}
	if told := e.mustCheckpoint(); told != "a TIMED_OUT" {
		t.Fatalf("told %q", told)
	}
}

func TestChained(t *testing.T) {
	for _, c := range []struct {
		status string
		want   string
	}{
		{api.ExecutionStatusSucceeded, `SUCCEEDED "7" ChainedInvokeSucceeded`},
		{api.ExecutionStatusFailed, `FAILED no ChainedInvokeFailed`},
		{api.ExecutionStatusStopped, `STOPPED no ChainedInvokeStopped`},
		{api.ExecutionStatusTimedOut, `TIMED_OUT CHAINED_INVOKE timed out after 60 seconds. ChainedInvokeTimedOut`},
	} {
		e := begin(t)
		e.take()
		e.mustCheckpoint("CHAINED_INVOKE a START function=plain payload=1")
		if !slices.Equal(e.calls, []string{"a7"}) {
			t.Fatalf("called %v", e.calls)
		}
		child := &Execution{Status: c.status, Timeout: 60, Error: &api.ErrorObject{ErrorMessage: new("no")}}
		e.must(e.Chained(1, OutcomeOf(child, new(`"7"`))))
		a := e.op("a")
		said := awsapi.Val(a.Result)
		if a.Error != nil {
			said = *a.Error.ErrorMessage
		}
		if got := a.Status + " " + said + " " + e.events[len(e.events)-1].Type; got != c.want {
			t.Errorf("%s: %s, not %s", c.status, got, c.want)
		}
		if err := e.Chained(1, Outcome{}); !errors.Is(err, ErrLate) {
			t.Error(err)
		}
		e.sound()
	}
}

func TestStop(t *testing.T) {
	e := begin(t)
	e.take()
	e.must(e.Stop(nil))
	ended := e.End
	e.later(time.Hour)
	e.must(e.Stop(&api.ErrorObject{ErrorMessage: new("late")}))
	if e.Status != api.ExecutionStatusStopped || !e.End.Equal(ended) || e.Error == nil || e.Error.ErrorMessage != nil {
		t.Fatalf("%+v", e.Execution)
	}
	if _, err := e.checkpoint("STEP a START"); err != ErrToken {
		t.Fatal(err)
	}
	e.answer(`{"Status":"SUCCEEDED","Result":"7"}`)
	if e.Status != api.ExecutionStatusStopped || e.Step.Result != nil {
		t.Fatal("an answer that came late counts")
	}
	if _, err := e.Take("i"); !errors.Is(err, ErrLate) {
		t.Fatal(err)
	}
}

func TestAnswers(t *testing.T) {
	big := strings.Repeat("x", MostPayload+1)
	for _, c := range []struct{ name, updates, answer, status, message string }{
		{"well", "", `{"Status":"SUCCEEDED","Result":"7"}`, "SUCCEEDED", ""},
		{"well without a result", "", `{"Status":"SUCCEEDED"}`, "SUCCEEDED", ""},
		{"badly", "", `{"Status":"FAILED","Error":{"ErrorMessage":"no"}}`, "FAILED", "no"},
		{"not yet", "WAIT a START wait=5", `{"Status":"PENDING"}`, "RUNNING", ""},
		{"with both", "", `{"Status":"SUCCEEDED","Error":{}}`, "FAILED", "Cannot provide an Error for SUCCEEDED status."},
		{"badly with a result", "", `{"Status":"FAILED","Result":"7"}`, "FAILED", "Cannot provide a Result for FAILED status."},
		{"with too much", "", `{"Status":"SUCCEEDED","Result":"` + big + `"}`, "FAILED", "Execution output payload size must be less than or equal to 1048576 bytes."},
		{"in another way", "", `{"Status":"DONE"}`, "FAILED", "Invalid Status in invocation output."},
		{"no JSON", "", `7 8`, "FAILED", "Invalid Status in invocation output."},
		{"a text", "", `"SUCCEEDED"`, "FAILED", "Invalid Status in invocation output."},
		{"nothing", "", ``, "FAILED", "Invalid Status in invocation output."},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := begin(t)
			e.take()
			if c.updates != "" {
				e.mustCheckpoint(c.updates)
			}
			e.answer(c.answer)
			message := ""
			if e.Error != nil {
				message = awsapi.Val(e.Error.ErrorMessage)
			}
			if e.Status != c.status || message != c.message || e.Invoke || e.Invoking {
				t.Fatalf("%s %q", e.Status, message)
			}
			e.sound()
		})
	}
}

func TestPendingWithNothingIsAskedAgain(t *testing.T) {
	e := begin(t)
	for range 2 {
		e.take()
		if e.answer(`{"Status":"PENDING"}`); !e.Running() || !e.Invoke || e.After == 0 {
			t.Fatalf("%+v", e.Execution)
		}
	}
	e.take()
	if e.answer(`{"Status":"PENDING"}`); e.Running() || *e.Error.ErrorMessage != string(errIdle) {
		t.Fatalf("%+v", e.Execution)
	}
}

func TestInvocationsThatFailAreRepeated(t *testing.T) {
	e := begin(t)
	fail := func() {
		e.take()
		e.must(e.Answered(Answer{Invocation: e.Invocation, Failure: &api.ErrorObject{ErrorMessage: new("crashed")}}))
	}
	var waits []time.Duration
	for range 2 {
		fail()
		waits = append(waits, e.After)
	}
	e.take()
	e.mustCheckpoint("WAIT a START wait=5")
	e.answer(`{"Status":"PENDING"}`)
	e.later(5 * time.Second)
	e.must(e.Tick())
	for e.Running() {
		if fail(); e.Running() {
			waits = append(waits, e.After)
		}
	}
	want := []time.Duration{5 * time.Second, 10 * time.Second, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}
	if !slices.Equal(waits, want) || *e.Error.ErrorMessage != "crashed" || e.Status != api.ExecutionStatusFailed {
		t.Fatalf("%v %+v", waits, e.Execution)
	}
}

func TestNoAttemptAfterAFinalFailure(t *testing.T) {
	e := begin(t)
	e.take()
	e.must(e.Answered(Answer{Invocation: e.Invocation, Final: true, Failure: &api.ErrorObject{}}))
	if e.Status != api.ExecutionStatusFailed || e.Invoke {
		t.Fatalf("%+v", e.Execution)
	}
}

func TestOneInvocationAtATime(t *testing.T) {
	e := begin(t)
	e.take()
	e.mustCheckpoint("CALLBACK a START", "CALLBACK b START")
	if e.must(e.Callback(1, "cb1", nil, nil)); e.Invoke {
		t.Fatal("another invocation while one is under way")
	}
	if e.answer(`{"Status":"PENDING"}`); !e.Invoke {
		t.Fatal("what came during the invocation is never told")
	}
	first := e.Invocation
	e.take()
	second := e.Invocation
	if told, err := e.Take("third"); err != nil || !slices.Equal(told, []string{"a"}) { // the process was killed: the message comes again
		t.Fatal(told, err)
	}
	if err := e.Answered(Answer{Invocation: second}); !errors.Is(err, ErrLate) || first == second {
		t.Fatalf("an invocation that was given up answers: %v", err)
	}
	if e.answer(`{"Status":"PENDING"}`); e.Invoke {
		t.Fatal("invoked for what it was told already")
	}
}

func TestWire(t *testing.T) {
	e := begin(t)
	e.take()
	e.mustCheckpoint("CONTEXT a START", "WAIT b START wait=5 parent=a name=nap", "STEP c RETRY error=no retry=5", "CALLBACK d START",
		"CHAINED_INVOKE e START function=gone", "CONTEXT f SUCCEED payload=7 replay=true")
	want := []string{
		`{"Id":"x","Name":"n","Type":"EXECUTION","StartTimestamp":1764547200000,"Status":"STARTED","ExecutionDetails":{"InputPayload":"{}"}}`,
		`{"Id":"a","Type":"CONTEXT","StartTimestamp":1764547200000,"Status":"STARTED","ContextDetails":{}}`,
		`{"Id":"b","ParentId":"a","Name":"nap","Type":"WAIT","StartTimestamp":1764547200000,"Status":"STARTED","WaitDetails":{"ScheduledEndTimestamp":1764547205000}}`,
		`{"Id":"c","Type":"STEP","StartTimestamp":1764547200000,"Status":"PENDING","StepDetails":{"Attempt":1,"NextAttemptTimestamp":1764547205000,"Error":{"ErrorMessage":"no"}}}`,
		`{"Id":"d","Type":"CALLBACK","StartTimestamp":1764547200000,"Status":"STARTED","CallbackDetails":{"CallbackId":"cb4"}}`,
		`{"Id":"e","Type":"CHAINED_INVOKE","StartTimestamp":1764547200000,"EndTimestamp":1764547200000,"Status":"FAILED","ChainedInvokeDetails":{"Error":{"ErrorType":"ResourceNotFoundException"}}}`,
		`{"Id":"f","Type":"CONTEXT","StartTimestamp":1764547200000,"EndTimestamp":1764547200000,"Status":"SUCCEEDED","ContextDetails":{"ReplayChildren":true,"Result":"7"}}`,
	}
	for n, want := range want {
		op, err := e.Numbered(n)
		e.must(err)
		if got, err := op.Wire("{}"); err != nil || string(got) != want {
			t.Errorf("%s\nnot\n%s", got, want)
		}
	}
}

// FuzzCheckpoint sends an execution whatever a function may send, and lets time pass.
func FuzzCheckpoint(f *testing.F) {
	f.Add([]byte(`[{"Id":"a","Type":"STEP","Action":"START"},{"Id":"a","Type":"STEP","Action":"RETRY","StepOptions":{"NextAttemptDelaySeconds":3}}]`), uint16(3))
	f.Add([]byte(`[{"Id":"a","Type":"CONTEXT","Action":"START"},{"Id":"b","ParentId":"a","Type":"WAIT","Action":"START","WaitOptions":{"WaitSeconds":1}}]`), uint16(1))
	f.Add([]byte(`[{"Id":"a","Type":"CALLBACK","Action":"START","CallbackOptions":{"TimeoutSeconds":2,"HeartbeatTimeoutSeconds":1}}]`), uint16(9))
	f.Add([]byte(`[{"Id":"a","Type":"CHAINED_INVOKE","Action":"START","ChainedInvokeOptions":{"FunctionName":"gone"}},{"Id":"e","Type":"EXECUTION","Action":"FAIL"}]`), uint16(0))
	f.Fuzz(func(t *testing.T, updates []byte, seconds uint16) {
		var list []api.OperationUpdate
		if json.Unmarshal(updates, &list) != nil {
			return
		}
		for _, u := range list {
			if u.Id == nil || u.Type == nil || u.Action == nil || u.ChainedInvokeOptions != nil && u.ChainedInvokeOptions.FunctionName == nil {
				return // the front door refuses it
			}
		}
		e := begin(t)
		e.take()
		for range 2 {
			_, err := e.Checkpoint(e.place(), "", list)
			var r Refusal
			if errors.As(err, &r) {
				return // the transaction is given up
			}
			e.must(err)
			e.sound()
			e.later(time.Duration(seconds) * time.Second)
			if err := e.Tick(); err != nil && !errors.Is(err, ErrLate) {
				t.Fatal(err)
			}
			e.sound()
		}
		e.answer(`{"Status":"PENDING"}`)
		e.sound()
	})
}
