package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// InvokeWithResponseStream runs a function and returns its answer as it is made.
// https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
func (s *Service) InvokeWithResponseStream(ctx context.Context, in *api.InvokeWithResponseStreamRequest) (*api.InvokeWithResponseStreamResponse, error) {
	r, err := s.routeOf(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if awsapi.Val(in.InvocationType) == api.ResponseStreamingInvocationTypeDryRun {
		return &api.InvokeWithResponseStreamResponse{StatusCode: new(int32(http.StatusNoContent)), EventStream: noEvents}, nil
	}
	inv, err := s.invocation(ctx, r, in.Payload, awsapi.Val(in.ClientContext), awsapi.Val(in.LogType))
	if err != nil {
		return nil, err
	}
	e := r.pick()
	st := s.stream(ctx, r, e, inv)
	if _, err := st.begin(ctx); err != nil {
		return nil, err
	}
	return &api.InvokeWithResponseStreamResponse{
		StatusCode:                new(int32(http.StatusOK)),
		ExecutedVersion:           &e.Number,
		ResponseStreamContentType: new("application/vnd.amazon.eventstream"), // not the function's: it is that header
		EventStream:               func(send func(any) error) error { return st.events(send, inv.TailLog) },
	}, nil
}

// noEvents is a stream without any.
func noEvents(func(any) error) error { return nil }

// stream is the answer of a function as it is made. The function is never held up by a reader that has
// gone, and by one that is slow no longer than until its timeout.
type stream struct {
	opened chan string // the content type, once
	chunks chan []byte
	gone   context.Context // ends when nobody reads any more
	ended  chan struct{}   // closed when result and err are set
	result *sandbox.Result
	err    error
}

// stream begins to run an invocation whose answer is read from the stream returned. ctx ends when the
// reader has gone.
func (s *Service) stream(ctx context.Context, r *route, e *executable, inv *sandbox.Invocation) *stream {
	reading, stop := context.WithTimeout(ctx, time.Duration(e.Timeout)*time.Second)
	st := &stream{opened: make(chan string, 1), chunks: make(chan []byte), gone: reading, ended: make(chan struct{})}
	inv.Stream = func(contentType string) io.Writer {
		st.opened <- contentType
		return st
	}
	go func() {
		defer stop()
		defer close(st.ended)
		st.result, st.err = s.run(context.WithoutCancel(ctx), r, e, inv)
	}()
	return st
}

// Write hands a chunk over to the reader.
func (st *stream) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	select {
	case st.chunks <- bytes.Clone(b):
	case <-st.gone.Done():
	}
	return len(b), nil
}

// begin waits for the first byte or the end, and returns the content type of what follows.
func (st *stream) begin(ctx context.Context) (contentType string, err error) {
	select {
	case contentType = <-st.opened:
		return contentType, nil
	case <-st.ended:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if st.err != nil {
		return "", st.err
	}
	select { // both may have come at once
	case contentType = <-st.opened:
	default:
		contentType = st.result.ContentType
	}
	return contentType, nil
}

// next returns the next chunk, nil at the end.
func (st *stream) next() []byte {
	select {
	case b := <-st.chunks:
		return b
	case <-st.ended:
		return nil
	}
}

// events sends the answer as Lambda's events: its chunks, and how it ended.
func (st *stream) events(send func(any) error, tail bool) error {
	for b := st.next(); b != nil; b = st.next() {
		chunk := &api.InvokeResponseStreamUpdate{Payload: b}
		if err := send(&api.InvokeWithResponseStreamResponseEvent{PayloadChunk: chunk}); err != nil {
			return err
		}
	}
	return send(&api.InvokeWithResponseStreamResponseEvent{InvokeComplete: st.complete(tail)})
}

func (st *stream) complete(tail bool) *api.InvokeWithResponseStreamCompleteEvent {
	done := &api.InvokeWithResponseStreamCompleteEvent{}
	if st.err != nil {
		done.ErrorCode, done.ErrorDetails = new("ServiceException"), new(st.err.Error())
		return done
	}
	if e := st.result.StreamError; e != nil {
		done.ErrorCode, done.ErrorDetails = &e.Type, &e.Details
	} else if st.result.FunctionError != "" {
		done.ErrorCode, done.ErrorDetails = &st.result.FunctionError, new(string(st.result.Payload))
	}
	if tail {
		done.LogResult = new(base64.StdEncoding.EncodeToString(st.result.LogTail))
	}
	return done
}
