package logs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

const (
	account = "111122223333"
	region  = "eu-west-1"
)

// fixture is a service on a store of its own, with a clock that stands and functions that remember.
type fixture struct {
	*Service
	t       testing.TB
	ctx     context.Context
	store   store.Store
	clock   *standing.Clock
	lambda  *functions
	options Deps
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	db, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{
		t: t, store: db, ctx: requestBy(account), lambda: &functions{called: make(chan call, 1000)},
		clock: standing.At(time.Date(2024, 5, 17, 12, 0, 30, 0, time.UTC)),
	}
	f.options = Deps{Store: db, Caller: f.lambda, Now: f.clock.Now, TailEvery: time.Millisecond, Log: slog.New(slog.DiscardHandler)}
	if f.Service, err = New(f.options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(f.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return f
}

// requestBy is the context of a request by an account.
func requestBy(account string) context.Context {
	return awsapi.WithRequest(context.Background(), &awsapi.Request{
		ID: "request", Region: region, Principal: awsapi.Principal{Account: account},
	})
}

// functions is a Caller whose functions fail as they are told to, and report each call.
type functions struct {
	mu     sync.Mutex
	fail   []error // the next calls' errors
	called chan call
}

type call struct {
	principal awsapi.Principal
	function  string
	kind      string
	payload   []byte
}

func (f *functions) Call(ctx context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	if service != "lambda" || operation != "Invoke" {
		return nil, fmt.Errorf("unexpected call of %s.%s", service, operation)
	}
	i := in.(*lambdaapi.InvocationRequest)
	f.called <- call{p, *i.FunctionName, *i.InvocationType, i.Payload}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.fail) > 0 {
		err := f.fail[0]
		f.fail = f.fail[1:]
		return nil, err
	}
	return &lambdaapi.InvocationResponse{}, nil
}

// message is what a subscriber finds in its event.
type message struct {
	MessageType         string
	Owner               string
	LogGroup            string
	LogStream           string
	SubscriptionFilters []string
	LogEvents           []struct {
		ID              string
		Timestamp       int64
		Message         string
		ExtractedFields map[string]string
	}
}

func (c call) message(t testing.TB) (m message) {
	t.Helper()
	var event struct{ AWSLogs struct{ Data string } }
	if err := json.Unmarshal(c.payload, &event); err != nil {
		t.Fatal(err)
	}
	zipped, err := base64.StdEncoding.DecodeString(event.AWSLogs.Data)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

// must fails the test where an operation does.
func must[T any](t testing.TB) func(T, error) T {
	return func(out T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

// wantError checks an error's code and message.
func wantError(t testing.TB, err error, code, message string) {
	t.Helper()
	var e *awsapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("the error is %v, want %s", err, code)
	}
	if e.Type.Code != code || e.Message != message {
		t.Fatalf("the error is %s: %s\nwant %s: %s", e.Type.Code, e.Message, code, message)
	}
}

func (f *fixture) group(name string) {
	f.t.Helper()
	must[*logs.CreateLogGroupOutput](f.t)(f.CreateLogGroup(f.ctx, &logs.CreateLogGroupRequest{LogGroupName: &name}))
}

func (f *fixture) stream(group, name string) {
	f.t.Helper()
	must[*logs.CreateLogStreamOutput](f.t)(f.CreateLogStream(f.ctx, &logs.CreateLogStreamRequest{LogGroupName: &group, LogStreamName: &name}))
}

// put writes messages that are a second apart, the last of them now.
func (f *fixture) put(group, stream string, messages ...string) {
	f.t.Helper()
	in := &logs.PutLogEventsRequest{LogGroupName: &group, LogStreamName: &stream}
	start := f.millis() - int64(len(messages)-1)*1000
	for i, m := range messages {
		in.LogEvents = append(in.LogEvents, logs.InputLogEvent{Timestamp: new(start + int64(i)*1000), Message: &m})
	}
	must[*logs.PutLogEventsResponse](f.t)(f.PutLogEvents(f.ctx, in))
}

// describe describes the one group whose name begins so.
func (f *fixture) describe(prefix string) logs.LogGroup {
	f.t.Helper()
	out := must[*logs.DescribeLogGroupsResponse](f.t)(f.DescribeLogGroups(f.ctx, &logs.DescribeLogGroupsRequest{LogGroupNamePrefix: &prefix}))
	if len(out.LogGroups) != 1 {
		f.t.Fatalf("%d groups begin with %s, want 1", len(out.LogGroups), prefix)
	}
	return out.LogGroups[0]
}

// filter returns the messages that a pattern finds, over all pages.
func (f *fixture) filter(in *logs.FilterLogEventsRequest) (messages []string) {
	f.t.Helper()
	in.NextToken = nil
	for {
		out := must[*logs.FilterLogEventsResponse](f.t)(f.FilterLogEvents(f.ctx, in))
		for _, e := range out.Events {
			messages = append(messages, *e.Message)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			return messages
		}
	}
}

// keysIn lists all keys under "logs", without those of the counters.
func (f *fixture) keysIn() (found []string) {
	f.t.Helper()
	err := f.store.View(f.ctx, func(r store.Reader) error {
		for kv, err := range r.Range(store.Prefix("logs")) {
			if err != nil {
				return err
			}
			found = append(found, fmt.Sprintf("%q", kv.Key))
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}
