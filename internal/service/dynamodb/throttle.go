package dynamodb

import (
	"context"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
)

// Throttled is the service with provisioned throughput enforced: what a table, or a global index, has not consumed
// is kept for five minutes, and an operation that finds nothing left is refused. How much is left is in memory alone,
// full at the start. Tables on demand have no bounds.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
type Throttled struct {
	*Service

	mu      sync.Mutex
	buckets map[bucketKey]*bucket
}

var _ api.API = (*Throttled)(nil)

// NewThrottled makes it.
func NewThrottled(s *Service) *Throttled {
	return &Throttled{Service: s, buckets: map[bucketKey]*bucket{}}
}

// burst is how many seconds' worth of capacity a bucket holds.
const burst = 300

// bucketKey is a kind of capacity of a table, or of an index where it has a name.
type bucketKey struct {
	ref    table.Ref
	index  string
	writes bool
}

// bucket is capacity units at hand. They may be less than none after an operation that took more than it found.
type bucket struct {
	units float64
	asOf  time.Time
}

// fill adds what has come since.
func (b *bucket) fill(rate float64, now time.Time) {
	b.units = min(b.units+rate*now.Sub(b.asOf).Seconds(), rate*burst)
	b.asOf = now
}

// quota is a bucket's rate in units a second; false where there is no bound.
func quota(r *table.Record, index string, writes bool) (rate float64, bounded bool) {
	if isOnDemand(r) {
		return 0, false
	}
	d := r.API.ProvisionedThroughput
	if index != "" {
		i := globalIndex(r, index)
		if i < 0 {
			return 0, false
		}
		d = r.API.GlobalSecondaryIndexes[i].ProvisionedThroughput
	}
	units := d.ReadCapacityUnits
	if writes {
		units = d.WriteCapacityUnits
	}
	return float64(awsapi.Val(units)), true
}

// left says whether a bucket has anything.
func (t *Throttled) left(r *table.Record, index string, writes bool) bool {
	rate, bounded := quota(r, index, writes)
	if !bounded {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bucket(r, index, writes, rate).units > 0
}

func (t *Throttled) bucket(r *table.Record, index string, writes bool, rate float64) *bucket {
	key, now := bucketKey{r.Ref, index, writes}, t.Clock()
	b := t.buckets[key]
	if b == nil {
		b = &bucket{rate * burst, now}
		t.buckets[key] = b
	}
	b.fill(rate, now)
	return b
}

// admit refuses an operation on a table whose capacity is used up: its own, that of the index that is read, or that
// of any index where it writes.
func (t *Throttled) admit(ctx context.Context, name, index *string, writes bool) error {
	d, err := t.describe(ctx, name)
	if err != nil {
		return nil // the operation itself says what is wrong
	}
	r := d.Record
	global := index != nil && globalIndex(r, *index) >= 0
	if !global && !t.left(r, "", writes) {
		return exceeded("The level of configured provisioned throughput for the table was exceeded. " +
			"Consider increasing your provisioning level with the UpdateTable API.")
	}
	for _, x := range r.API.GlobalSecondaryIndexes {
		concerns := writes || index != nil && *x.IndexName == *index
		if concerns && !t.left(r, *x.IndexName, writes) {
			return exceeded("The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. " +
				"Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API")
		}
	}
	return nil
}

func exceeded(message string) error {
	return api.ProvisionedThroughputExceededException.New("%s", message)
}

// charge takes what an operation consumed, and leaves of the report what was asked for.
func (t *Throttled) charge(ctx context.Context, asked *string, writes bool, c *api.ConsumedCapacity) *api.ConsumedCapacity {
	if c == nil {
		return nil
	}
	if d, err := t.describe(ctx, c.TableName); err == nil {
		own := awsapi.Val(c.Table).CapacityUnits
		t.take(d.Record, "", writes, awsapi.Val(own))
		for _, local := range c.LocalSecondaryIndexes {
			t.take(d.Record, "", writes, awsapi.Val(local.CapacityUnits))
		}
		for name, global := range c.GlobalSecondaryIndexes {
			t.take(d.Record, name, writes, awsapi.Val(global.CapacityUnits))
		}
	}
	switch awsapi.Val(asked) {
	case api.ReturnConsumedCapacityIndexes:
		return c
	case api.ReturnConsumedCapacityTotal:
		c.Table, c.LocalSecondaryIndexes, c.GlobalSecondaryIndexes = nil, nil, nil
		return c
	}
	return nil
}

func (t *Throttled) take(r *table.Record, index string, writes bool, units float64) {
	rate, bounded := quota(r, index, writes)
	if !bounded {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.bucket(r, index, writes, rate).units -= units
}

func (t *Throttled) chargeAll(ctx context.Context, asked *string, writes bool, all []api.ConsumedCapacity) (left []api.ConsumedCapacity) {
	for i := range all {
		if c := t.charge(ctx, asked, writes, &all[i]); c != nil {
			left = append(left, *c)
		}
	}
	return left
}

// detailed asks for the report that charge needs.
func detailed(asked **string) (was *string) {
	was, *asked = *asked, new(api.ReturnConsumedCapacityIndexes)
	return was
}
