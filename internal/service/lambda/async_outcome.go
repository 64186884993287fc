package lambda

import (
	"encoding/json"
	"net/http"
	"strconv"
	"unicode/utf8"
)

// ending is how an asynchronous invocation ended.
type ending string

const (
	endedWell      ending = "Success"
	endedExhausted ending = "RetriesExhausted"
	endedTooOld    ending = "EventAgeExceeded"
	endedOff       ending = "ZeroReservedConcurrency"
	endedRecursive ending = "RecursiveInvocation" // AWS tells no name
)

// conclude ends an event and says where its outcome goes: to the destination for its condition, and, if
// it failed, to the function's dead-letter queue.
func (s *Service) conclude(r *route, ev *event, c ending) verdict {
	destination := r.events.OnFailure
	if c == endedWell {
		destination = r.events.OnSuccess
	}
	var v verdict
	base := delivery{scope: ev.scope, Function: ev.Function, RequestID: ev.RequestID, Role: r.main.Role, TraceID: ev.TraceID,
		FunctionARN: r.arn("function", r.Name, r.qualifier()), Condition: c, At: s.Clock()}
	if destination != "" {
		d := base
		d.Target, d.Body = destination, string(s.outcome(r, ev, c))
		v.deliveries = append(v.deliveries, d)
	}
	if r.main.DeadLetter != "" && c != endedWell {
		d := base
		d.Target, d.Body = r.main.DeadLetter, string(ev.Payload)
		d.DeadLetter = deadLetterOf(ev, c)
		v.deliveries = append(v.deliveries, d)
	}
	return v
}

// outcome is the record of an invocation that a destination gets.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html, recorded in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda_destinations.snapshot.json
type outcome struct {
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	RequestContext  outcomeRequest   `json:"requestContext"`
	RequestPayload  json.RawMessage  `json:"requestPayload"`
	ResponseContext *outcomeResponse `json:"responseContext,omitempty"`
	ResponsePayload json.RawMessage  `json:"responsePayload,omitempty"`
}

type outcomeRequest struct {
	RequestID   string `json:"requestId"`
	FunctionARN string `json:"functionArn"`
	Condition   ending `json:"condition"`
	Count       int    `json:"approximateInvokeCount"`
}

type outcomeResponse struct {
	StatusCode      int    `json:"statusCode"`
	ExecutedVersion string `json:"executedVersion"`
	FunctionError   string `json:"functionError,omitempty"`
}

func (s *Service) outcome(r *route, ev *event, c ending) []byte {
	o := outcome{
		Version:   "1.0",
		Timestamp: s.Clock().UTC().Format(instant),
		RequestContext: outcomeRequest{RequestID: ev.RequestID, FunctionARN: r.arn("function", r.Name, r.qualifier()),
			Condition: c, Count: ev.Attempts},
		RequestPayload: rawJSON(ev.Payload),
	}
	if ev.Attempts > 0 {
		o.ResponseContext = &outcomeResponse{http.StatusOK, ev.Version, ev.FunctionError}
		o.ResponsePayload = rawJSON(ev.Response)
	}
	b, err := json.Marshal(o)
	if err != nil {
		panic(err) // strings, numbers and valid JSON
	}
	return b
}

// rawJSON is what a function got or gave, as a string where it is no JSON.
func rawJSON(b []byte) json.RawMessage {
	if json.Valid(b) {
		return b
	}
	quoted, err := json.Marshal(string(b))
	if err != nil {
		panic(err) // a string
	}
	return quoted
}

// deadLetter says why an event is in a dead-letter queue.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html#invocation-dlq
type deadLetter struct{ Code, Message string }

// maxErrorMessage bounds the message in a dead letter, in bytes.
const maxErrorMessage = 1 << 10

func deadLetterOf(ev *event, c ending) *deadLetter {
	if c == endedRecursive {
		return &deadLetter{strconv.Itoa(http.StatusBadRequest), recursive().Message}
	}
	if ev.Attempts == 0 {
		return &deadLetter{strconv.Itoa(http.StatusTooManyRequests), "Rate Exceeded."}
	}
	var e struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal(ev.Response, &e) != nil || e.Message == "" {
		e.Message = string(ev.Response)
	}
	if e.Message == "" {
		e.Message = ev.FunctionError // an attribute may not be empty
	}
	return &deadLetter{strconv.Itoa(http.StatusOK), cut(e.Message, maxErrorMessage)}
}

// cut is the start of s, at most n bytes that end with a whole character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
