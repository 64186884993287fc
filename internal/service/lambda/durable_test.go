package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// durableStage is a stage whose functions are durable: work is what they do with each invocation.
type durableStage struct {
	*stage
	work func(*working) string
}

// working is an invocation of a durable function.
type working struct {
	*durableStage
	name  string
	event durable.Invocation
	token string
	input string
	known map[string]api.Operation
}

func newDurableStage(t testing.TB, work func(*working) string, change ...func(*Deps)) *durableStage {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return newDurableStageOver(t, st, &memoryBlobs{}, work, change...)
}

func newDurableStageOver(t testing.TB, st store.Store, blobs *memoryBlobs, work func(*working) string, change ...func(*Deps)) *durableStage {
	d := &durableStage{work: work}
	d.stage = newStageOver(t, st, blobs, func(ctx context.Context, spec *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		w := &working{durableStage: d, name: spec.Function, known: map[string]api.Operation{}}
		if err := json.Unmarshal(inv.Payload, &w.event); err != nil || w.event.CheckpointToken == "" {
			return echo(ctx, spec, inv)
		}
		w.token = w.event.CheckpointToken
		if err := w.learn(); err != nil {
			return nil, err
		}
		answer := d.work(w)
		if message, ok := strings.CutPrefix(answer, "!"); ok {
			return &sandbox.Result{FunctionError: unhandled, Payload: fmt.Appendf(nil, `{"errorMessage":%q,"errorType":"Oops","stackTrace":["here"]}`, message)}, nil
		}
		return &sandbox.Result{Payload: []byte(answer)}, nil
	}, change...)
	return d
}

// learn reads the state that an invocation begins with.
func (w *working) learn() error {
	for _, b := range w.event.InitialExecutionState.Operations {
		var op struct {
			ID      string `json:"Id"`
			Status  string
			Details struct{ InputPayload string } `json:"ExecutionDetails"`
		}
		if err := json.Unmarshal(b, &op); err != nil {
			return err
		}
		w.known[op.ID] = api.Operation{Status: &op.Status}
		if len(w.known) == 1 {
			w.input = op.Details.InputPayload
		}
	}
	return nil
}

func (w *working) status(id string) string { return awsapi.Val(w.known[id].Status) }

// checkpoint sends updates, and learns what it is told.
func (w *working) checkpoint(updates ...api.OperationUpdate) error {
	out, err := w.CheckpointDurableExecution(w.ctx, &api.CheckpointDurableExecutionRequest{DurableExecutionArn: &w.event.DurableExecutionArn,
		CheckpointToken: &w.token, Updates: updates})
	if err != nil {
		return err
	}
	w.token = awsapi.Val(out.CheckpointToken)
	for _, op := range out.NewExecutionState.Operations {
		w.known[*op.Id] = op
	}
	return nil
}

func update(kind, id, action string, change ...func(*api.OperationUpdate)) api.OperationUpdate {
	u := api.OperationUpdate{Type: &kind, Id: &id, Action: &action}
	for _, f := range change {
		f(&u)
	}
	return u
}

func waiting(seconds int32) func(*api.OperationUpdate) {
	return func(u *api.OperationUpdate) { u.WaitOptions = &api.WaitOptions{WaitSeconds: &seconds} }
}

func payload(text string) func(*api.OperationUpdate) {
	return func(u *api.OperationUpdate) { u.Payload = &text }
}

func calling(name string) func(*api.OperationUpdate) {
	return func(u *api.OperationUpdate) { u.ChainedInvokeOptions = &api.ChainedInvokeOptions{FunctionName: &name} }
}

const (
	isPending = `{"Status":"PENDING"}`
	isDone    = `{"Status":"SUCCEEDED","Result":"\"done\""}`
)

// checkpointed is for what a function does: what is wrong with it is its failure.
func checkpointed(err error) string {
	if err != nil {
		return "!" + err.Error()
	}
	return isPending
}

func (d *durableStage) durable(name string, timeout int32, change ...func(*api.CreateFunctionRequest)) {
	d.t.Helper()
	d.function(name, append(change, func(in *api.CreateFunctionRequest) {
		in.DurableConfig = &api.DurableConfig{ExecutionTimeout: &timeout}
	})...)
}

// begin begins an execution that nobody waits for.
func (d *durableStage) begin(name, payload string) (arn string) {
	d.t.Helper()
	out, err := d.Invoke(d.ctx, &api.InvocationRequest{FunctionName: new(name + ":$LATEST"), InvocationType: new("Event"), Payload: []byte(payload)})
	if err != nil {
		d.t.Fatal(err)
	}
	if *out.StatusCode != 202 || out.DurableExecutionArn == nil {
		d.t.Fatalf("answered %+v", out)
	}
	return *out.DurableExecutionArn
}

func (d *durableStage) get(arn string) *api.GetDurableExecutionResponse {
	d.t.Helper()
	out, err := d.GetDurableExecution(d.ctx, &api.GetDurableExecutionRequest{DurableExecutionArn: &arn})
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// ended waits for the end of an execution.
func (d *durableStage) ended(arn string) (out *api.GetDurableExecutionResponse) {
	d.t.Helper()
	d.eventually("the execution to end", func() bool {
		out = d.get(arn)
		return *out.Status != api.ExecutionStatusRunning
	})
	return out
}

// history is the types of an execution's events, once the last invocation is among them.
func (d *durableStage) history(arn string, change ...func(*api.GetDurableExecutionHistoryRequest)) (types []string, marker *string) {
	d.t.Helper()
	in := &api.GetDurableExecutionHistoryRequest{DurableExecutionArn: &arn}
	for _, f := range change {
		f(in)
	}
	out, err := d.GetDurableExecutionHistory(d.ctx, in)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range out.Events {
		types = append(types, *e.EventType)
	}
	return types, out.NextMarker
}

// napping does a step, waits, and is done.
func napping(w *working) string {
	switch w.status("nap") {
	case "":
		return checkpointed(w.checkpoint(update("STEP", "work", "SUCCEED", payload("1")), update("WAIT", "nap", "START", waiting(60))))
	case "SUCCEEDED":
		if w.status("work") != "SUCCEEDED" || !slices.Equal(w.event.UpdatedOperationIds, []string{"nap"}) {
			return "!the state is lost"
		}
		return isDone
	}
	return isPending
}

func TestDurableFunction(t *testing.T) {
	d := newDurableStage(t, napping)
	d.durable("f", 600)
	out, err := d.invoke("f:$LATEST", `{"a":1}`)
	if err != nil {
		t.Fatal(err)
	}
	if *out.StatusCode != 200 || string(out.Payload) != `"done"` || out.FunctionError != nil || *out.ExecutedVersion != "$LATEST" {
		t.Fatalf("answered %+v", out)
	}
	arn := *out.DurableExecutionArn
	x := d.get(arn)
	if *x.Status != "SUCCEEDED" || *x.InputPayload != `{"a":1}` || *x.Result != `"done"` || *x.Version != "$LATEST" || x.EndTimestamp == nil ||
		*x.FunctionArn != "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST" || *x.DurableConfig.ExecutionTimeout != 600 ||
		*x.DurableConfig.RetentionPeriodInDays != 14 {
		t.Fatalf("%+v", x)
	}
	bare, err := d.GetDurableExecution(d.ctx, &api.GetDurableExecutionRequest{DurableExecutionArn: &arn, IncludeExecutionData: new(false)})
	if err != nil || bare.InputPayload != nil || bare.Result != nil || *bare.ExecutionDataIncluded {
		t.Fatal(bare, err)
	}
	want := []string{"ExecutionStarted", "StepSucceeded", "WaitStarted", "InvocationCompleted", "WaitSucceeded", "InvocationCompleted", "ExecutionSucceeded"}
	if got, _ := d.history(arn); !slices.Equal(got, want) {
		// the wait may have ended before its invocation did
		if want[3], want[4] = want[4], want[3]; !slices.Equal(got, want) {
			t.Fatalf("%v", got)
		}
	}
	d.pagedHistory(arn)
}

// pagedHistory compares an execution's history by pages, both ways, with the whole.
func (d *durableStage) pagedHistory(arn string) {
	d.t.Helper()
	whole, _ := d.history(arn)
	for _, reverse := range []bool{false, true} {
		var all []string
		for marker := (*string)(nil); ; {
			types, next := d.history(arn, func(in *api.GetDurableExecutionHistoryRequest) {
				in.MaxItems, in.Marker, in.ReverseOrder, in.IncludeExecutionData = new(int32(2)), marker, &reverse, new(false)
			})
			all = append(all, types...)
			if marker = next; marker == nil {
				break
			}
		}
		if reverse {
			slices.Reverse(all)
		}
		if !slices.Equal(all, whole) {
			d.t.Fatalf("by pages %v, whole %v", all, whole)
		}
	}
}

func TestDurableFailures(t *testing.T) {
	var invocations atomic.Int64
	d := newDurableStage(t, func(w *working) string {
		if w.input == `"crash"` {
			invocations.Add(1)
			return "!crashed"
		}
		return `{"Status":"FAILED","Error":{"ErrorMessage":"no","ErrorType":"T","StackTrace":["s"]}}`
	})
	d.durable("f", 600)
	out, err := d.invoke("f:$LATEST", `{}`)
	if err != nil || awsapi.Val(out.FunctionError) != "Unhandled" || string(out.Payload) != `{"errorMessage":"no","errorType":"T","stackTrace":["s"]}` {
		t.Fatalf("%+v %s %v", out, out.Payload, err)
	}
	x := d.ended(d.begin("f", `"crash"`))
	if *x.Status != "FAILED" || *x.Error.ErrorMessage != "crashed" || *x.Error.ErrorType != "Oops" || invocations.Load() != 5 {
		t.Fatalf("%+v after %d invocations", x, invocations.Load())
	}
}

func TestDurableNames(t *testing.T) {
	release := make(chan struct{})
	d := newDurableStage(t, func(*working) string {
		<-release
		return isDone
	})
	d.durable("f", 600)
	invoke := func(payload, kind string) (*api.InvocationResponse, error) {
		return d.Invoke(d.ctx, &api.InvocationRequest{FunctionName: new("f"), Qualifier: new("$LATEST"), DurableExecutionName: new("order-1"),
			InvocationType: &kind, Payload: []byte(payload)})
	}
	first, err := invoke(`{"a":1}`, "Event")
	if err != nil || !strings.Contains(*first.DurableExecutionArn, ":function:f:$LATEST/durable-execution/order-1/") {
		t.Fatal(first, err)
	}
	if _, err := invoke(`{"a":2}`, "Event"); !errors.Is(err, api.DurableExecutionAlreadyStartedException) {
		t.Fatal(err)
	}
	again, err := invoke(`{"a":1}`, "Event")
	if err != nil || *again.DurableExecutionArn != *first.DurableExecutionArn {
		t.Fatal(again, err)
	}
	var waited sync.WaitGroup
	waited.Go(func() {
		out, err := invoke(`{"a":1}`, "RequestResponse") // waits for the one that runs
		if err != nil || string(out.Payload) != `"done"` {
			t.Error(out, err)
		}
	})
	d.eventually("somebody to wait", func() bool {
		awaited := false
		err := d.store.View(d.ctx, func(r store.Reader) error {
			x, _, err := store.GetRecord[durable.Execution](r, executionKey(executionID(*first.DurableExecutionArn)))
			awaited = x.Awaited
			return err
		})
		return err == nil && awaited
	})
	close(release)
	waited.Wait()
	if out, err := invoke(`{"a":1}`, "RequestResponse"); err != nil || string(out.Payload) != `"done"` || *out.DurableExecutionArn != *first.DurableExecutionArn {
		t.Fatal(out, err)
	}
}

func TestDurableRefusals(t *testing.T) {
	d := newDurableStage(t, func(*working) string { return isDone })
	d.durable("f", 600)
	d.durable("long", 86400)
	d.function("plain")
	for name, c := range map[string]struct {
		call func() error
		want string
	}{
		"no version":   {func() error { _, err := d.invoke("f", `{}`); return err }, "You cannot invoke a durable function using an unqualified ARN."},
		"too long":     {func() error { _, err := d.invoke("long:$LATEST", `{}`); return err }, "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."},
		"a plain name": {func() error { return d.nameOnly("plain") }, "You cannot name an execution of a function that is not durable."},
		"no timeout": {func() error {
			return d.create("g", &api.DurableConfig{RetentionPeriodInDays: new(int32(3))})
		}, "You cannot create a function with a durable configuration without an executionTimeout"},
		"a plain function": {func() error {
			_, err := d.UpdateFunctionConfiguration(d.ctx, &api.UpdateFunctionConfigurationRequest{FunctionName: new("plain"),
				DurableConfig: &api.DurableConfig{ExecutionTimeout: new(int32(60))}})
			return err
		}, "You cannot add a durable configuration to an existing function."},
		"no token": {func() error {
			_, err := d.CheckpointDurableExecution(d.ctx, &api.CheckpointDurableExecutionRequest{DurableExecutionArn: new("arn"), CheckpointToken: new("bm8=")})
			return err
		}, "Invalid checkpoint token"},
		"another's token": {func() error {
			token := d.checkpointToken("id", durable.Place{})
			_, err := d.CheckpointDurableExecution(d.ctx, &api.CheckpointDurableExecutionRequest{DurableExecutionArn: new("arn"), CheckpointToken: &token})
			return err
		}, "Checkpoint token is not valid for the durable execution ARN"},
		"no callback": {func() error {
			_, err := d.SendDurableExecutionCallbackSuccess(d.ctx, &api.SendDurableExecutionCallbackSuccessRequest{CallbackId: new("bm8=")})
			return err
		}, "Invalid callback id"},
	} {
		if err := c.call(); !errors.Is(err, api.InvalidParameterValueException) || err.(*awsapi.Error).Message != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	arn := d.begin("f", `{}`)
	if _, err := d.GetDurableExecution(requestContext("r"), &api.GetDurableExecutionRequest{DurableExecutionArn: new(arn + "x")}); !errors.Is(err, api.ResourceNotFoundException) {
		t.Error(err)
	}
}

func (d *durableStage) nameOnly(name string) error {
	_, err := d.Invoke(d.ctx, &api.InvocationRequest{FunctionName: &name, DurableExecutionName: new("n")})
	return err
}

func (d *durableStage) create(name string, c *api.DurableConfig) error {
	_, err := d.CreateFunction(d.ctx, &api.CreateFunctionRequest{FunctionName: &name, Runtime: new("python3.13"), Handler: new("app.handler"),
		Role: new("arn:aws:iam::000000000000:role/r"), Code: &api.FunctionCode{ZipFile: zipOf(d.t, "app.py", "x = 1")}, DurableConfig: c})
	return err
}

func TestDurableConfiguration(t *testing.T) {
	d := newDurableStage(t, nil)
	d.durable("f", 600)
	out, err := d.UpdateFunctionConfiguration(d.ctx, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"),
		DurableConfig: &api.DurableConfig{RetentionPeriodInDays: new(int32(3))}})
	if err != nil || *out.DurableConfig.ExecutionTimeout != 600 || *out.DurableConfig.RetentionPeriodInDays != 3 {
		t.Fatal(out, err)
	}
}

// approved waits for a callback, and answers what it was told.
func approved(ids chan<- string) func(*working) string {
	return func(w *working) string {
		switch w.status("approval") {
		case "":
			err := w.checkpoint(update("CALLBACK", "approval", "START"))
			if err == nil {
				ids <- *w.known["approval"].CallbackDetails.CallbackId
			}
			return checkpointed(err)
		case "SUCCEEDED":
			return isDone
		case "FAILED":
			return `{"Status":"FAILED","Error":{"ErrorMessage":"declined"}}`
		}
		return isPending
	}
}

func TestDurableCallbacks(t *testing.T) {
	ids := make(chan string, 10)
	d := newDurableStage(t, approved(ids))
	d.durable("f", 600)
	arn := d.begin("f", `{}`)
	id := <-ids
	if _, err := d.SendDurableExecutionCallbackHeartbeat(d.ctx, &api.SendDurableExecutionCallbackHeartbeatRequest{CallbackId: &id}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SendDurableExecutionCallbackSuccess(d.ctx, &api.SendDurableExecutionCallbackSuccessRequest{CallbackId: &id, Result: []byte("7")}); err != nil {
		t.Fatal(err)
	}
	if x := d.ended(arn); *x.Status != "SUCCEEDED" {
		t.Fatalf("%+v", x)
	}
	if _, err := d.SendDurableExecutionCallbackFailure(d.ctx, &api.SendDurableExecutionCallbackFailureRequest{CallbackId: &id}); !errors.Is(err, api.CallbackTimeoutException) {
		t.Fatal(err)
	}
	arn = d.begin("f", `{}`)
	id = <-ids
	if _, err := d.SendDurableExecutionCallbackFailure(d.ctx, &api.SendDurableExecutionCallbackFailureRequest{CallbackId: &id}); err != nil {
		t.Fatal(err)
	}
	if x := d.ended(arn); *x.Status != "FAILED" || *x.Error.ErrorMessage != "declined" {
		t.Fatalf("%+v", x)
	}
}

// chaining calls the functions that its input names, and answers what came of them.
func chaining(w *working) string {
	var names []string
	if json.Unmarshal([]byte(w.input), &names) != nil {
		return isDone
	}
	if w.status("0") == "" {
		var updates []api.OperationUpdate
		for i, name := range names {
			updates = append(updates, update("CHAINED_INVOKE", fmt.Sprint(i), "START", calling(name), payload(`"hello"`)))
		}
		if err := w.checkpoint(updates...); err != nil {
			return checkpointed(err)
		}
	}
	var all []string
	for i := range names {
		if w.status(fmt.Sprint(i)) == "STARTED" {
			return isPending
		}
		all = append(all, w.status(fmt.Sprint(i)))
	}
	b, _ := json.Marshal(strings.Join(all, " "))
	b, _ = json.Marshal(string(b))
	return `{"Status":"SUCCEEDED","Result":` + string(b) + `}`
}

func TestDurableChains(t *testing.T) {
	d := newDurableStage(t, chaining)
	d.durable("f", 600)
	d.function("plain")
	x := d.ended(d.begin("f", `["plain","f:$LATEST","missing","f"]`))
	if *x.Status != "SUCCEEDED" || *x.Result != `"SUCCEEDED SUCCEEDED FAILED FAILED"` {
		t.Fatalf("%+v %s", x, awsapi.Val(x.Result))
	}
	events, err := d.GetDurableExecutionHistory(d.ctx, &api.GetDurableExecutionHistoryRequest{DurableExecutionArn: x.DurableExecutionArn})
	if err != nil {
		t.Fatal(err)
	}
	said := map[string]string{}
	for _, e := range events.Events {
		if s := e.ChainedInvokeSucceededDetails; s != nil {
			said[*e.Id] = *s.Result.Payload
		}
		if s := e.ChainedInvokeFailedDetails; s != nil {
			said[*e.Id] = *s.Error.Payload.ErrorType
		}
		if s := e.ChainedInvokeStartedDetails; s != nil && *e.Id == "1" && (s.DurableExecutionArn == nil || *s.ExecutedVersion != "$LATEST") {
			t.Errorf("%+v", s)
		}
	}
	if said["0"] != `"hello"` || said["1"] != `"done"` || said["2"] != "ResourceNotFoundException" || said["3"] != "InvalidParameterValueException" {
		t.Errorf("%v", said)
	}
}

func TestDurableStop(t *testing.T) {
	ids := make(chan string, 10)
	d := newDurableStage(t, approved(ids))
	d.durable("f", 600)
	arn := d.begin("f", `{}`)
	id := <-ids
	out, err := d.StopDurableExecution(d.ctx, &api.StopDurableExecutionRequest{DurableExecutionArn: &arn, Error: &api.ErrorObject{ErrorMessage: new("enough")}})
	if err != nil {
		t.Fatal(err)
	}
	if x := d.get(arn); *x.Status != "STOPPED" || !x.EndTimestamp.Equal(*out.StopTimestamp) || *x.Error.ErrorMessage != "enough" {
		t.Fatalf("%+v", x)
	}
	if again, err := d.StopDurableExecution(d.ctx, &api.StopDurableExecutionRequest{DurableExecutionArn: &arn}); err != nil || !again.StopTimestamp.Equal(*out.StopTimestamp) {
		t.Fatal(again, err)
	}
	if _, err := d.SendDurableExecutionCallbackSuccess(d.ctx, &api.SendDurableExecutionCallbackSuccessRequest{CallbackId: &id}); !errors.Is(err, api.CallbackTimeoutException) {
		t.Fatal(err)
	}
}

func TestDurableExecutionsTimeOutAndAreForgotten(t *testing.T) {
	ids := make(chan string, 10)
	clock := standing.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	d := newDurableStage(t, approved(ids), func(d *Deps) { d.Clock = clock.Now })
	d.durable("f", 600)
	arn := d.begin("f", `{}`)
	<-ids
	clock.Add(10 * time.Minute)
	d.durables.Poke()
	x := d.ended(arn)
	if *x.Status != "TIMED_OUT" || *x.Error.ErrorMessage != "Execution timed out after 600 seconds." {
		t.Fatalf("%+v", x)
	}
	clock.Add(13 * 24 * time.Hour)
	d.durables.Poke()
	d.get(arn)
	clock.Add(24 * time.Hour)
	d.durables.Poke()
	d.eventually("the execution to be forgotten", func() bool {
		_, err := d.GetDurableExecution(d.ctx, &api.GetDurableExecutionRequest{DurableExecutionArn: &arn})
		return errors.Is(err, api.ResourceNotFoundException)
	})
	left := 0
	err := d.store.View(d.ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("durable")) {
			if err != nil {
				return err
			}
			t.Logf("%q is left", kv.Key)
			left++
		}
		return nil
	})
	if err != nil || left > 0 {
		t.Fatal(left, err)
	}
}

func TestDurableExecutionsAreListed(t *testing.T) {
	clock := standing.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	d := newDurableStage(t, func(w *working) string {
		if w.input == `"fail"` {
			return `{"Status":"FAILED"}`
		}
		return isDone
	}, func(d *Deps) { d.Clock = clock.Now })
	d.durable("f", 600)
	var arns []string
	for i := range 5 {
		text := `"well"`
		if i == 2 {
			text = `"fail"`
		}
		arns = append(arns, d.begin("f", text))
		d.ended(arns[i])
		clock.Add(time.Second)
	}
	for name, c := range map[string]struct {
		change func(*api.ListDurableExecutionsByFunctionRequest)
		want   []int
	}{
		"all":       {func(*api.ListDurableExecutionsByFunctionRequest) {}, []int{4, 3, 2, 1, 0}},
		"in order":  {func(in *api.ListDurableExecutionsByFunctionRequest) { in.ReverseOrder = new(true) }, []int{0, 1, 2, 3, 4}},
		"failed":    {func(in *api.ListDurableExecutionsByFunctionRequest) { in.Statuses = []string{"FAILED", "STOPPED"} }, []int{2}},
		"a version": {func(in *api.ListDurableExecutionsByFunctionRequest) { in.Qualifier = new("$LATEST") }, []int{4, 3, 2, 1, 0}},
		"a name": {func(in *api.ListDurableExecutionsByFunctionRequest) {
			in.DurableExecutionName = new(strings.Split(arns[3], "/")[2])
		}, []int{3}},
		"some time": {func(in *api.ListDurableExecutionsByFunctionRequest) {
			in.StartedAfter, in.StartedBefore = new(clock.Now().Add(-5*time.Second)), new(clock.Now().Add(-2*time.Second))
		}, []int{2, 1}},
		"no time": {func(in *api.ListDurableExecutionsByFunctionRequest) {
			in.StartedAfter, in.StartedBefore = new(clock.Now()), new(clock.Now().Add(-time.Hour))
		}, nil},
	} {
		for _, size := range []int32{0, 2} {
			var got []int
			in := &api.ListDurableExecutionsByFunctionRequest{FunctionName: new("f"), MaxItems: &size}
			for c.change(in); ; {
				out, err := d.ListDurableExecutionsByFunction(d.ctx, in)
				if err != nil {
					t.Fatal(name, err)
				}
				for _, x := range out.DurableExecutions {
					got = append(got, slices.Index(arns, *x.DurableExecutionArn))
				}
				if in.Marker = out.NextMarker; in.Marker == nil {
					break
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s, by %d: %v, not %v", name, size, got, c.want)
			}
		}
	}
	if _, err := d.ListDurableExecutionsByFunction(d.ctx, &api.ListDurableExecutionsByFunctionRequest{FunctionName: new("none")}); !errors.Is(err, api.ResourceNotFoundException) {
		t.Error(err)
	}
}

func TestDurableState(t *testing.T) {
	d := newDurableStage(t, func(w *working) string {
		err := w.checkpoint(update("CONTEXT", "kept", "START"), update("CONTEXT", "folded", "START"))
		for i := range 3 {
			if err == nil {
				err = w.checkpoint(update("STEP", fmt.Sprint("k", i), "SUCCEED", func(u *api.OperationUpdate) { u.ParentId = new("kept") }),
					update("CONTEXT", fmt.Sprint("f", i), "START", func(u *api.OperationUpdate) { u.ParentId = new("folded") }),
					update("STEP", fmt.Sprint("ff", i), "SUCCEED", func(u *api.OperationUpdate) { u.ParentId = new(fmt.Sprint("f", i)) }))
			}
		}
		if err == nil {
			err = w.checkpoint(update("CONTEXT", "folded", "SUCCEED"), update("CONTEXT", "kept", "SUCCEED", func(u *api.OperationUpdate) {
				u.ContextOptions = &api.ContextOptions{ReplayChildren: new(true)}
			}))
		}
		var all []string
		in := &api.GetDurableExecutionStateRequest{DurableExecutionArn: &w.event.DurableExecutionArn, CheckpointToken: &w.token, MaxItems: new(int32(2))}
		for err == nil {
			var out *api.GetDurableExecutionStateResponse
			if out, err = w.GetDurableExecutionState(w.ctx, in); err != nil {
				break
			}
			for _, op := range out.Operations {
				all = append(all, *op.Id)
			}
			if in.Marker = out.NextMarker; in.Marker == nil {
				break
			}
		}
		if err != nil {
			return `{"Status":"FAILED","Error":{"ErrorMessage":"` + err.Error() + `"}}`
		}
		return `{"Status":"SUCCEEDED","Result":"` + strings.Join(all[1:], " ") + `"}`
	})
	d.durable("f", 600)
	if x := d.ended(d.begin("f", `{}`)); awsapi.Val(x.Result) != "kept folded k0 k1 k2" {
		t.Fatalf("%s %+v", awsapi.Val(x.Result), x.Error)
	}
}

// TestDurableExecutionsOutliveTheService closes the service while executions wait, and while one is in an invocation, which is lost.
func TestDurableExecutionsOutliveTheService(t *testing.T) {
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	blobs := &memoryBlobs{}
	ids := make(chan string, 10)
	var lost atomic.Bool
	lost.Store(true)
	begun := make(chan struct{})
	work := func(w *working) string {
		if w.input != `"long"` {
			return approved(ids)(w)
		}
		if lost.CompareAndSwap(true, false) {
			if err := w.checkpoint(update("STEP", "first", "SUCCEED")); err != nil {
				return checkpointed(err)
			}
			close(begun)
			<-w.Service.ctx.Done()
			return "!lost"
		}
		return `{"Status":"SUCCEEDED","Result":"` + w.status("first") + `"}`
	}
	d := newDurableStageOver(t, st, blobs, work)
	d.durable("f", 600)
	waits, long := d.begin("f", `{}`), d.begin("f", `"long"`)
	id := <-ids
	<-begun
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = newDurableStageOver(t, st, blobs, work)
	if _, err := d.SendDurableExecutionCallbackSuccess(d.ctx, &api.SendDurableExecutionCallbackSuccessRequest{CallbackId: &id}); err != nil {
		t.Fatal(err)
	}
	if x := d.ended(waits); *x.Status != "SUCCEEDED" {
		t.Fatalf("%+v", x)
	}
	if x := d.ended(long); awsapi.Val(x.Result) != "SUCCEEDED" {
		t.Fatalf("what was checkpointed is lost: %+v", x)
	}
}

func TestDurableOutcomesAreDelivered(t *testing.T) {
	calls := newSwitchboard()
	d := newDurableStage(t, func(w *working) string {
		if w.input == `"fail"` {
			return `{"Status":"FAILED","Error":{"ErrorMessage":"no"}}`
		}
		return isDone
	}, func(d *Deps) { d.Caller = calls })
	d.durable("f", 600)
	d.onEvent("f", func(in *api.PutFunctionEventInvokeConfigRequest) {
		in.Qualifier, in.DestinationConfig = new("$LATEST"), destinations(queueARN, topicARN)
	})
	d.begin("f", `{}`)
	if c := calls.next(t); c.service != "sqs" {
		t.Fatalf("%+v", c)
	}
	d.begin("f", `"fail"`)
	if c := calls.next(t); c.service != "sns" {
		t.Fatalf("%+v", c)
	}
}

func TestDurableAnswerAsAStream(t *testing.T) {
	d := newDurableStage(t, napping)
	d.durable("f", 600)
	out, err := d.InvokeWithResponseStream(d.ctx, &api.InvokeWithResponseStreamRequest{FunctionName: new("f:$LATEST")})
	if err != nil {
		t.Fatal(err)
	}
	var said []byte
	err = out.EventStream(func(e any) error {
		if c := e.(*api.InvokeWithResponseStreamResponseEvent).PayloadChunk; c != nil {
			said = append(said, c.Payload...)
		}
		return nil
	})
	if err != nil || string(said) != `"done"` {
		t.Fatalf("%s %v", said, err)
	}
}

func TestDurableFunctionThatIsGone(t *testing.T) {
	ids := make(chan string, 10)
	d := newDurableStage(t, approved(ids))
	d.durable("f", 600)
	arn := d.begin("f", `{}`)
	id := <-ids
	d.eventually("the invocation to end", func() bool { types, _ := d.history(arn); return slices.Contains(types, "InvocationCompleted") })
	if _, err := d.DeleteFunction(d.ctx, &api.DeleteFunctionRequest{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.SendDurableExecutionCallbackSuccess(d.ctx, &api.SendDurableExecutionCallbackSuccessRequest{CallbackId: &id}); err != nil {
		t.Fatal(err)
	}
	if x := d.ended(arn); *x.Status != "FAILED" || *x.Error.ErrorType != "ResourceNotFoundException" {
		t.Fatalf("%+v", x)
	}
}

// FuzzSealed reads what anybody may send for a token, and what was made.
func FuzzSealed(f *testing.F) {
	s := &Service{signing: []byte("key")}
	f.Add("bm8=", "id", int64(3), "more")
	f.Add(s.sealed("callback", "id", 1, ""), "", int64(-1), "\x00")
	f.Add(s.sealed("checkpoint", "id", 1, ""), "", int64(0), "")
	f.Fuzz(func(t *testing.T, text, id string, n int64, more string) {
		if id, n, more, ok := s.unsealed("checkpoint", text); ok && (id != "id" || n != 1 || more != "") {
			t.Fatalf("%q was never sealed", text)
		}
		if strings.Contains(id, "\x00") {
			return
		}
		made := s.sealed("checkpoint", id, n, more)
		if id2, n2, more2, ok := s.unsealed("checkpoint", made); !ok || id2 != id || n2 != n || more2 != more {
			t.Fatalf("%q %d %q came back as %q %d %q", id, n, more, id2, n2, more2)
		}
		if _, _, _, ok := s.unsealed("callback", made); ok {
			t.Fatal("a token of another kind is good")
		}
	})
}
