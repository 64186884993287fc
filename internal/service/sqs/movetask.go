package sqs

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/courier"
	"cirro/internal/store"
)

// Of a move task's states.
const (
	running    = "RUNNING"
	completed  = "COMPLETED"
	cancelling = "CANCELLING"
	cancelled  = "CANCELLED"
	failed     = "FAILED"
)

// moveTask moves a dead-letter queue's messages to another queue, or back to where they came from.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
type moveTask struct {
	ID          string
	Source      string // ARN, as is Destination
	Destination string `json:",omitempty"` // "" for each message's own
	PerSecond   int    `json:",omitempty"` // 0 for as fast as it goes
	Started     int64  // milliseconds since 1970
	Status      string
	Moved       int64
	ToMove      int64
	Reason      string `json:",omitempty"`
}

// moveTasks is the store's queue of tasks to carry out; its messages are keys.
const moveTasks = "sqs-move-tasks"

// movesAtOnce is how many tasks are carried out at a time.
const movesAtOnce = 16

func taskKey(source address, parts ...any) []byte {
	return store.Key(append([]any{"sqs", "movetask", source.account, source.region, source.name}, parts...)...)
}

func (t *moveTask) key() []byte {
	source, _ := queueOf(t.Source)
	return taskKey(source, t.Started, t.ID)
}

// active says whether a task goes on.
func (t *moveTask) active() bool { return t.Status == running || t.Status == cancelling }

// handle names a task to its client, as SQS does.
func (t *moveTask) handle() *string {
	b, _ := json.Marshal(taskHandle{t.ID, t.Source}) // two strings
	return new(base64.StdEncoding.EncodeToString(b))
}

type taskHandle struct {
	TaskID    string `json:"taskId"`
	SourceARN string `json:"sourceArn"`
}

func parseTaskHandle(text string) (h taskHandle, source address, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &h) != nil || h.TaskID == "" {
		return h, source, false
	}
	source, ok = queueOf(h.SourceARN)
	return h, source, ok
}

// tasks are a source's tasks, the newest first.
func tasks(r store.Reader, source address) (all []moveTask, err error) {
	start := taskKey(source)
	for t, err := range store.Records[moveTask](r, store.Range{Start: start, End: append(taskKey(source), 0xff), Reverse: true}) {
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// require finds a queue that a parameter names by its ARN.
// The words are those of https://github.com/localstack/localstack/blob/main/tests/aws/services/sqs/test_sqs_move_task.snapshot.json.
func (s *Service) require(r store.Reader, parameter, arn string) (*queue, error) {
	a, ok := queueOf(arn)
	if !ok {
		return nil, invalidParameterValue.New("You must use this format to specify the %s: arn:<partition>:<service>:<region>:<account-id>:<resource-id>", parameter)
	}
	q, err := s.queue(r, a)
	if errors.Is(err, api.QueueDoesNotExist) {
		return nil, api.ResourceNotFoundException.New("The resource that you specified for the %s parameter doesn't exist.", parameter)
	}
	return q, err
}

// StartMessageMoveTask begins to move a dead-letter queue's messages.
func (s *Service) StartMessageMoveTask(ctx context.Context, in *api.StartMessageMoveTaskRequest) (*api.StartMessageMoveTaskResult, error) {
	rate := awsapi.Val(in.MaxNumberOfMessagesPerSecond)
	if in.MaxNumberOfMessagesPerSecond != nil && (rate < 1 || rate > maxMovesASecond) {
		return nil, invalidParameterValue.New("Value for parameter MaxNumberOfMessagesPerSecond is invalid. The value must be between 1 and %d.", maxMovesASecond)
	}
	t := &moveTask{ID: uuid.NewString(), Source: *in.SourceArn, Destination: awsapi.Val(in.DestinationArn), PerSecond: int(rate),
		Started: s.Clock().UnixMilli(), Status: running}
	var source *queue
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		source, err = s.require(r, "SourceArn", t.Source)
		return err
	})
	if err != nil {
		return nil, err
	}
	stats, err := s.Store.Stats(ctx, source.messages)
	if err != nil {
		return nil, err
	}
	t.ToMove = int64(stats.Ready)
	if err := s.Store.Update(ctx, func(tx store.Tx) error { return s.startTask(tx, t) }); err != nil {
		return nil, err
	}
	return &api.StartMessageMoveTaskResult{TaskHandle: t.handle()}, nil
}

// startTask writes a task down and has it carried out.
func (s *Service) startTask(tx store.Tx, t *moveTask) error {
	source, err := s.require(tx, "SourceArn", t.Source)
	if err != nil {
		return err
	}
	if err := s.checkTask(tx, source, t); err != nil {
		return err
	}
	earlier, err := tasks(tx, source.address)
	if err != nil {
		return err
	}
	for i := range earlier {
		if earlier[i].active() {
			return invalidParameterValue.New("There is already a task running. Only one active task is allowed for a source queue arn at a given time.")
		}
		if i >= movedTasksListed-1 {
			if err := tx.Delete(earlier[i].key()); err != nil {
				return err
			}
		}
	}
	if err := store.SetRecord(tx, t.key(), t); err != nil {
		return err
	}
	_, err = tx.Enqueue(moveTasks, store.NewMessage{Body: t.key()})
	return err
}

// checkTask checks a task's two ends.
func (s *Service) checkTask(r store.Reader, source *queue, t *moveTask) error {
	dead := false
	over := store.Prefix("sqs", "queue", source.account, source.region)
	for other, err := range store.Records[record](r, over) {
		if err != nil {
			return err
		}
		dead = dead || other.buries(t.Source)
	}
	if !dead {
		return invalidParameterValue.New("Source queue must be configured as a Dead Letter Queue.")
	}
	if t.Destination == "" {
		return nil
	}
	to, err := s.require(r, "DestinationArn", t.Destination)
	if err != nil {
		return err
	}
	if to.messages == source.messages {
		return invalidParameterValue.New("Source queue arn and destination queue arn cannot be the same.")
	}
	if to.fifo != source.fifo {
		return invalidParameterValue.New("The source and the destination queue must be of the same type.")
	}
	return nil
}

// ListMessageMoveTasks lists a dead-letter queue's tasks, the newest first.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html
func (s *Service) ListMessageMoveTasks(ctx context.Context, in *api.ListMessageMoveTasksRequest) (*api.ListMessageMoveTasksResult, error) {
	limit := 1
	if in.MaxResults != nil {
		if limit = int(*in.MaxResults); limit < 1 || limit > movedTasksListed {
			return nil, invalidParameterValue.New("Value for parameter MaxResults is invalid. The value must be between 1 and %d.", movedTasksListed)
		}
	}
	out := &api.ListMessageMoveTasksResult{Results: []api.ListMessageMoveTasksResultEntry{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		source, err := s.require(r, "SourceArn", *in.SourceArn)
		if err != nil {
			return err
		}
		all, err := tasks(r, source.address)
		for i := range all[:min(limit, len(all))] {
			out.Results = append(out.Results, all[i].entry())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *moveTask) entry() api.ListMessageMoveTasksResultEntry {
	e := api.ListMessageMoveTasksResultEntry{Status: &t.Status, SourceArn: &t.Source, StartedTimestamp: &t.Started,
		ApproximateNumberOfMessagesMoved: &t.Moved, ApproximateNumberOfMessagesToMove: &t.ToMove}
	if t.Status == running {
		e.TaskHandle = t.handle()
	}
	if t.Destination != "" {
		e.DestinationArn = &t.Destination
	}
	if t.PerSecond > 0 {
		e.MaxNumberOfMessagesPerSecond = new(int32(t.PerSecond))
	}
	if t.Reason != "" {
		e.FailureReason = &t.Reason
	}
	return e
}

// CancelMessageMoveTask stops a task. What it has moved stays moved.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html
func (s *Service) CancelMessageMoveTask(ctx context.Context, in *api.CancelMessageMoveTaskRequest) (*api.CancelMessageMoveTaskResult, error) {
	h, source, ok := parseTaskHandle(*in.TaskHandle)
	if !ok {
		return nil, invalidParameterValue.New("Value for parameter TaskHandle is invalid.")
	}
	var moved int64
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := s.require(tx, "SourceArn", h.SourceARN); err != nil {
			return err
		}
		all, err := tasks(tx, source)
		if err != nil {
			return err
		}
		for i := range all {
			if t := &all[i]; t.ID == h.TaskID {
				if t.Status != running {
					return unsupportedOperation.New("Only active tasks can be cancelled.")
				}
				moved, t.Status = t.Moved, cancelling
				return store.SetRecord(tx, t.key(), t)
			}
		}
		return api.ResourceNotFoundException.New("Task does not exist.")
	})
	if err != nil {
		return nil, err
	}
	return &api.CancelMessageMoveTaskResult{ApproximateNumberOfMessagesMoved: &moved}, nil
}

// Of one step of a task.
const (
	stepSize  = 20 // messages, where nobody limits them: as much as a transaction should have of the largest
	stepLease = 30 * time.Second
)

// carryOut carries a task out, until it is over or ctx ends.
func (s *Service) carryOut(ctx context.Context, m store.Message) courier.Verdict {
	for {
		more, pause, err := s.step(ctx, m.Body)
		if err != nil {
			if ctx.Err() == nil {
				s.Log.Error("sqs: a move task", "error", err)
			}
			return courier.Again(time.Second)
		}
		if !more {
			return courier.Verdict{}
		}
		select {
		case <-ctx.Done():
			return courier.Again(0)
		case <-time.After(pause):
		}
	}
}

// step moves some messages. More says that there may be others, after a pause.
func (s *Service) step(ctx context.Context, key []byte) (more bool, pause time.Duration, err error) {
	var t moveTask
	var source *queue
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		var found bool
		if t, found, err = store.GetRecord[moveTask](r, key); err != nil || !found {
			return err
		}
		from, _ := queueOf(t.Source)
		if source, err = s.queue(r, from); errors.Is(err, api.QueueDoesNotExist) {
			err = nil
		}
		return err
	})
	if err != nil || !t.active() {
		return false, 0, err
	}
	if source == nil {
		return false, 0, s.endTask(ctx, key, failed, queueDoesNotExist.QueryCode)
	}
	n := stepSize
	if t.PerSecond > 0 {
		n = min(t.PerSecond, maxBatch)
		pause = time.Duration(n) * time.Second / time.Duration(t.PerSecond)
	}
	messages, err := s.Store.Receive(ctx, source.messages, store.ReceiveOptions{Max: n, Lease: stepLease})
	if err != nil {
		return false, 0, err
	}
	if len(messages) == 0 {
		return false, 0, s.endTask(ctx, key, completed, "")
	}
	more, err = s.moveAll(ctx, key, source, messages)
	return more, pause, err
}

// moveAll moves messages in one transaction, or puts them back and ends the task.
func (s *Service) moveAll(ctx context.Context, key []byte, source *queue, messages []store.Message) (more bool, err error) {
	var reason moveFailure
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		t, found, err := store.GetRecord[moveTask](tx, key)
		if err != nil {
			return err
		}
		if more = found && t.Status == running; !more {
			return putBack(tx, messages)
		}
		for i := range messages {
			if err := s.move(tx, &t, source, &messages[i]); err != nil {
				return err
			}
		}
		t.Moved += int64(len(messages))
		return store.SetRecord(tx, key, t)
	})
	if errors.As(err, &reason) {
		err = errors.Join(s.Store.Update(ctx, func(tx store.Tx) error { return putBack(tx, messages) }), s.endTask(ctx, key, failed, string(reason)))
		return false, err
	}
	if err == nil && !more {
		err = s.endTask(ctx, key, cancelled, "")
	}
	return more, err
}

// moveFailure is why a task cannot go on.
type moveFailure string

func (f moveFailure) Error() string { return string(f) }

// move sends a message to where it goes, as a new one, and removes it. One that another took meanwhile is that one's.
func (s *Service) move(tx store.Tx, t *moveTask, source *queue, m *store.Message) error {
	said, err := decodeMessage(m.Body)
	if err != nil {
		return err
	}
	to := address{account: source.account, region: source.region, name: said.queue}
	if t.Destination != "" {
		to, _ = queueOf(t.Destination)
	} else if said.queue == source.name {
		return moveFailure("CouldNotDetermineMessageSource")
	}
	q, err := s.queue(tx, to)
	if errors.Is(err, api.QueueDoesNotExist) {
		return moveFailure(queueDoesNotExist.QueryCode)
	}
	if err != nil {
		return err
	}
	if err := tx.Ack(m.Lease); err != nil {
		if errors.Is(err, store.ErrLeaseLost) {
			return nil
		}
		return err
	}
	said.queue = q.name
	out := store.NewMessage{Body: said.encode(), Delay: q.delay, Retention: q.retention}
	if q.fifo {
		out.Group = said.group
	} else {
		out.Fair = said.group
	}
	_, err = tx.Enqueue(q.messages, out)
	return err
}

// putBack makes messages visible again.
func putBack(tx store.Tx, messages []store.Message) error {
	for i := range messages {
		if err := tx.Extend(messages[i].Lease, 0); err != nil && !errors.Is(err, store.ErrLeaseLost) {
			return err
		}
	}
	return nil
}

// endTask notes how a task ended. One that was to be cancelled was cancelled, whatever ended it.
func (s *Service) endTask(ctx context.Context, key []byte, status, reason string) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		t, found, err := store.GetRecord[moveTask](tx, key)
		if err != nil || !found || !t.active() {
			return err
		}
		if t.Status == cancelling {
			status = cancelled
		}
		t.Status, t.Reason = status, reason
		return store.SetRecord(tx, key, t)
	})
}
