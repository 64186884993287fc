package s3

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	api "cirro/internal/awsapi/s3"
	sqsapi "cirro/internal/awsapi/sqs"
)

// post takes what services call it with, and fails as it is told.
type post struct {
	mu   sync.Mutex
	fail []error
	got  chan any
}

func (p *post) Call(_ context.Context, _ awsapi.Principal, _, operation string, in any) (any, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if operation == "SendMessage" || operation == "Invoke" {
		if len(p.fail) > 0 {
			err := p.fail[0]
			p.fail = p.fail[1:]
			return nil, err
		}
		p.got <- in
	}
	return nil, nil
}

func (p *post) next(t *testing.T) any {
	t.Helper()
	select {
	case in := <-p.got:
		return in
	case <-time.After(time.Minute):
		t.Fatal("nothing was delivered")
		return nil
	}
}

// TestNoticesAreDelivered has a destination that is busy at first get its notice all the same, and one that refuses lose it.
func TestNoticesAreDelivered(t *testing.T) {
	d := newDesk(t)
	p := &post{got: make(chan any, 10)}
	d.Caller = p
	b := d.bucket("bucket", false)
	ok(d.PutBucketNotificationConfiguration(d.ctx(), &api.PutBucketNotificationConfigurationRequest{Bucket: &b, SkipDestinationValidation: new(true),
		NotificationConfiguration: &api.NotificationConfiguration{
			LambdaFunctionConfigurations: []api.LambdaFunctionConfiguration{{LambdaFunctionArn: new("arn:aws:lambda:us-east-1:000000000000:function:f"), Events: []string{"s3:ObjectRemoved:*"}}},
			QueueConfigurations:          []api.QueueConfiguration{{QueueArn: new("arn:aws:sqs:us-east-1:000000000000:q"), Events: []string{"s3:ObjectCreated:*"}}}}}))(t)
	d.Start(t.Context())
	p.fail = []error{errors.New("busy"), lambdaapi.ServiceException.New("busy")}
	d.put(b, "a", "1")
	key := func(in any) string {
		var m struct{ Records []record }
		if err := json.Unmarshal([]byte(*in.(*sqsapi.SendMessageRequest).MessageBody), &m); err != nil {
			t.Fatal(err)
		}
		return m.Records[0].S3.Object.Key
	}
	d.want("after two failures", key(p.next(t)), "a")
	p.mu.Lock()
	p.fail = []error{sqsapi.QueueDoesNotExist.New("gone")}
	p.mu.Unlock()
	d.put(b, "lost", "1")
	for { // until the refusal was taken
		p.mu.Lock()
		left := len(p.fail)
		p.mu.Unlock()
		if left == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	d.put(b, "b", "1")
	d.want("after a refusal", key(p.next(t)), "b")
	ok(d.DeleteObject(d.ctx(), &api.DeleteObjectRequest{Bucket: &b, Key: new("b")}))(t)
	in := p.next(t).(*lambdaapi.InvocationRequest)
	if *in.InvocationType != "Event" || !strings.Contains(string(in.Payload), `"ObjectRemoved:Delete"`) {
		t.Errorf("%s %s", *in.InvocationType, in.Payload)
	}
}

func TestOverlaps(t *testing.T) {
	rule := func(event, prefix, suffix string) *noticeRule {
		return &noticeRule{Events: []string{event}, prefix: prefix, suffix: suffix}
	}
	for _, c := range []struct {
		a, b *noticeRule
		want bool
	}{
		{rule("s3:ObjectCreated:*", "", ""), rule("s3:ObjectCreated:Put", "", ""), true},
		{rule("s3:ObjectCreated:Copy", "", ""), rule("s3:ObjectCreated:Put", "", ""), false},
		{rule("s3:ObjectCreated:*", "a", ""), rule("s3:ObjectCreated:*", "b", ""), false},
		{rule("s3:ObjectCreated:*", "a", ""), rule("s3:ObjectCreated:*", "ab", ""), true},
		{rule("s3:ObjectCreated:*", "a", "x"), rule("s3:ObjectCreated:*", "ab", "y"), false},
		{rule("s3:ObjectCreated:*", "a", ".x"), rule("s3:ObjectCreated:*", "ab", "x"), true},
		{rule("s3:ObjectCreated:*", "", ""), rule("s3:ObjectRemoved:*", "", ""), false},
	} {
		if got := checkOverlap(c.a, c.b) != nil; got != c.want {
			t.Errorf("%+v and %+v: %v", *c.a, *c.b, got)
		}
	}
}

func TestKeysInEvents(t *testing.T) {
	for key, want := range map[string]string{"a b": "a+b", "a+b": "a%2Bb", "in/ü": "in/%C3%BC", "a@b": "a%40b", "~*": "%7E*", "(1).txt": "%281%29.txt"} {
		if got := eventKey(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
