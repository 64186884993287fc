package eventsource

import (
	"context"
	"slices"
	"sync"
	"time"
)

// stream polls a stream: a goroutine for each lane of each shard that is due, and one that looks for shards. A
// shard is due when those it came from have been read to their ends.
type stream struct {
	*Poller
	api     streamAPI
	lanes   sync.WaitGroup
	changed chan struct{} // holds a token where a shard has ended

	mu      sync.Mutex
	running map[string]bool // shards
	ended   map[string]bool
	keeps   time.Duration // the stream's retention
}

// streamAPI is a stream's service.
type streamAPI interface {
	// shards lists all the shards.
	shards(ctx context.Context) ([]shard, error)
	// iterator opens a shard at a position.
	iterator(ctx context.Context, shard string, at position) (string, error)
	// read reads from an iterator on, waiting so long for a first record. next is "" at the shard's end.
	read(ctx context.Context, shard, iterator string, wait time.Duration) (records []Record, next string, err error)
	// retention is how long the stream keeps its records.
	retention(ctx context.Context) (time.Duration, error)
	// lost says what an error of a read means.
	lost(err error) loss
}

// loss is what has become too old to go on from, if anything.
type loss int

const (
	lostNothing  loss = iota
	lostRecords       // that follow a position
	lostIterator      // another one is to be had
	lostShard
)

// shard is one of a stream's.
type shard struct {
	id      string
	parents []string
	closed  bool // nothing is added to it any more
}

// position is where to begin reading a shard.
type position struct {
	Type     string    // of iterator, as the APIs have them
	Sequence string    // of AFTER_SEQUENCE_NUMBER
	Time     time.Time // of AT_TIMESTAMP
}

// Types of iterators.
const (
	trimHorizon   = "TRIM_HORIZON"
	latest        = "LATEST"
	atTimestamp   = "AT_TIMESTAMP"
	afterSequence = "AFTER_SEQUENCE_NUMBER"
)

// patience is how often a stream may fail to tell its shards before its source counts as begun all the same: its
// owner must be able to change it.
const patience = 3

// lookEvery is the time between two looks for new shards: a shard's end brings one on at once.
const lookEvery = 10 * time.Second

func newStream(p *Poller) *stream {
	s := &stream{Poller: p, changed: make(chan struct{}, 1), running: map[string]bool{}, ended: map[string]bool{}}
	if p.place.Kind == Kinesis {
		s.api = &kinesisAPI{Poller: p}
	} else {
		s.api = &dynamodbAPI{Poller: p}
	}
	return s
}

// run polls until polling ends; work is what batches are handled under.
func (s *stream) run(polling, work context.Context) {
	defer s.lanes.Wait()
	failures := 0
	for polling.Err() == nil {
		if err := s.look(polling, work); err != nil {
			if failures++; failures == patience {
				s.begun() // the source has begun, if badly
			}
			s.problem(polling, err)
			s.pause(polling, readBackoff, failures)
			continue
		}
		failures = 0
		s.await(polling)
	}
}

// await waits until it is time to look for shards.
func (s *stream) await(ctx context.Context) {
	t := time.NewTimer(lookEvery)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.changed:
	case <-ctx.Done():
	}
}

// look finds the shards and starts on those that are due.
func (s *stream) look(polling, work context.Context) error {
	shards, err := s.api.shards(polling)
	if err != nil {
		return err
	}
	keeps, err := s.api.retention(polling)
	if err != nil {
		return err
	}
	opened, err := s.begin(polling, shards)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.keeps = keeps
	s.mu.Unlock()
	if err := s.forget(polling, shards); err != nil {
		return err
	}
	for _, sh := range shards {
		if !s.due(sh, shards) {
			continue
		}
		if err := s.open(polling, work, sh, opened[sh.id]); err != nil {
			return err
		}
	}
	s.begun()
	return nil
}

// begin takes the positions of a source that is polled for the first time. It returns the iterators that are
// open already.
func (s *stream) begin(ctx context.Context, shards []shard) (map[string]string, error) {
	begun, err := s.hasBegun(ctx)
	if err != nil || begun {
		return nil, err
	}
	now := s.Clock()
	opened := map[string]string{}
	first := map[string]checkpoint{}
	for _, sh := range shards {
		switch s.source.Stream.Start {
		case latest:
			if sh.closed {
				first[sh.id] = checkpoint{Ended: true}
				continue
			}
			if opened[sh.id], err = s.api.iterator(ctx, sh.id, position{Type: latest}); err != nil {
				return nil, err
			}
			// After a restart there is no other way to find this place again.
			first[sh.id] = checkpoint{From: position{Type: atTimestamp, Time: now}}
		case atTimestamp:
			first[sh.id] = checkpoint{From: position{Type: atTimestamp, Time: s.source.Stream.StartTime}}
		default:
			first[sh.id] = checkpoint{From: position{Type: trimHorizon}}
		}
	}
	return opened, s.saveFirst(ctx, first)
}

// maximumAge is the age at which records are given up: the source's, or that at which the stream loses them.
func (s *stream) maximumAge() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if age := s.source.Stream.MaximumAge; age > 0 {
		return min(age, s.keeps)
	}
	return s.keeps
}

// due reports whether to start on a shard.
func (s *stream) due(sh shard, all []shard) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[sh.id] || s.ended[sh.id] {
		return false
	}
	for _, parent := range sh.parents {
		if !s.ended[parent] && slices.ContainsFunc(all, func(o shard) bool { return o.id == parent }) {
			return false
		}
	}
	return true
}

// open starts the lanes of a shard. iterator, where not "", is where they begin.
func (s *stream) open(polling, work context.Context, sh shard, iterator string) error {
	marks, err := s.checkpoints(polling, sh.id)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.running[sh.id] = true
	s.mu.Unlock()
	var lanes sync.WaitGroup
	ends := make([]bool, len(marks))
	for i := range marks {
		if marks[i].Ended {
			ends[i] = true
			continue
		}
		l := &lane{stream: s, shard: sh.id, number: i, of: len(marks), mark: marks[i], next: iterator}
		lanes.Go(func() { ends[i] = l.run(polling, work) })
	}
	s.lanes.Go(func() {
		lanes.Wait()
		ended := !slices.Contains(ends, false)
		if !ended {
			s.pause(polling, readBackoff, 1) // the store failed, or polling is over
		}
		s.close(sh.id, ended)
	})
	return nil
}

// close notes that the lanes of a shard are through.
func (s *stream) close(shard string, ended bool) {
	s.mu.Lock()
	delete(s.running, shard)
	s.ended[shard] = ended
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}
