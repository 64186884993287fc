package sqs

import (
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
)

// redriven makes a queue with a dead-letter queue after one receive.
func (s *stage) redriven(name, dead string) (url, deadURL string) {
	s.Helper()
	deadURL = s.make(dead)
	url = s.make(name, "RedrivePolicy", `{"maxReceiveCount": "1", "deadLetterTargetArn": "`+s.arn(deadURL)+`"}`)
	return url, deadURL
}

// fail has a message received and released, so that the next receive buries it.
func (s *stage) fail(url string) {
	s.Helper()
	s.release(url, s.await(url))
	s.are(s.all(url))
}

func TestDeadLetters(t *testing.T) {
	for _, suffix := range []string{"", fifoSuffix} {
		s := newStage(t)
		url, dead := s.redriven("q"+suffix, "dead"+suffix)
		if got, want := s.attributes(url, "RedrivePolicy")["RedrivePolicy"], `{"deadLetterTargetArn":"`+s.arn(dead)+`","maxReceiveCount":1}`; got != want {
			t.Errorf("the policy is %s", got)
		}
		if suffix == "" {
			s.send(url, "bad")
		} else {
			s.sendIn(url, "g", "bad", "d")
		}
		s.fail(url)
		m := s.await(dead)
		if *m.Body != "bad" || m.Attributes["DeadLetterQueueSourceArn"] != s.arn(url) {
			t.Errorf("received %s with %v", *m.Body, m.Attributes)
		}
		out, err := s.ListDeadLetterSourceQueues(s.ctx, &api.ListDeadLetterSourceQueuesRequest{QueueUrl: &dead})
		s.must(err)
		if len(out.QueueUrls) != 1 || out.QueueUrls[0] != url {
			t.Errorf("the sources are %v", out.QueueUrls)
		}
		s.must(s.set(url, "RedrivePolicy", ""))
		if out, err = s.ListDeadLetterSourceQueues(s.ctx, &api.ListDeadLetterSourceQueuesRequest{QueueUrl: &dead}); err != nil || len(out.QueueUrls) != 0 {
			t.Errorf("the sources are %v: %v", out, err)
		}
	}
}

// Messages that have nowhere to go stay where they are.
func TestDeletedDeadLetterQueue(t *testing.T) {
	s := newStage(t)
	url, dead := s.redriven("q", "dead")
	s.send(url, "m")
	_, err := s.DeleteQueue(s.ctx, &api.DeleteQueueRequest{QueueUrl: &dead})
	s.must(err)
	s.release(url, s.await(url))
	s.are(s.all(url), "m")
}

func (s *stage) task(source string) api.ListMessageMoveTasksResultEntry {
	s.Helper()
	out, err := s.ListMessageMoveTasks(s.ctx, &api.ListMessageMoveTasksRequest{SourceArn: &source})
	s.must(err)
	if len(out.Results) != 1 {
		s.Fatalf("there are %d tasks", len(out.Results))
	}
	return out.Results[0]
}

// ended waits for a task's end. It polls, since nothing tells of it.
func (s *stage) ended(source string) api.ListMessageMoveTasksResultEntry {
	s.Helper()
	for {
		if e := s.task(source); *e.Status != running && *e.Status != cancelling {
			return e
		}
	}
}

func (s *stage) startMove(in api.StartMessageMoveTaskRequest) *string {
	s.Helper()
	out, err := s.StartMessageMoveTask(s.ctx, &in)
	s.must(err)
	return out.TaskHandle
}

func TestMoveTaskBackToTheSource(t *testing.T) {
	s := newStage(t)
	url, dead := s.redriven("q", "dead")
	source := s.arn(dead)
	for _, body := range []string{"a", "b"} {
		s.send(url, body)
		s.fail(url)
	}
	s.startMove(api.StartMessageMoveTaskRequest{SourceArn: &source})
	s.Start(t.Context())
	e := s.ended(source)
	if *e.Status != completed || *e.ApproximateNumberOfMessagesMoved != 2 || *e.ApproximateNumberOfMessagesToMove != 2 || e.TaskHandle != nil || e.DestinationArn != nil {
		t.Errorf("the task ended as %+v", e)
	}
	s.are(s.all(dead))
	got := s.all(url)
	s.are(got, "a", "b")
	if got[0].Attributes["ApproximateReceiveCount"] != "1" || got[0].Attributes["DeadLetterQueueSourceArn"] != "" {
		t.Errorf("moved back: %v", got[0].Attributes)
	}
}

func TestMoveTaskToAnother(t *testing.T) {
	s := newStage(t)
	url, dead := s.redriven("q.fifo", "dead.fifo")
	other := s.make("other.fifo")
	s.sendIn(url, "g", "m", "d")
	s.fail(url)
	source, destination := s.arn(dead), s.arn(other)
	s.startMove(api.StartMessageMoveTaskRequest{SourceArn: &source, DestinationArn: &destination})
	s.Start(t.Context())
	if e := s.ended(source); *e.Status != completed || *e.DestinationArn != destination {
		t.Errorf("the task ended as %+v", e)
	}
	m := s.await(other)
	if *m.Body != "m" || m.Attributes["MessageGroupId"] != "g" || m.Attributes["DeadLetterQueueSourceArn"] != "" {
		t.Errorf("moved %s with %v", *m.Body, m.Attributes)
	}
}

func TestMoveTasksThatEndEarly(t *testing.T) {
	s := newStage(t)
	url, dead := s.redriven("q", "dead")
	source := s.arn(dead)
	s.send(url, "m")
	s.fail(url)
	handle := s.startMove(api.StartMessageMoveTaskRequest{SourceArn: &source, MaxNumberOfMessagesPerSecond: new(int32(1))})
	if e := s.task(source); *e.Status != running || *e.TaskHandle != *handle || *e.MaxNumberOfMessagesPerSecond != 1 {
		t.Errorf("the task runs as %+v", e)
	}
	_, err := s.StartMessageMoveTask(s.ctx, &api.StartMessageMoveTaskRequest{SourceArn: &source})
	s.fails(err, "InvalidParameterValue", "There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
	out, err := s.CancelMessageMoveTask(s.ctx, &api.CancelMessageMoveTaskRequest{TaskHandle: handle})
	s.must(err)
	if *out.ApproximateNumberOfMessagesMoved != 0 {
		t.Errorf("%d were moved", *out.ApproximateNumberOfMessagesMoved)
	}
	_, err = s.CancelMessageMoveTask(s.ctx, &api.CancelMessageMoveTaskRequest{TaskHandle: handle})
	s.fails(err, "AWS.SimpleQueueService.UnsupportedOperation", "")
	s.Start(t.Context())
	if e := s.ended(source); *e.Status != cancelled {
		t.Errorf("the cancelled task is %s", *e.Status)
	}
	s.clock.Add(1e9)
	_, err = s.DeleteQueue(s.ctx, &api.DeleteQueueRequest{QueueUrl: &url})
	s.must(err)
	s.make("still", "RedrivePolicy", `{"maxReceiveCount":1,"deadLetterTargetArn":"`+source+`"}`)
	s.startMove(api.StartMessageMoveTaskRequest{SourceArn: &source})
	if e := s.ended(source); *e.Status != failed || *e.FailureReason != "AWS.SimpleQueueService.NonExistentQueue" {
		t.Errorf("without a destination the task is %s: %v", *e.Status, awsapi.Val(e.FailureReason))
	}
	s.are(s.all(dead), "m")
	s.clock.Add(1e9)
	s.send(dead, "direct")
	s.startMove(api.StartMessageMoveTaskRequest{SourceArn: &source})
	if e := s.ended(source); *e.Status != failed || *e.FailureReason != "CouldNotDetermineMessageSource" {
		t.Errorf("of a message without a source the task is %s: %v", *e.Status, awsapi.Val(e.FailureReason))
	}
}

// The words are AWS's: https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs_move_task.snapshot.json.
func TestMoveTaskRefusals(t *testing.T) {
	s := newStage(t)
	_, dead := s.redriven("q", "dead")
	plain := s.arn(s.make("plain"))
	for _, c := range []struct {
		source, destination string
		code, message       string
	}{
		{plain, "", "InvalidParameterValue", "Source queue must be configured as a Dead Letter Queue."},
		{plain + "x", "", "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."},
		{s.arn(dead), plain + "x", "ResourceNotFoundException", "The resource that you specified for the DestinationArn parameter doesn't exist."},
		{"dead", "", "InvalidParameterValue", "You must use this format to specify the SourceArn: arn:<partition>:<service>:<region>:<account-id>:<resource-id>"},
	} {
		in := &api.StartMessageMoveTaskRequest{SourceArn: &c.source}
		if c.destination != "" {
			in.DestinationArn = &c.destination
		}
		_, err := s.StartMessageMoveTask(s.ctx, in)
		s.fails(err, c.code, c.message)
	}
	for _, c := range []struct {
		handle        string
		code, message string
	}{
		{"nonsense", "InvalidParameterValue", "Value for parameter TaskHandle is invalid."},
		{*(&moveTask{ID: "x", Source: plain + "x"}).handle(), "ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist."},
		{*(&moveTask{ID: "x", Source: plain}).handle(), "ResourceNotFoundException", "Task does not exist."},
	} {
		_, err := s.CancelMessageMoveTask(s.ctx, &api.CancelMessageMoveTaskRequest{TaskHandle: &c.handle})
		s.fails(err, c.code, c.message)
	}
}
