package kinesis

import (
	"sync"
	"time"

	api "cirro/internal/awsapi/kinesis"
)

// What a shard takes in a second.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	recordsASecond = 1000
	bytesASecond   = 1 << 20
)

// throttle knows what every shard took in the second that runs.
type throttle struct {
	mu     sync.Mutex
	shards map[taken]*second
}

type taken struct {
	stream string
	shard  int
}

type second struct {
	began          time.Time
	records, bytes int
}

// admit refuses a record that its shard has no throughput left for, where the service is to enforce that. A transaction
// that is tried again counts twice.
func (s *Service) admit(st *stream, shard int, e *entry) error {
	if !s.Throttle {
		return nil
	}
	t := &s.throttle
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shards == nil {
		t.shards = make(map[taken]*second)
	}
	key := taken{st.record.ID, shard}
	now := s.Clock()
	sec := t.shards[key]
	if sec == nil || now.Sub(sec.began) >= time.Second {
		sec = &second{began: now}
		t.shards[key] = sec
	}
	// A record larger than a second's worth passes a shard that is idle.
	if sec.records >= recordsASecond || sec.records > 0 && sec.bytes+e.size() > bytesASecond {
		return api.ProvisionedThroughputExceededException.New("Rate exceeded for shard %s in stream %s under account %s.", shardID(shard), st.name, st.account)
	}
	sec.records++
	sec.bytes += e.size()
	return nil
}
