package pipes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/pipes"
	"cirro/internal/eventsource"
	"cirro/internal/target"
)

// handler carries a pipe's batches from its source to its target.
type handler struct {
	*Service
	pipe            *pipe
	before, between template // of the enrichment, and of the target
	to              target.ARN
}

var _ eventsource.Handler = (*handler)(nil)

func newHandler(s *Service, p *pipe) (h *handler, err error) {
	h = &handler{Service: s, pipe: p}
	if h.before, err = parseTemplate(enrichmentTemplate(p)); err != nil {
		return nil, err
	}
	if h.between, err = parseTemplate(targetTemplate(p)); err != nil {
		return nil, err
	}
	h.to, _ = target.ParseARN(p.Target)
	return h, nil
}

// Handle sends a batch through the enrichment to the target.
func (h *handler) Handle(ctx context.Context, b *eventsource.Batch) eventsource.Outcome {
	items := make([]item, len(b.Records))
	for i := range b.Records {
		items[i] = item(b.Records[i].Event)
	}
	items, err := h.enrich(ctx, b, items)
	if err != nil {
		return outcome(err)
	}
	if len(items) == 0 {
		return eventsource.Outcome{}
	}
	if h.to.Service == "lambda" || h.to.Service == "states" {
		return h.sendWhole(ctx, b, items)
	}
	return h.sendEach(ctx, b, items)
}

// outcome is that of a batch that failed as a whole. What is throttled was not tried.
func outcome(err error) eventsource.Outcome {
	var e *awsapi.Error
	throttled := errors.As(err, &e) && e.Type.Status == http.StatusTooManyRequests
	return eventsource.Outcome{Err: err, NotRun: throttled}
}

// enrich has the enrichment, if there is one, make others of the items.
func (h *handler) enrich(ctx context.Context, b *eventsource.Batch, items []item) ([]item, error) {
	if h.pipe.Enrichment == "" {
		return items, nil
	}
	answer, err := h.sender.Send(ctx, &target.Letter{Target: h.pipe.Enrichment, Body: h.array(h.before, items), As: h.pipe.session(),
		TraceID: traceOf(b), Wait: true})
	if err != nil {
		return nil, err
	}
	return enriched(answer), nil
}

// enriched reads what an enrichment answers: an array of items, or one. Nothing, an empty string, an empty
// object and an empty array are no items.
func enriched(answer []byte) []item {
	answer = bytes.TrimSpace(answer)
	switch string(answer) {
	case "", `""`, "{}", "[]":
		return nil
	}
	var list []json.RawMessage
	if json.Unmarshal(answer, &list) != nil || list == nil {
		return []item{item(answer)}
	}
	items := make([]item, len(list))
	for i := range list {
		items[i] = item(list[i])
	}
	return items
}

// array is what a function gets of items.
func (h *handler) array(t template, items []item) []byte {
	list := make([]json.RawMessage, len(items))
	for i := range items {
		list[i] = h.pipe.render(t, items[i], h.Clock()).json()
	}
	return encode(list)
}

func traceOf(b *eventsource.Batch) string {
	for i := range b.Records {
		if b.Records[i].Trace != "" {
			return b.Records[i].Trace
		}
	}
	return ""
}

// sendWhole sends all items to a target at once. A function that is waited for may say which of them failed.
func (h *handler) sendWhole(ctx context.Context, b *eventsource.Batch, items []item) eventsource.Outcome {
	wait := true
	if t := awsapi.Val(h.pipe.To); t.LambdaFunctionParameters != nil {
		wait = awsapi.Val(t.LambdaFunctionParameters.InvocationType) != api.PipeTargetInvocationTypeFireAndForget
	}
	answer, err := h.sender.Send(ctx, &target.Letter{Target: h.pipe.Target, Body: h.array(h.between, items), As: h.pipe.session(),
		TraceID: traceOf(b), Wait: wait && h.to.Service == "lambda"})
	if err != nil {
		return outcome(err)
	}
	if !strings.Contains(string(answer), "batchItemFailures") {
		return eventsource.Outcome{} // a function may answer what it likes
	}
	reported, err := eventsource.Failures(answer, b)
	return eventsource.Outcome{Failed: reported, Err: err}
}

// Report is told how reading goes. A pipe has no place for it but the log.
func (h *handler) Report(result string) {
	if strings.HasPrefix(result, "PROBLEM") {
		h.Log.Warn("pipes: "+result, "pipe", h.pipe.arn())
	}
}
