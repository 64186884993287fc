package sqs

import (
	"context"
	"encoding/json"
	"maps"
	"strconv"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// setting is what a queue's attribute may be set to.
type setting struct {
	standard string                            // of a new queue; "" for nothing
	fifo     bool                              // FIFO queues alone have it
	accept   func(value string) (string, bool) // the value as it is kept
}

// settings are the attributes that can be set.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
var settings = map[string]setting{
	api.QueueAttributeNameDelaySeconds:                  {"0", false, number(0, maxDelay)},
	api.QueueAttributeNameMaximumMessageSize:            {"1048576", false, number(1024, maxMessageSize)},
	api.QueueAttributeNameMessageRetentionPeriod:        {"345600", false, number(60, 1209600)},
	api.QueueAttributeNameReceiveMessageWaitTimeSeconds: {"0", false, number(0, maxWait)},
	api.QueueAttributeNameVisibilityTimeout:             {"30", false, number(0, maxVisibility)},
	api.QueueAttributeNamePolicy:                        {"", false, document},
	api.QueueAttributeNameRedrivePolicy:                 {"", false, anything}, // checked by checkRedrive
	api.QueueAttributeNameRedriveAllowPolicy:            {"", false, allowance},
	api.QueueAttributeNameKmsMasterKeyId:                {"", false, anything},
	api.QueueAttributeNameKmsDataKeyReusePeriodSeconds:  {"", false, number(60, 86400)},
	api.QueueAttributeNameSqsManagedSseEnabled:          {"true", false, oneOf("true", "false")},
	api.QueueAttributeNameFifoQueue:                     {"true", true, oneOf("true")},
	api.QueueAttributeNameContentBasedDeduplication:     {"false", true, oneOf("true", "false")},
	api.QueueAttributeNameDeduplicationScope:            {"queue", true, oneOf("queue", "messageGroup")},
	api.QueueAttributeNameFifoThroughputLimit:           {"perQueue", true, oneOf("perQueue", "perMessageGroupId")},
}

// computed are the attributes that nobody sets.
var computed = map[string]func(q *queue, stats store.Stats) string{
	api.QueueAttributeNameQueueArn:                              func(q *queue, _ store.Stats) string { return q.arn() },
	api.QueueAttributeNameCreatedTimestamp:                      func(q *queue, _ store.Stats) string { return strconv.FormatInt(q.record.Created, 10) },
	api.QueueAttributeNameLastModifiedTimestamp:                 func(q *queue, _ store.Stats) string { return strconv.FormatInt(q.record.Modified, 10) },
	api.QueueAttributeNameApproximateNumberOfMessages:           func(_ *queue, s store.Stats) string { return strconv.Itoa(s.Ready) },
	api.QueueAttributeNameApproximateNumberOfMessagesDelayed:    func(_ *queue, s store.Stats) string { return strconv.Itoa(s.Delayed) },
	api.QueueAttributeNameApproximateNumberOfMessagesNotVisible: func(_ *queue, s store.Stats) string { return strconv.Itoa(s.Leased) },
}

func isQueueAttribute(name string) bool {
	return settings[name].accept != nil || computed[name] != nil
}

func number(least, most int) func(string) (string, bool) {
	return func(value string) (string, bool) {
		n, err := strconv.Atoi(value)
		return strconv.Itoa(n), err == nil && n >= least && n <= most
	}
}

func oneOf(values ...string) func(string) (string, bool) {
	return func(value string) (string, bool) {
		for _, v := range values {
			if v == value {
				return value, true
			}
		}
		return "", false
	}
}

func anything(value string) (string, bool) { return value, true }

func document(value string) (string, bool) {
	var object map[string]any
	return value, value == "" || json.Unmarshal([]byte(value), &object) == nil
}

// defaults are a new queue's attributes.
func defaults(fifo bool) map[string]string {
	out := make(map[string]string, len(settings))
	for name, s := range settings {
		if s.standard != "" && (fifo || !s.fifo) {
			out[name] = s.standard
		}
	}
	return out
}

func unknownAttribute(name string) error {
	return api.InvalidAttributeName.New("Unknown Attribute %s.", name)
}

// checkAttributes checks attributes that a request sets, and returns them as they are kept.
func checkAttributes(fifo bool, given map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(given))
	for name, value := range given {
		s := settings[name]
		if s.accept == nil {
			return nil, unknownAttribute(name)
		}
		if s.fifo && !fifo {
			if name == api.QueueAttributeNameDeduplicationScope || name == api.QueueAttributeNameFifoThroughputLimit {
				return nil, api.InvalidAttributeName.New("You can specify the %s only when FifoQueue is set to true.", name)
			}
			return nil, unknownAttribute(name)
		}
		kept, ok := s.accept(value)
		if !ok {
			return nil, api.InvalidAttributeValue.New("Invalid value for the parameter %s.", name)
		}
		out[name] = kept
	}
	return out, nil
}

// set sets checked attributes; an empty value takes one away.
func (r *record) set(given map[string]string) error {
	if err := r.encrypt(given); err != nil {
		return err
	}
	for name, value := range given {
		if value == "" {
			delete(r.Attributes, name)
		} else {
			r.Attributes[name] = value
		}
	}
	if r.Attributes[api.QueueAttributeNameFifoThroughputLimit] == "perMessageGroupId" &&
		r.Attributes[api.QueueAttributeNameDeduplicationScope] != "messageGroup" {
		return api.InvalidAttributeValue.New("Invalid value for the parameter FifoThroughputLimit. Reason: The perMessageGroupId value is allowed only when the value for DeduplicationScope is messageGroup.")
	}
	return nil
}

// encrypt keeps the two ways of encryption apart.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-data-encryption.html
func (r *record) encrypt(given map[string]string) error {
	const managed, key, period = api.QueueAttributeNameSqsManagedSseEnabled, api.QueueAttributeNameKmsMasterKeyId, api.QueueAttributeNameKmsDataKeyReusePeriodSeconds
	if given[key] != "" && given[managed] == "true" {
		return api.InvalidAttributeName.New("You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.")
	}
	if given[managed] == "true" {
		delete(r.Attributes, key)
		delete(r.Attributes, period)
	}
	if given[key] != "" {
		r.Attributes[managed] = "false"
		if r.Attributes[period] == "" {
			r.Attributes[period] = "300"
		}
	}
	if value, ok := given[key]; ok && value == "" {
		delete(r.Attributes, period)
	}
	return nil
}

// SetQueueAttributes changes a queue's attributes. Messages that are there already keep their retention and delay.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func (s *Service) SetQueueAttributes(ctx context.Context, in *api.SetQueueAttributesRequest) (*api.SetQueueAttributesOutput, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		return s.change(tx, at, func(q *queue, r *record) error {
			if value, ok := in.Attributes[api.QueueAttributeNameFifoQueue]; ok && q.fifo && value != "true" {
				return api.InvalidAttributeValue.New("Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported.")
			}
			given, err := checkAttributes(q.fifo, in.Attributes)
			if err != nil {
				return err
			}
			if err := s.checkRedrive(tx, at, given); err != nil {
				return err
			}
			r.Modified = s.Clock().Unix()
			return r.set(given)
		})
	})
}

// GetQueueAttributes tells a queue's attributes, counts of its messages among them.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
func (s *Service) GetQueueAttributes(ctx context.Context, in *api.GetQueueAttributesRequest) (*api.GetQueueAttributesResult, error) {
	at, err := queueAt(awsapi.RequestOf(ctx), *in.QueueUrl)
	if err != nil {
		return nil, err
	}
	var q *queue
	err = s.Store.View(ctx, func(r store.Reader) (err error) {
		q, err = s.queue(r, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	stats, err := s.Store.Stats(ctx, q.messages)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string)
	for _, name := range in.AttributeNames {
		if name == api.QueueAttributeNameAll {
			maps.Copy(out, q.record.Attributes)
			for name, f := range computed {
				out[name] = f(q, stats)
			}
			continue
		}
		if !isQueueAttribute(name) {
			return nil, unknownAttribute(name)
		}
		if f := computed[name]; f != nil {
			out[name] = f(q, stats)
		} else if value, ok := q.record.Attributes[name]; ok {
			out[name] = value
		}
	}
	return &api.GetQueueAttributesResult{Attributes: out}, nil
}
