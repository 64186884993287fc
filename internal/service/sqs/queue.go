package sqs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// record is what is kept of a queue.
type record struct {
	Name       string
	ID         string            // of this queue among all that have had its name
	Created    int64             // seconds since 1970, as is Modified
	Modified   int64             //
	Attributes map[string]string // all that can be set, with their defaults
	Tags       map[string]string `json:",omitempty"`
	Purged     int64             `json:",omitempty"` // milliseconds since 1970
}

// queue is a queue as operations need it.
type queue struct {
	address
	record record
	key    []byte // the record's in the store
	raw    []byte // the record as it is stored

	messages     string // the store's queue
	fifo         bool
	contentDedup bool // a message without a deduplication id has its body's hash for one
	groupDedup   bool // a deduplication id belongs to its message group
	visibility   time.Duration
	delay        time.Duration
	retention    time.Duration
	wait         time.Duration
	maxSize      int
	redrive      *redrivePolicy // nil for none
	deadLetters  address        // where redrive is set

	flight *flight
}

// flight is what was last known of the messages in flight.
type flight struct{ counted, leased atomic.Int64 }

// queue reads a queue within a transaction. What was read before is decoded already.
func (s *Service) queue(r store.Reader, a address) (*queue, error) {
	var q *queue
	var key []byte
	if known, ok := s.known.Load(a); ok {
		q = known.(*queue)
		key = q.key
	} else {
		key = a.key()
	}
	raw, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noSuchQueue()
	}
	if err != nil {
		return nil, err
	}
	if q != nil && bytes.Equal(q.raw, raw) {
		return q, nil
	}
	q = &queue{address: a, key: key, raw: raw, flight: new(flight)}
	if err := json.Unmarshal(raw, &q.record); err != nil {
		return nil, fmt.Errorf("sqs: the record of queue %s: %w", a.arn(), err)
	}
	q.settle()
	s.known.Store(a, q)
	return q, nil
}

// settle takes the attributes apart.
func (q *queue) settle() {
	q.messages = "sqs/" + q.account + "/" + q.region + "/" + q.name + "/" + q.record.ID
	q.fifo = q.record.flag(api.QueueAttributeNameFifoQueue)
	q.contentDedup = q.record.flag(api.QueueAttributeNameContentBasedDeduplication)
	q.groupDedup = q.record.Attributes[api.QueueAttributeNameDeduplicationScope] == "messageGroup"
	q.visibility = q.record.seconds(api.QueueAttributeNameVisibilityTimeout)
	q.delay = q.record.seconds(api.QueueAttributeNameDelaySeconds)
	q.retention = q.record.seconds(api.QueueAttributeNameMessageRetentionPeriod)
	q.wait = q.record.seconds(api.QueueAttributeNameReceiveMessageWaitTimeSeconds)
	q.maxSize = q.record.number(api.QueueAttributeNameMaximumMessageSize)
	if p, ok := parseRedrive(q.record.Attributes[api.QueueAttributeNameRedrivePolicy]); ok {
		q.redrive = p
		q.deadLetters, _ = queueOf(p.Target)
	}
}

func (r *record) flag(attribute string) bool { return r.Attributes[attribute] == "true" }

func (r *record) number(attribute string) int {
	n, _ := strconv.Atoi(r.Attributes[attribute]) // it was checked when it was set
	return n
}

func (r *record) seconds(attribute string) time.Duration {
	return time.Duration(r.number(attribute)) * time.Second
}

// change changes a queue's record.
func (s *Service) change(tx store.Tx, a address, f func(q *queue, r *record) error) error {
	q, err := s.queue(tx, a)
	if err != nil {
		return err
	}
	var r record
	if err := json.Unmarshal(q.raw, &r); err != nil {
		return err
	}
	if err := f(q, &r); err != nil {
		return err
	}
	return store.SetRecord(tx, a.key(), r)
}
