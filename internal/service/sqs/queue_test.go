package sqs

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	api "cirro/internal/awsapi/sqs"
)

func TestQueueAttributes(t *testing.T) {
	s := newStage(t)
	url := s.make("q", "VisibilityTimeout", "20")
	want := map[string]string{"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0", "ApproximateNumberOfMessagesNotVisible": "0",
		"CreatedTimestamp": "1800000000", "LastModifiedTimestamp": "1800000000", "DelaySeconds": "0", "MaximumMessageSize": "1048576",
		"MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0", "SqsManagedSseEnabled": "true", "VisibilityTimeout": "20",
		"QueueArn": "arn:aws:sqs:eu-west-1:123456789012:q"}
	if got := s.attributes(url, "All"); !maps.Equal(got, want) {
		t.Errorf("a new queue has %v", got)
	}
	s.clock.Add(time.Minute)
	s.must(s.set(url, "DelaySeconds", "5"))
	s.send(url, "delayed")
	got := s.attributes(url, "DelaySeconds", "LastModifiedTimestamp", "ApproximateNumberOfMessagesDelayed", "Policy")
	if !maps.Equal(got, map[string]string{"DelaySeconds": "5", "LastModifiedTimestamp": "1800000060", "ApproximateNumberOfMessagesDelayed": "1"}) {
		t.Errorf("the changed queue has %v", got)
	}
	if got := s.attributes(url); len(got) > 0 {
		t.Errorf("nothing was asked for, and %v came", got)
	}
	fifo := s.attributes(s.make("q.fifo"), "All")
	if fifo["FifoQueue"] != "true" || fifo["ContentBasedDeduplication"] != "false" || fifo["DeduplicationScope"] != "queue" || fifo["FifoThroughputLimit"] != "perQueue" {
		t.Errorf("a FIFO queue has %v", fifo)
	}
}

func TestQueueEncryption(t *testing.T) {
	s := newStage(t)
	url := s.make("q", "KmsMasterKeyId", "key", "KmsDataKeyReusePeriodSeconds", "6000")
	names := []string{"KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"}
	if got := s.attributes(url, names...); !maps.Equal(got, map[string]string{"KmsMasterKeyId": "key", "KmsDataKeyReusePeriodSeconds": "6000", "SqsManagedSseEnabled": "false"}) {
		t.Errorf("with a key: %v", got)
	}
	s.must(s.set(url, "SqsManagedSseEnabled", "true"))
	if got := s.attributes(url, names...); !maps.Equal(got, map[string]string{"SqsManagedSseEnabled": "true"}) {
		t.Errorf("managed: %v", got)
	}
	_, err := s.SetQueueAttributes(s.ctx, &api.SetQueueAttributesRequest{QueueUrl: &url, Attributes: map[string]string{"SqsManagedSseEnabled": "true", "KmsMasterKeyId": "key"}})
	s.fails(err, "InvalidAttributeName", "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
}

func TestQueueLifecycle(t *testing.T) {
	s := newStage(t)
	url := s.make("q", "DelaySeconds", "1")
	if url != "http://127.0.0.1:4566/123456789012/q" || s.make("q", "DelaySeconds", "1") != url || s.make("q") != url {
		t.Errorf("the queue is at %s", url)
	}
	_, err := s.CreateQueue(s.ctx, &api.CreateQueueRequest{QueueName: new("q"), Attributes: map[string]string{"DelaySeconds": "2"}})
	s.fails(err, "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute DelaySeconds")
	s.must(s.set(url, "DelaySeconds", "0"))
	s.send(url, "old")
	old := s.await(url)
	_, err = s.DeleteQueue(s.ctx, &api.DeleteQueueRequest{QueueUrl: &url})
	s.must(err)
	_, err = s.GetQueueUrl(s.ctx, &api.GetQueueUrlRequest{QueueName: new("q")})
	s.fails(err, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
	s.make("q")
	s.are(s.all(url))
	_, err = s.DeleteMessage(s.ctx, &api.DeleteMessageRequest{QueueUrl: &url, ReceiptHandle: old.ReceiptHandle})
	s.fails(err, "ReceiptHandleIsInvalid", "is not a valid receipt handle.")
	other := requestContext(t.Context(), "999999999999")
	if _, err := s.GetQueueUrl(other, &api.GetQueueUrlRequest{QueueName: new("q")}); err == nil {
		t.Error("another account has the queue")
	}
	out, err := s.GetQueueUrl(other, &api.GetQueueUrlRequest{QueueName: new("q"), QueueOwnerAWSAccountId: new(account)})
	s.must(err)
	if *out.QueueUrl != url {
		t.Errorf("another account finds %s", *out.QueueUrl)
	}
}

func TestStrictPauses(t *testing.T) {
	s := newStage(t, func(d *Deps) { d.Strict = true })
	url := s.make("q")
	purge := func() error {
		_, err := s.PurgeQueue(s.ctx, &api.PurgeQueueRequest{QueueUrl: &url})
		return err
	}
	s.send(url, "m")
	s.must(purge())
	s.are(s.all(url))
	s.fails(purge(), "AWS.SimpleQueueService.PurgeQueueInProgress", "Only one PurgeQueue operation on q is allowed every 60 seconds.")
	s.clock.Add(time.Minute)
	s.must(purge())
	_, err := s.DeleteQueue(s.ctx, &api.DeleteQueueRequest{QueueUrl: &url})
	s.must(err)
	_, err = s.CreateQueue(s.ctx, &api.CreateQueueRequest{QueueName: new("q")})
	s.fails(err, "AWS.SimpleQueueService.QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before you can create another with the same name.")
	s.clock.Add(time.Minute)
	s.make("q")
}

func TestQueueLists(t *testing.T) {
	s := newStage(t)
	for i := range 5 {
		s.make("a" + strconv.Itoa(i))
	}
	s.make("b")
	list := func(in api.ListQueuesRequest) (names string, next *string) {
		out, err := s.ListQueues(s.ctx, &in)
		s.must(err)
		for _, url := range out.QueueUrls {
			names += url[strings.LastIndexByte(url, '/')+1:] + " "
		}
		return names, out.NextToken
	}
	if names, next := list(api.ListQueuesRequest{}); names != "a0 a1 a2 a3 a4 b " || next != nil {
		t.Errorf("listed %s and %v", names, next)
	}
	first, next := list(api.ListQueuesRequest{QueueNamePrefix: new("a"), MaxResults: new(int32(3))})
	if first != "a0 a1 a2 " || next == nil {
		t.Fatalf("listed %s", first)
	}
	if second, next := list(api.ListQueuesRequest{QueueNamePrefix: new("a"), MaxResults: new(int32(3)), NextToken: next}); second != "a3 a4 " || next != nil {
		t.Errorf("then %s and %v", second, next)
	}
}

func TestQueueTags(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	_, err := s.TagQueue(s.ctx, &api.TagQueueRequest{QueueUrl: &url, Tags: map[string]string{"a": "1", "b": ""}})
	s.must(err)
	_, err = s.UntagQueue(s.ctx, &api.UntagQueueRequest{QueueUrl: &url, TagKeys: []string{"a", "c"}})
	s.must(err)
	out, err := s.ListQueueTags(s.ctx, &api.ListQueueTagsRequest{QueueUrl: &url})
	s.must(err)
	if !maps.Equal(out.Tags, map[string]string{"b": ""}) {
		t.Errorf("the tags are %v", out.Tags)
	}
	many := map[string]string{}
	for i := range maxTags {
		many[strconv.Itoa(i)] = ""
	}
	_, err = s.TagQueue(s.ctx, &api.TagQueueRequest{QueueUrl: &url, Tags: many})
	s.fails(err, "InvalidParameterValue", "Too many tags")
}

// As AWS answered in https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs.snapshot.json,
// test_sqs_permission_lifecycle.
func TestPermissions(t *testing.T) {
	s := newStage(t)
	url := s.make("q")
	add := func(label string, actions []string, accounts ...string) error {
		_, err := s.AddPermission(s.ctx, &api.AddPermissionRequest{QueueUrl: &url, Label: &label, Actions: actions, AWSAccountIds: accounts})
		return err
	}
	remove := func(label string) error {
		_, err := s.RemovePermission(s.ctx, &api.RemovePermissionRequest{QueueUrl: &url, Label: &label})
		return err
	}
	s.must(add("one", []string{"ReceiveMessage"}, account, "668614515564"))
	s.must(add("two", []string{"ReceiveMessage", "SendMessage"}, account))
	s.fails(add("one", []string{"*"}, account), "InvalidParameterValue", "Value one for parameter Label is invalid. Reason: Already exists.")
	s.fails(add("x", []string{"CreateQueue"}, account), "InvalidParameterValue", "Value SQS:CreateQueue for parameter ActionName is invalid.")
	want := `{"Version":"2008-10-17","Id":"arn:aws:sqs:eu-west-1:123456789012:q/SQSDefaultPolicy","Statement":[` +
		`{"Sid":"one","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:root","arn:aws:iam::668614515564:root"]},"Action":"SQS:ReceiveMessage","Resource":"arn:aws:sqs:eu-west-1:123456789012:q"},` +
		`{"Sid":"two","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"},"Action":["SQS:ReceiveMessage","SQS:SendMessage"],"Resource":"arn:aws:sqs:eu-west-1:123456789012:q"}]}`
	if got := s.attributes(url, "Policy")["Policy"]; got != want {
		t.Errorf("the policy is %s", got)
	}
	s.must(remove("one"))
	s.must(remove("two"))
	if got := s.attributes(url, "Policy"); len(got) > 0 {
		t.Errorf("there is still %v", got)
	}
	s.fails(remove("two"), "InvalidParameterValue", "Value two for parameter Label is invalid. Reason: can't find label.")
}

func TestQueueRefusals(t *testing.T) {
	s := newStage(t)
	s.make("dead")
	s.make("dead.fifo")
	s.make("closed", "RedriveAllowPolicy", `{"redrivePermission":"denyAll"}`)
	redrive := func(target string, count any) string {
		b, _ := json.Marshal(map[string]any{"deadLetterTargetArn": target, "maxReceiveCount": count})
		return string(b)
	}
	const own = "arn:aws:sqs:eu-west-1:123456789012:"
	for _, c := range []struct {
		queue, attribute, value string
		code, message           string
	}{
		{"with space", "", "", "InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"},
		{"a.fifo", "", "", "InvalidParameterValue", "Can only include alphanumeric characters"},
		{strings.Repeat("x", 81), "", "", "InvalidParameterValue", "Can only include"},
		{"a", "FifoQueue", "true", "InvalidParameterValue", "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length."},
		{"a", "FifoQueue", "false", "InvalidAttributeName", "Unknown Attribute FifoQueue."},
		{"a", "ContentBasedDeduplication", "true", "InvalidAttributeName", "Unknown Attribute ContentBasedDeduplication."},
		{"a", "DeduplicationScope", "queue", "InvalidAttributeName", "You can specify the DeduplicationScope only when FifoQueue is set to true."},
		{"a", "Nonsense", "1", "InvalidAttributeName", "Unknown Attribute Nonsense."},
		{"a", "QueueArn", "1", "InvalidAttributeName", "Unknown Attribute QueueArn."},
		{"a", "VisibilityTimeout", "43201", "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."},
		{"a", "DelaySeconds", "901", "InvalidAttributeValue", "Invalid value for the parameter DelaySeconds."},
		{"a", "MaximumMessageSize", "1023", "InvalidAttributeValue", "Invalid value for the parameter MaximumMessageSize."},
		{"a", "MessageRetentionPeriod", "59", "InvalidAttributeValue", "Invalid value for the parameter MessageRetentionPeriod."},
		{"a", "ReceiveMessageWaitTimeSeconds", "x", "InvalidAttributeValue", "Invalid value for the parameter ReceiveMessageWaitTimeSeconds."},
		{"a", "Policy", "no json", "InvalidAttributeValue", "Invalid value for the parameter Policy."},
		{"a", "RedriveAllowPolicy", `{"redrivePermission":"byQueue"}`, "InvalidAttributeValue", "Invalid value for the parameter RedriveAllowPolicy."},
		{"a", "RedrivePolicy", `{"deadLetterTargetArn": "dummy", "maxReceiveCount": 42}`, "InvalidParameterValue",
			`Value {"deadLetterTargetArn": "dummy", "maxReceiveCount": 42} for parameter RedrivePolicy is invalid. Reason: Invalid value for deadLetterTargetArn.`},
		{"a", "RedrivePolicy", `no json`, "InvalidParameterValue", "Reason: Redrive policy is not a valid JSON map."},
		{"a", "RedrivePolicy", `{"deadLetterTargetArn": "dummy"}`, "InvalidParameterValue", "Reason: Redrive policy does not contain mandatory attribute: maxReceiveCount."},
		{"a", "RedrivePolicy", redrive(own+"dead", 0), "InvalidParameterValue", "Reason: Invalid value for maxReceiveCount: 0, valid values are from 1 to 1000 both inclusive."},
		{"a", "RedrivePolicy", redrive(own+"none", 1), "InvalidParameterValue", "Reason: Dead letter target does not exist."},
		{"a", "RedrivePolicy", redrive(own+"dead.fifo", 1), "InvalidParameterValue", "Reason: Dead-letter queue must be same type of queue as the source."},
		{"a", "RedrivePolicy", redrive("arn:aws:sqs:us-east-1:123456789012:dead", 1), "InvalidParameterValue", "Reason: Dead-letter target owner and region should be same as the source."},
		{"a", "RedrivePolicy", redrive(own+"closed", 1), "InvalidParameterValue", "Reason: The redrive allow policy"},
	} {
		in := &api.CreateQueueRequest{QueueName: &c.queue}
		if c.attribute != "" {
			in.Attributes = map[string]string{c.attribute: c.value}
		}
		_, err := s.CreateQueue(s.ctx, in)
		s.fails(err, c.code, c.message)
	}
	fifo := s.make("q.fifo")
	s.fails(s.set(fifo, "FifoQueue", "false"), "InvalidAttributeValue", "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
	s.fails(s.set(fifo, "FifoThroughputLimit", "perMessageGroupId"), "InvalidAttributeValue", "only when the value for DeduplicationScope is messageGroup")
	_, err := s.GetQueueAttributes(s.ctx, &api.GetQueueAttributesRequest{QueueUrl: &fifo, AttributeNames: []string{"Foo"}})
	s.fails(err, "InvalidAttributeName", "Unknown Attribute Foo.")
}
