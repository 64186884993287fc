package durable

import (
	"errors"
	"strings"
	"testing"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// TestUpdates sends one checkpoint after the other. The last one is told of as it says, or refused.
func TestUpdates(t *testing.T) {
	for _, c := range []struct{ name, updates, want string }{
		{"nothing", "", ""},
		{"a step", "STEP a START", "a STARTED"},
		{"a step at once", "STEP a START; STEP a SUCCEED payload=1", "a SUCCEEDED"},
		{"a step that was not begun", "STEP a SUCCEED payload=1", "a SUCCEEDED"},
		{"a step that fails", "STEP a START | STEP a FAIL error=no", "a FAILED"},
		{"a step again", "STEP a START | STEP a START", "!Invalid current STEP state to start."},
		{"a step that ended", "STEP a SUCCEED | STEP a FAIL", "!Invalid current STEP state to close."},
		{"a step that ended, again", "STEP a SUCCEED | STEP a RETRY retry=1", "!Invalid current STEP state to re-attempt."},
		{"a retry", "STEP a START | STEP a RETRY error=no retry=3", "a PENDING"},
		{"a retry without a time", "STEP a START | STEP a RETRY error=no", "!Invalid StepOptions for the given action."},
		{"a retry with both", "STEP a START | STEP a RETRY error=no payload=1 retry=1", "!Cannot provide both error and payload to RETRY a STEP."},
		{"a retry that is not due", "STEP a RETRY error=no retry=1 | STEP a START", "!Invalid current STEP state to start."},
		{"a failure with a payload", "STEP a FAIL payload=1", "!Cannot provide a Payload for FAIL action."},
		{"a success with an error", "CONTEXT a SUCCEED error=no", "!Cannot provide an Error for SUCCEED action."},
		{"a context", "CONTEXT a START; STEP b START parent=a", "a STARTED, b STARTED"},
		{"a context again", "CONTEXT a START | CONTEXT a START", "!Cannot start a CONTEXT that already exist."},
		{"a context that ends", "CONTEXT a START | CONTEXT a SUCCEED payload=1", "a SUCCEEDED"},
		{"a context that ended", "CONTEXT a FAIL | CONTEXT a SUCCEED", "!Invalid current CONTEXT state to close."},
		{"a parent that is not there", "STEP b START parent=a", "!Invalid parent operation id."},
		{"a parent that is no context", "STEP a START | STEP b START parent=a", "!Invalid parent operation id."},
		{"a wait", "WAIT a START wait=5", "a STARTED"},
		{"a wait for nothing", "WAIT a START", "!Update for WAIT operation requires WaitOptions."},
		{"a wait again", "WAIT a START wait=5 | WAIT a START wait=5", "!Cannot start a WAIT that already exist."},
		{"a wait that is given up", "WAIT a START wait=5 | WAIT a CANCEL", "a CANCELLED"},
		{"no wait that is given up", "WAIT a CANCEL", "!Cannot cancel a WAIT that does not exist or has already completed."},
		{"a callback", "CALLBACK a START", "a STARTED"},
		{"a callback again", "CALLBACK a START | CALLBACK a START", "!Cannot start a CALLBACK that already exist."},
		{"an answer of one's own", "CALLBACK a START | CALLBACK a SUCCEED", "!Invalid action for the given operation type."},
		{"a call", "CHAINED_INVOKE a START function=plain", "a STARTED"},
		{"a call of what is not there", "CHAINED_INVOKE a START function=gone", "a FAILED"},
		{"a call of nothing", "CHAINED_INVOKE a START", "!Update for CHAINED_INVOKE operation requires ChainedInvokeOptions."},
		{"a call again", "CHAINED_INVOKE a START function=plain | CHAINED_INVOKE a START function=plain", "!Cannot start a CHAINED_INVOKE that already exist."},
		{"an unknown type", "NAP a START", "!Unknown operation type."},
		{"another type", "STEP a START | CONTEXT a START", "!Inconsistent operation type."},
		{"another name", "STEP a START name=x | STEP a SUCCEED name=y", "!Inconsistent operation name."},
		{"another subtype", "STEP a START sub=x | STEP a SUCCEED sub=y", "!Inconsistent operation subtype."},
		{"another parent", "CONTEXT p START; STEP a START | STEP a SUCCEED parent=p", "!Inconsistent parent operation id."},
		{"one twice", "STEP a SUCCEED; STEP a SUCCEED", "!Cannot checkpoint multiple operations with the same ID."},
		{"three of one", "STEP a START; STEP a RETRY retry=1; STEP a SUCCEED", "!Cannot checkpoint multiple operations with the same ID."},
		{"a wait twice", "WAIT a START wait=1; WAIT a CANCEL", "!Cannot checkpoint multiple operations with the same ID."},
		{"two ends", "EXECUTION e SUCCEED; EXECUTION e SUCCEED", "!Cannot checkpoint multiple EXECUTION updates."},
		{"an end before the end", "EXECUTION e SUCCEED; STEP a START", "!EXECUTION checkpoint must be the last update."},
		{"an end that begins", "EXECUTION e START", "!Invalid action for the given operation type."},
		{"too much", "STEP a SUCCEED payload=" + strings.Repeat("x", MostPayload+1), "!STEP payload size must be less than or equal to 1048576 bytes."},
		{"too much for another", "CHAINED_INVOKE a START function=plain payload=" + strings.Repeat("x", MostPayload+1), "!CHAINED_INVOKE input payload size must be less than or equal to 1048576 bytes."},
		{"too much of an error", "STEP a FAIL error=" + strings.Repeat("x", MostPayload), "!Error object size must be less than 1048576 bytes."},
		{"too large a result", "EXECUTION e SUCCEED payload=" + strings.Repeat("x", MostPayload+1), "!Execution output payload size must be less than or equal to 1048576 bytes."},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := begin(t)
			e.take()
			told, err := "", error(nil)
			for _, updates := range strings.Split(c.updates, " | ") {
				if err != nil {
					t.Fatal(err)
				}
				if updates == "" {
					told, err = e.checkpoint()
					continue
				}
				told, err = e.checkpoint(strings.Split(updates, "; ")...)
			}
			var r Refusal
			if errors.As(err, &r) {
				told = "!" + string(r)
			} else {
				e.must(err)
				e.sound()
			}
			if told != c.want {
				t.Errorf("told %.200q, not %q", told, c.want)
			}
		})
	}
}

func TestTokensAreGoodForOneCheckpoint(t *testing.T) {
	e := begin(t)
	if _, err := e.Checkpoint(Place{}, "", nil); err != ErrToken {
		t.Fatalf("before an invocation: %v", err)
	}
	e.take()
	first := e.place()
	update := []api.OperationUpdate{parseUpdate("WAIT a START wait=5")}
	reply, err := e.Checkpoint(first, "once", update)
	e.must(err)
	if len(reply.Operations) != 1 || *reply.Place != (Place{first.Invocation, first.Sequence + 1}) {
		t.Fatalf("answered %+v", reply)
	}
	if _, err := e.Checkpoint(first, "twice", update); err != ErrToken {
		t.Fatalf("a token that was used: %v", err)
	}
	same, err := e.Checkpoint(first, "once", update)
	e.must(err)
	if len(same.Operations) != 1 || *same.Place != *reply.Place || e.Operations != 2 {
		t.Fatalf("sent again, answered %+v", same)
	}
	e.answer(`{"Status":"PENDING"}`)
	if _, err := e.Checkpoint(*reply.Place, "", nil); err != ErrToken {
		t.Fatalf("after the invocation: %v", err)
	}
	e.later(5 * time.Second)
	e.must(e.Tick())
	e.take()
	if _, err := e.Checkpoint(*reply.Place, "", nil); err != ErrToken {
		t.Fatalf("in the next invocation: %v", err)
	}
}

func TestCheckpointEndsTheExecution(t *testing.T) {
	e := begin(t)
	e.take()
	reply, err := e.Checkpoint(e.place(), "", []api.OperationUpdate{parseUpdate("WAIT a START wait=5"), parseUpdate("EXECUTION e SUCCEED payload=7")})
	e.must(err)
	if reply.Place != nil || !e.Ended || e.Status != api.ExecutionStatusSucceeded || *e.Step.Result != "7" {
		t.Fatalf("%+v after %+v", e.Execution, reply)
	}
	e.answer(`{"Status":"SUCCEEDED","Result":""}`)
	if want := "ExecutionStarted WaitStarted ExecutionSucceeded InvocationCompleted"; e.history() != want || *e.Step.Result != "7" {
		t.Fatal(e.history())
	}
}

func TestWhatIsDueIsToldWithTheNextCheckpoint(t *testing.T) {
	e := begin(t)
	e.take()
	e.mustCheckpoint("WAIT a START wait=5", "STEP b RETRY payload=1 retry=5", "STEP c START")
	e.later(5 * time.Second)
	if told := e.mustCheckpoint(); told != "a SUCCEEDED, b READY" {
		t.Fatalf("told %q", told)
	}
	if b := e.op("b"); b.Attempt != 1 || b.Result == nil || *b.Result != "1" {
		t.Fatalf("the step lost what it saw: %+v", b)
	}
	e.answer(`{"Status":"FAILED"}`)
	e.sound()
}
