package sqs

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// maxReceives bounds maxReceiveCount.
const maxReceives = 1000

// redrivePolicy says after how many receives a message goes where.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
type redrivePolicy struct {
	Target string `json:"deadLetterTargetArn"`
	Max    int    `json:"maxReceiveCount"`
}

// parseRedrive reads a RedrivePolicy. Its number may stand in quotes.
func parseRedrive(text string) (*redrivePolicy, bool) {
	if text == "" {
		return nil, false
	}
	var raw struct {
		Target string          `json:"deadLetterTargetArn"`
		Max    json.RawMessage `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(text), &raw) != nil {
		return nil, false
	}
	digits := string(raw.Max)
	if unquoted, err := strconv.Unquote(digits); err == nil {
		digits = unquoted
	}
	n, err := strconv.Atoi(digits)
	return &redrivePolicy{Target: raw.Target, Max: n}, err == nil
}

// checkRedrive checks a RedrivePolicy that a request sets for a queue, and puts it into the form that is kept.
func (s *Service) checkRedrive(r store.Reader, at address, given map[string]string) error {
	const attribute = api.QueueAttributeNameRedrivePolicy
	text := given[attribute]
	if text == "" {
		return nil
	}
	refuse := func(reason string, args ...any) error { return invalidValue(text, attribute, reason, args...) }
	var whole map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &whole) != nil {
		return refuse("Redrive policy is not a valid JSON map.")
	}
	for _, name := range [...]string{"deadLetterTargetArn", "maxReceiveCount"} {
		if _, ok := whole[name]; !ok {
			return refuse("Redrive policy does not contain mandatory attribute: %[3]s.", name)
		}
	}
	for name := range whole {
		if name != "deadLetterTargetArn" && name != "maxReceiveCount" {
			return refuse("Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].")
		}
	}
	p, ok := parseRedrive(text)
	if !ok || p.Max < 1 || p.Max > maxReceives {
		return refuse("Invalid value for maxReceiveCount: %[3]s, valid values are from 1 to %[4]d both inclusive.", whole["maxReceiveCount"], maxReceives)
	}
	to, ok := queueOf(p.Target)
	if !ok {
		return refuse("Invalid value for deadLetterTargetArn.")
	}
	if to.account != at.account || to.region != at.region {
		return refuse("Dead-letter target owner and region should be same as the source.")
	}
	if err := s.checkTarget(r, at, to, refuse); err != nil {
		return err
	}
	kept, err := json.Marshal(p)
	given[attribute] = string(kept)
	return err
}

// checkTarget checks that a queue can be another's dead-letter queue.
func (s *Service) checkTarget(r store.Reader, from, to address, refuse func(string, ...any) error) error {
	q, err := s.queue(r, to)
	if errors.Is(err, api.QueueDoesNotExist) {
		return refuse("Dead letter target does not exist.")
	}
	if err != nil {
		return err
	}
	if q.fifo != from.fifo() {
		return refuse("Dead-letter queue must be same type of queue as the source.")
	}
	if !q.allows(from) {
		return refuse("The redrive allow policy of the dead-letter queue does not allow this source queue.")
	}
	return nil
}

// allowPolicy says which queues may have a queue for their dead-letter queue.
type allowPolicy struct {
	Permission string   `json:"redrivePermission"`
	Sources    []string `json:"sourceQueueArns,omitempty"`
}

// maxAllowed is how many queues a policy can name.
const maxAllowed = 10

// allowance checks a RedriveAllowPolicy.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
func allowance(value string) (string, bool) {
	if value == "" {
		return "", true
	}
	var p allowPolicy
	if json.Unmarshal([]byte(value), &p) != nil {
		return "", false
	}
	switch p.Permission {
	case "allowAll", "denyAll":
		return value, p.Sources == nil
	case "byQueue":
		return value, len(p.Sources) > 0 && len(p.Sources) <= maxAllowed && !slices.ContainsFunc(p.Sources, isNoQueue)
	}
	return "", false
}

func isNoQueue(arn string) bool {
	_, ok := queueOf(arn)
	return !ok
}

// allows says whether a queue may have q for its dead-letter queue.
func (q *queue) allows(from address) bool {
	var p allowPolicy
	text := q.record.Attributes[api.QueueAttributeNameRedriveAllowPolicy]
	if text == "" || json.Unmarshal([]byte(text), &p) != nil {
		return true
	}
	return p.Permission == "allowAll" || p.Permission == "byQueue" && slices.Contains(p.Sources, from.arn())
}
