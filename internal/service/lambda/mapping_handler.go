package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/eventsource"
	"cirro/internal/sandbox"

	"github.com/google/uuid"
)

// mappingHandler has a mapping's batches handled by its function.
type mappingHandler struct {
	*Service
	mapping *mapping
	role    string // of the function
}

// windowEvent is what a function gets with tumbling windows, beside the records.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
type windowEvent struct {
	Window    windowTimes     `json:"window"`
	State     json.RawMessage `json:"state"`
	Shard     string          `json:"shardId"`
	SourceARN string          `json:"eventSourceARN"`
	Final     bool            `json:"isFinalInvokeForWindow"`
	Early     bool            `json:"isWindowTerminatedEarly"`
}

type windowTimes struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

// payload is the event of a batch. Its records are JSON, which need not be read and written again.
// https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
func (h *mappingHandler) payload(b *eventsource.Batch) []byte {
	out := append(make([]byte, 0, b.Size()+len(b.Records)+512), `{"Records":[`...)
	for i := range b.Records {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, b.Records[i].Event...)
	}
	out = append(out, ']')
	if w := b.Window; w != nil {
		more, err := json.Marshal(windowEvent{windowTimes{w.Start, w.End}, w.State, b.Shard, h.mapping.Source, w.Final, w.Early})
		if err != nil {
			panic(err) // JSON, strings and times
		}
		more[0] = ','
		return append(out, more...)
	}
	return append(out, '}')
}

// attempted is what came of an invocation, for the record of a batch that is given up.
type attempted struct {
	Request, Version, FunctionError string
}

// Handle invokes the function with a batch.
func (h *mappingHandler) Handle(ctx context.Context, b *eventsource.Batch) eventsource.Outcome {
	r, err := h.route(ctx, h.mapping.scope, h.mapping.Function, h.mapping.Qualifier)
	if err != nil {
		return eventsource.Outcome{Err: err, NotRun: true}
	}
	looping, rest := h.loops(r, b)
	if len(looping) > 0 && len(rest.Records) == 0 {
		return eventsource.Outcome{Err: recursive()}
	}
	o := h.invoke(ctx, r, rest)
	if o.Err == nil {
		o.Failed = append(o.Failed, looping...)
	}
	return o
}

// loops tells the records that have come to the function too often from the others. They stay in their queue,
// and come to its dead-letter queue if there is one.
func (h *mappingHandler) loops(r *route, b *eventsource.Batch) (looping []string, rest *eventsource.Batch) {
	rest = &eventsource.Batch{Shard: b.Shard, Window: b.Window, Attempt: b.Attempt, Records: b.Records}
	for i := range b.Records {
		if t := b.Records[i].Trace; t != "" && r.looping(r.trace(h.Clock(), t)) {
			looping = append(looping, b.Records[i].ID)
		}
	}
	if len(looping) > 0 {
		rest.Records = slices.DeleteFunc(slices.Clone(b.Records), func(x eventsource.Record) bool { return slices.Contains(looping, x.ID) })
		h.Log.Warn("lambda: messages are kept from a function that calls itself in a circle", "function", h.mapping.functionARN(), "messages", len(looping))
	}
	return looping, rest
}

// invoke invokes the function with a batch.
func (h *mappingHandler) invoke(ctx context.Context, r *route, b *eventsource.Batch) eventsource.Outcome {
	e := r.pick()
	inv := &sandbox.Invocation{RequestID: uuid.NewString(), InvokedARN: r.invokedARN, Payload: h.payload(b),
		TraceID: r.trace(h.Clock(), traces(b)...)}
	res, err := h.run(ctx, r, e, inv)
	if err != nil {
		return eventsource.Outcome{Err: err, NotRun: waits(err), Note: &attempted{Request: inv.RequestID, Version: e.Number}}
	}
	o := eventsource.Outcome{Note: &attempted{inv.RequestID, e.Number, res.FunctionError}}
	if res.FunctionError != "" {
		o.Err = fmt.Errorf("lambda: %s: %s", h.mapping.functionARN(), res.FunctionError)
		return o
	}
	if h.mapping.Partial {
		o.Failed, o.Err = eventsource.Failures(res.Payload, b)
	}
	if b.Window != nil {
		o.State = stateOf(res.Payload)
	}
	return o
}

// waits reports whether an invocation that failed was none, and may be one later.
func waits(err error) bool {
	return errors.Is(err, api.TooManyRequestsException) || errors.Is(err, api.ResourceNotFoundException) ||
		errors.Is(err, api.ResourceConflictException) || errors.Is(err, api.ServiceException)
}

// traces are the tracing headers of a batch's records.
func traces(b *eventsource.Batch) (all []string) {
	for i := range b.Records {
		if t := b.Records[i].Trace; t != "" {
			all = append(all, t)
		}
	}
	return all
}

// stateOf reads the state that a function returns for a window.
func stateOf(answer []byte) json.RawMessage {
	var a struct {
		State json.RawMessage `json:"state"`
	}
	if json.Unmarshal(answer, &a) != nil {
		return nil
	}
	return a.State
}

// Report keeps the result of the last batch.
func (h *mappingHandler) Report(result string) {
	err := h.changeMapping(h.ctx, h.mapping, func(now *mapping) bool {
		changed := now.Result != result
		now.Result = result
		return changed
	})
	if err != nil && h.ctx.Err() == nil {
		h.Log.Error("lambda: the result of an event source mapping cannot be kept", "uuid", h.mapping.UUID, "error", err)
	}
}

// session is the session that a function runs as, and that its sources are read and its outcomes delivered as.
func session(in scope, role, function string) awsapi.Principal {
	name := role[strings.LastIndexByte(role, '/')+1:]
	return awsapi.Principal{Account: in.Account, ARN: fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", in.Account, name, function)}
}

// queueURL is the address of a queue, as SQS's clients name it.
func queueURL(region, account, name string) string {
	return fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", region, account, name)
}
