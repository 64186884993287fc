package eventsource

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	sqsapi "cirro/internal/awsapi/sqs"
)

// receiveMost is how many messages one call of SQS receives or deletes.
const receiveMost = 10

// queue polls a queue: one reader, and a goroutine for each batch that is handled. The reader takes a slot for
// a batch before it reads, so that no message waits outside the queue, where its visibility timeout runs.
type queue struct {
	*Poller
	url     string
	slots   *slots
	batches sync.WaitGroup
	left    []Record // read, and too much for the batch before
	errors  int      // reads that failed, since the last that did not
}

func newQueue(p *Poller) *queue {
	return &queue{
		Poller: p,
		url:    fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", p.place.Region, p.place.Account, p.place.Resource),
		slots:  newSlots(p.source.MaximumConcurrency),
	}
}

// run polls until polling ends; work is what batches are handled under.
func (q *queue) run(polling, work context.Context) {
	defer q.batches.Wait()
	q.begun()
	for q.slots.take(polling) {
		batch := q.gather(polling)
		if len(batch) == 0 {
			q.slots.free()
			continue
		}
		q.batches.Go(func() {
			defer q.slots.free()
			q.handle(work, &Batch{Records: batch, Attempt: 1})
		})
	}
	q.giveBack(q.left)
}

// gather reads a batch: what one read finds, or, with a window or a batch larger than a read, what comes until
// the batch is full or the window over.
func (q *queue) gather(ctx context.Context) []Record {
	got := q.left
	q.left = nil
	if len(got) == 0 {
		got = q.receive(ctx, q.source.BatchSize, longestPoll)
	}
	until := q.Clock().Add(q.source.Window)
	for {
		n := q.fits(got)
		if n < len(got) {
			q.left = got[n:]
			return got[:n]
		}
		remaining := until.Sub(q.Clock())
		if len(got) == 0 || n >= q.source.BatchSize || remaining <= 0 || ctx.Err() != nil {
			return got
		}
		got = append(got, q.more(ctx, q.source.BatchSize-n, remaining)...)
	}
}

// fits says how many of the records make a batch.
func (q *queue) fits(records []Record) (n int) {
	for size := 0; n < len(records) && n < q.source.BatchSize; n++ {
		if size += len(records[n].Event) + 1; n > 0 && size > maxBytes {
			return n
		}
	}
	return n
}

// between is the time between two reads in the last second of a window, which a long poll would overrun.
const between = 50 * time.Millisecond

// more reads more messages for a batch, waiting at most as long as its window lasts.
func (q *queue) more(ctx context.Context, most int, remaining time.Duration) []Record {
	if remaining >= time.Second {
		return q.receive(ctx, most, min(remaining, longestPoll))
	}
	got := q.receive(ctx, most, 0)
	if len(got) == 0 {
		sleep(ctx, min(remaining, between))
	}
	return got
}

// receive reads up to a call's worth of messages, and deletes those that no filter selects.
func (q *queue) receive(ctx context.Context, most int, wait time.Duration) []Record {
	out, err := call[sqsapi.ReceiveMessageResult](ctx, q.Poller, "sqs", "ReceiveMessage", &sqsapi.ReceiveMessageRequest{
		QueueUrl:                    &q.url,
		MaxNumberOfMessages:         new(int32(min(most, receiveMost))),
		WaitTimeSeconds:             new(int32(wait / time.Second)),
		MessageSystemAttributeNames: []string{"All"},
		MessageAttributeNames:       []string{"All"},
	}, 0)
	if err != nil {
		q.errors++
		q.problem(ctx, err)
		q.pause(ctx, readBackoff, q.errors)
		return nil
	}
	q.errors = 0
	if wait == longestPoll {
		q.slots.found(len(out.Messages))
	}
	var selected, others []Record
	for i := range out.Messages {
		if r := q.message(&out.Messages[i]); q.source.selects(r.Event, "body") {
			selected = append(selected, r)
		} else {
			others = append(others, r)
		}
	}
	if len(others) > 0 {
		q.batches.Go(func() { q.delete(context.WithoutCancel(ctx), others) })
	}
	return selected
}

// handle has a batch handled and deletes what was. What was not becomes visible again when the queue's
// visibility timeout is over, as it does on AWS.
func (q *queue) handle(ctx context.Context, b *Batch) {
	began := time.Now()
	o := q.handler.Handle(ctx, b)
	for hold := 1; o.NotRun && ctx.Err() == nil; hold++ {
		q.settled(&o)
		q.slots.shrink()
		if !q.hold(ctx, b, hold) {
			return
		}
		began = time.Now()
		o = q.handler.Handle(ctx, b)
	}
	q.slots.done(time.Since(began))
	if ctx.Err() != nil && (o.NotRun || o.Err != nil) {
		q.giveBack(b.Records) // broken off: whoever comes next takes it up at once
		return
	}
	q.settled(&o)
	if o.Err != nil {
		return
	}
	failed := make(map[string]bool, len(o.Failed))
	for _, id := range o.Failed {
		failed[id] = true
	}
	var done []Record
	for _, r := range b.Records {
		if !failed[r.ID] {
			done = append(done, r)
		}
	}
	q.delete(ctx, done)
}

// hold waits until a batch may be tried again, keeping its messages from others for as long as if they were
// received just then: a receive counts as an attempt, and there was none. It fails where they cannot be kept.
func (q *queue) hold(ctx context.Context, b *Batch, attempts int) bool {
	visibility, err := q.visibility(ctx)
	if err == nil {
		sleep(ctx, min(visibility/3, time.Duration(float64(holdBackoff.After(attempts))*q.Scale)))
		err = q.changeVisibility(ctx, b.Records, visibility)
	}
	if err != nil {
		q.problem(ctx, err)
	}
	return err == nil
}

// defaultVisibility is that of a queue that tells none. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
const defaultVisibility = 30 * time.Second

// visibility is the queue's visibility timeout, as it is now.
func (q *queue) visibility(ctx context.Context) (time.Duration, error) {
	out, err := call[sqsapi.GetQueueAttributesResult](ctx, q.Poller, "sqs", "GetQueueAttributes", &sqsapi.GetQueueAttributesRequest{
		QueueUrl: &q.url, AttributeNames: []string{sqsapi.QueueAttributeNameVisibilityTimeout}}, 0)
	if err != nil {
		return 0, err
	}
	seconds, err := strconv.Atoi(out.Attributes[sqsapi.QueueAttributeNameVisibilityTimeout])
	if err != nil || seconds == 0 {
		return defaultVisibility, nil
	}
	return time.Duration(seconds) * time.Second, nil
}

// giveBack makes messages visible at once, as far as that is possible.
func (q *queue) giveBack(records []Record) {
	if len(records) == 0 {
		return
	}
	if err := q.changeVisibility(context.Background(), records, 0); err != nil {
		q.Log.Debug("eventsource: messages stay invisible for a while", "queue", q.source.ARN, "error", err)
	}
}

func (q *queue) changeVisibility(ctx context.Context, records []Record, d time.Duration) error {
	return chunks(records, func(some []Record) error {
		in := &sqsapi.ChangeMessageVisibilityBatchRequest{QueueUrl: &q.url}
		for i := range some {
			in.Entries = append(in.Entries, sqsapi.ChangeMessageVisibilityBatchRequestEntry{Id: new(strconv.Itoa(i)),
				ReceiptHandle: &some[i].receipt, VisibilityTimeout: new(int32(math.Ceil(d.Seconds())))})
		}
		_, err := call[sqsapi.ChangeMessageVisibilityBatchResult](ctx, q.Poller, "sqs", "ChangeMessageVisibilityBatch", in, 0)
		return err
	})
}

// deleteAttempts is how often a deletion is attempted; after that the messages come again.
const deleteAttempts = 5

// delete deletes messages.
func (q *queue) delete(ctx context.Context, records []Record) {
	err := chunks(records, func(some []Record) (err error) {
		in := &sqsapi.DeleteMessageBatchRequest{QueueUrl: &q.url}
		for i := range some {
			in.Entries = append(in.Entries, sqsapi.DeleteMessageBatchRequestEntry{Id: new(strconv.Itoa(i)), ReceiptHandle: &some[i].receipt})
		}
		for attempt := 1; attempt <= deleteAttempts; attempt++ {
			// Handled is handled, even where the platform stops just now.
			if _, err = call[sqsapi.DeleteMessageBatchResult](context.WithoutCancel(ctx), q.Poller, "sqs", "DeleteMessageBatch", in, 0); err == nil {
				return nil
			}
			q.pause(ctx, retryBackoff, attempt)
		}
		return err
	})
	if err != nil {
		q.problem(ctx, err)
	}
}

// chunks calls f with as many records at a time as a call of SQS takes.
func chunks(records []Record, f func([]Record) error) error {
	for len(records) > 0 {
		n := min(len(records), receiveMost)
		if err := f(records[:n]); err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}
