package logs

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
)

const functionARN = "arn:aws:lambda:eu-west-1:111122223333:function:sink"

// subscribe makes a subscription filter and takes the check of its destination off the calls.
func (f *fixture) subscribe(group, name, pattern string) {
	f.t.Helper()
	must[*logs.PutSubscriptionFilterOutput](f.t)(f.PutSubscriptionFilter(f.ctx, &logs.PutSubscriptionFilterRequest{
		LogGroupName: &group, FilterName: &name, FilterPattern: &pattern, DestinationArn: new(functionARN),
	}))
	<-f.lambda.called
}

// receive waits for the next call of a function.
func (f *fixture) receive() call {
	f.t.Helper()
	select {
	case c := <-f.lambda.called:
		return c
	case <-time.After(2 * time.Minute):
		f.t.Fatal("no function was called")
		return call{}
	}
}

func TestSubscriptionFilters(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	put := func(name string) error {
		_, err := f.PutSubscriptionFilter(f.ctx, &logs.PutSubscriptionFilterRequest{
			LogGroupName: new("g"), FilterName: &name, FilterPattern: new(""), DestinationArn: new(functionARN),
		})
		return err
	}
	if err := put("a"); err != nil {
		t.Fatal(err)
	}
	c := f.receive()
	if c.kind != lambdaapi.InvocationTypeDryRun || c.function != functionARN || c.principal.Service != "logs.amazonaws.com" ||
		c.principal.SourceARN != "arn:aws:logs:eu-west-1:111122223333:log-group:g:*" || c.principal.Account != account {
		t.Errorf("the destination was checked by %+v", c)
	}
	created := f.millis()
	f.clock.Add(time.Second)
	if err := errors.Join(put("b"), put("a")); err != nil { // the second replaces one
		t.Fatal(err)
	}
	wantError(t, put("c"), "LimitExceededException", "Resource limit exceeded.")

	out := must[*logs.DescribeSubscriptionFiltersResponse](t)(f.DescribeSubscriptionFilters(f.ctx, &logs.DescribeSubscriptionFiltersRequest{LogGroupName: new("g")}))
	want := logs.SubscriptionFilter{
		FilterName: new("a"), LogGroupName: new("g"), FilterPattern: new(""), DestinationArn: new(functionARN), Distribution: new("ByLogStream"), CreationTime: &created,
	}
	if len(out.SubscriptionFilters) != 2 || !reflect.DeepEqual(out.SubscriptionFilters[0], want) {
		t.Errorf("got %+v", out.SubscriptionFilters)
	}
	del := func(group, name string) error {
		_, err := f.DeleteSubscriptionFilter(f.ctx, &logs.DeleteSubscriptionFilterRequest{LogGroupName: &group, FilterName: &name})
		return err
	}
	if err := del("g", "a"); err != nil {
		t.Fatal(err)
	}
	wantError(t, del("g", "a"), "ResourceNotFoundException", "The specified subscription filter does not exist.")
	wantError(t, del("nope", "a"), "ResourceNotFoundException", "The specified log group does not exist.")
	if err := put("c"); err != nil {
		t.Errorf("a place was free: %v", err)
	}
}

func TestSubscriptionDestinations(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	for _, c := range []struct {
		name, group, arn string
		role             *string
		code, message    string
	}{
		{"no group", "nope", functionARN, nil, "ResourceNotFoundException", "The specified log group does not exist."},
		{"role", "g", functionARN, new("arn:aws:iam::1:role/r"), "InvalidParameterException", "destinationArn for vendor lambda cannot be used with roleArn"},
		{"account", "g", "arn:aws:lambda:eu-west-1:999999999999:function:f", nil, "AccessDeniedException",
			"Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross account lambda triggers."},
		{"no role", "g", "arn:aws:kinesis:eu-west-1:111122223333:stream/s", nil, "InvalidParameterException", "destinationArn for vendor kinesis cannot be used without roleArn"},
		{"kinesis", "g", "arn:aws:kinesis:eu-west-1:111122223333:stream/s", new("arn:aws:iam::1:role/r"), "NotImplemented",
			"Cirro does not implement logs.PutSubscriptionFilter for destinations of kinesis"},
		{"no arn", "g", "f", nil, "InvalidParameterException", "The specified destination arn is not valid: f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := f.PutSubscriptionFilter(f.ctx, &logs.PutSubscriptionFilterRequest{
				LogGroupName: &c.group, FilterName: new("x"), FilterPattern: new(""), DestinationArn: &c.arn, RoleArn: c.role,
			})
			wantError(t, err, c.code, c.message)
		})
	}
	f.lambda.fail = []error{lambdaapi.ResourceNotFoundException.New("Function not found")}
	_, err := f.PutSubscriptionFilter(f.ctx, &logs.PutSubscriptionFilterRequest{
		LogGroupName: new("g"), FilterName: new("x"), FilterPattern: new(""), DestinationArn: new(functionARN),
	})
	wantError(t, err, "InvalidParameterException", "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.")
	out := must[*logs.DescribeSubscriptionFiltersResponse](t)(f.DescribeSubscriptionFilters(f.ctx, &logs.DescribeSubscriptionFiltersRequest{LogGroupName: new("g")}))
	if len(out.SubscriptionFilters) != 0 {
		t.Error("a refused filter was made")
	}
}

func TestDelivery(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	f.subscribe("g", "errors", "[level = ERROR, text]")
	f.Start(f.ctx)
	f.put("g", "s", "INFO fine", "ERROR one thing", "ERROR two")

	c := f.receive()
	if c.kind != lambdaapi.InvocationTypeEvent || c.function != functionARN || c.principal.SourceARN != "arn:aws:logs:eu-west-1:111122223333:log-group:g:*" {
		t.Errorf("the call is %+v", c)
	}
	m := c.message(t)
	if m.MessageType != "DATA_MESSAGE" || m.Owner != account || m.LogGroup != "g" || m.LogStream != "s" || !reflect.DeepEqual(m.SubscriptionFilters, []string{"errors"}) {
		t.Errorf("the message is %+v", m)
	}
	if len(m.LogEvents) != 2 {
		t.Fatalf("%d events were delivered", len(m.LogEvents))
	}
	e := m.LogEvents[0]
	if e.Message != "ERROR one thing" || e.Timestamp != f.millis()-1000 || len(e.ID) != 56 || !reflect.DeepEqual(e.ExtractedFields, map[string]string{"level": "ERROR", "text": "one thing"}) {
		t.Errorf("the event is %+v", e)
	}
}

// TestDeliveryIsDurable: what was matched before a restart is delivered after it, by another Service on
// the same store.
func TestDeliveryIsDurable(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	f.subscribe("g", "all", "")
	f.put("g", "s", "one")

	again, err := New(f.options)
	if err != nil {
		t.Fatal(err)
	}
	again.Start(f.ctx)
	defer func() { _ = again.Close() }()
	if m := f.receive().message(t); len(m.LogEvents) != 1 || m.LogEvents[0].Message != "one" {
		t.Errorf("delivered %+v", m)
	}
}

// TestDeliveryFailures: a delivery is tried again where that can help, and dropped where it cannot.
func TestDeliveryFailures(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	f.subscribe("g", "all", "")
	deliver := func() {
		t.Helper()
		if err := f.deliverSome(f.ctx, 10*time.Second); err != nil {
			t.Fatal(err)
		}
	}

	f.lambda.fail = []error{lambdaapi.TooManyRequestsException.New("Rate exceeded"), fmt.Errorf("no connection")}
	f.put("g", "s", "kept")
	for range 3 {
		deliver()
	}
	for range 3 {
		if m := f.receive().message(t); m.LogEvents[0].Message != "kept" {
			t.Errorf("delivered %+v", m)
		}
	}

	f.lambda.fail = []error{lambdaapi.ResourceNotFoundException.New("Function not found")}
	f.put("g", "s", "dropped")
	deliver()
	f.receive()
	stats, err := f.store.Stats(f.ctx, deliveries)
	if err != nil {
		t.Fatal(err)
	}
	if n := stats.Ready + stats.Delayed + stats.Leased; n != 0 {
		t.Errorf("%d messages are left", n)
	}
}

// TestLargeDelivery: events that do not compress into one payload come in several, in order.
func TestLargeDelivery(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	f.stream("g", "s")
	f.subscribe("g", "all", "")
	noise := rand.New(rand.NewPCG(1, 2))
	var messages []string
	for i := range 10 {
		var b strings.Builder
		fmt.Fprintf(&b, "%d ", i)
		for range 90 << 10 {
			b.WriteByte(byte(33 + noise.IntN(90)))
		}
		messages = append(messages, b.String())
	}
	f.put("g", "s", messages...)
	var got []string
	calls := 0
	for len(got) < len(messages) {
		if err := f.deliverSome(f.ctx, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		for len(f.lambda.called) > 0 {
			c := <-f.lambda.called
			calls++
			if len(c.payload) > maxPayload {
				t.Errorf("a payload has %d bytes", len(c.payload))
			}
			for _, e := range c.message(t).LogEvents {
				got = append(got, e.Message)
			}
		}
	}
	if calls < 2 || !reflect.DeepEqual(got, messages) {
		t.Errorf("%d events in %d calls", len(got), calls)
	}
}

// TestCloseEndsDeliveries: Close returns though a deliverer waits for messages.
func TestCloseEndsDeliveries(t *testing.T) {
	f := newFixture(t)
	f.Start(context.Background())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
