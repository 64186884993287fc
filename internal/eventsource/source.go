package eventsource

import (
	"fmt"
	"strings"
	"time"

	"cirro/internal/awsapi"
)

// Source says what to poll, and how. What AWS has limits for its user has checked.
type Source struct {
	// ID is unlike that of any other source, now and later: checkpoints are kept under it.
	ID  string
	ARN string
	// Principal is who reads, usually a session of a role.
	Principal awsapi.Principal
	// Role is the ARN that Kinesis's records name as the identity they are read as.
	Role string

	BatchSize int           // records, at least 1
	Window    time.Duration // how long to wait for a batch to fill, from its first record on; 0 not to wait
	// Filters select records: those that one of them matches. None selects all. What is not selected is deleted
	// from a queue, and passed over in a stream.
	Filters []Filter
	// Flat has the records of Kinesis as pipes have them, without Lambda's member "kinesis".
	Flat bool

	// MaximumConcurrency is how many batches of a queue are handled at a time; 0 for no bound but AWS's.
	MaximumConcurrency int

	Stream StreamOptions
}

// StreamOptions are those of a Source that is a stream.
type StreamOptions struct {
	Start     string    // "TRIM_HORIZON", "LATEST" or "AT_TIMESTAMP"
	StartTime time.Time // of AT_TIMESTAMP
	// Parallel is how many batches of a shard are handled at a time, each of other partition keys; 0 for 1.
	Parallel int
	// Retries is how often a batch is tried again whose handling failed; below 0 for ever.
	Retries int
	// MaximumAge is the age at which a record is discarded; 0 for never.
	MaximumAge time.Duration
	// Bisect splits a batch in two whose handling failed.
	Bisect bool
	// Tumbling is the length of the windows that state is carried along in; 0 for none.
	Tumbling time.Duration
}

// Filter is a pattern that records are held against, such as package eventpattern compiles. The event is JSON.
type Filter interface{ Match(event []byte) bool }

// Kind is the kind of a source.
type Kind string

// The kinds of sources, named by their services.
const (
	SQS      Kind = "sqs"
	Kinesis  Kind = "kinesis"
	DynamoDB Kind = "dynamodb"
)

// Place is what an ARN says of a source.
type Place struct {
	Kind            Kind
	Region, Account string
	Resource        string // as the ARN ends: a queue's name, "stream/name", "table/name/stream/label"
}

// Locate reads the ARN of a source that can be polled.
func Locate(arn string) (Place, error) {
	part := strings.SplitN(arn, ":", 6)
	if len(part) != 6 || part[0] != "arn" || part[5] == "" {
		return Place{}, fmt.Errorf("eventsource: %q is no ARN", arn)
	}
	p := Place{Kind(part[2]), part[3], part[4], part[5]}
	switch {
	case p.Kind == SQS:
	case p.Kind == Kinesis && strings.HasPrefix(p.Resource, "stream/"):
	case p.Kind == DynamoDB && strings.HasPrefix(p.Resource, "table/") && strings.Contains(p.Resource, "/stream/"):
	default:
		return Place{}, fmt.Errorf("eventsource: %s is no queue and no stream", arn)
	}
	return p, nil
}

// FIFO reports whether the place is a queue that keeps an order.
func (p Place) FIFO() bool { return p.Kind == SQS && strings.HasSuffix(p.Resource, ".fifo") }
