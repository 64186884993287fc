package pipes

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"cirro/internal/awsapi"
	streamsapi "cirro/internal/awsapi/dynamodbstreams"
	kinesisapi "cirro/internal/awsapi/kinesis"
	api "cirro/internal/awsapi/pipes"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/eventsource"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// runs are the pipes that run in this process.
type runs struct {
	mu    sync.Mutex
	turns map[ref]*sync.Mutex // one at a time brings a pipe into its state
	of    map[ref]*run
}

// run is a pipe that runs.
type run struct {
	revision string
	poller   *eventsource.Poller
	done     chan struct{}
}

func (r *runs) lock(of ref) (unlock func()) {
	r.mu.Lock()
	turn := r.turns[of]
	if turn == nil {
		turn = &sync.Mutex{}
		r.turns[of] = turn
	}
	r.mu.Unlock()
	turn.Lock()
	return turn.Unlock
}

func (r *runs) get(of ref) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[of]
}

func (r *runs) set(of ref, is *run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if is == nil {
		delete(r.of, of)
	} else {
		r.of[of] = is
	}
}

// followAll brings all pipes into the states that are wanted.
func (s *Service) followAll() {
	var all []ref
	err := s.Store.View(s.ctx, func(r store.Reader) error {
		for p, err := range store.Records[pipe](r, store.Prefix("pipes", "pipe")) {
			if err != nil {
				return err
			}
			all = append(all, p.ref)
		}
		return nil
	})
	if err != nil && s.ctx.Err() == nil {
		s.Log.Error("pipes: pipes cannot be read", "error", err)
	}
	for _, of := range all {
		s.follow(of)
	}
}

// changed follows a pipe that another process changed.
func (s *Service) changed(key []byte) {
	if key == nil {
		s.background(s.followAll)
		return
	}
	parts, err := store.Split(key)
	if err != nil || len(parts) != 5 {
		return
	}
	of := ref{}
	for i, to := range []*string{&of.Account, &of.Region, &of.Name} {
		*to, _ = parts[2+i].(string)
	}
	s.follow(of)
}

// follow brings a pipe into the state that is wanted, in the background.
func (s *Service) follow(of ref) {
	s.background(func() {
		defer s.runs.lock(of)()
		if err := s.settle(of); err != nil && s.ctx.Err() == nil {
			s.Log.Error("pipes: a pipe cannot change its state", "pipe", of.arn(), "error", err)
		}
	})
}

func (s *Service) settle(of ref) error {
	var p pipe
	var found bool
	err := s.Store.View(s.ctx, func(r store.Reader) (err error) {
		p, found, err = store.GetRecord[pipe](r, of.key())
		return err
	})
	if err != nil {
		return err
	}
	is := s.runs.get(of)
	wanted := found && p.Desired == api.RequestedPipeStateRunning && !strings.HasSuffix(p.State, "_FAILED")
	if is != nil && (!wanted || is.revision != p.Revision) {
		is.poller.Stop()
		<-is.done
		s.runs.set(of, nil)
		is = nil
	}
	switch {
	case !found, strings.HasSuffix(p.State, "_FAILED"):
		return nil
	case p.State == api.PipeStateDeleting:
		return s.Store.Update(s.ctx, func(tx store.Tx) error {
			if err := eventsource.Forget(tx, p.ID); err != nil {
				return err
			}
			return tx.Delete(of.key())
		})
	case !wanted:
		return s.arrive(&p, api.PipeStateStopped, "")
	case is == nil:
		return s.run(&p)
	}
	return nil
}

// arrive records that a pipe has come to a state, unless it was changed since.
func (s *Service) arrive(p *pipe, state, reason string) error {
	return s.Store.Update(s.ctx, func(tx store.Tx) error {
		now, found, err := store.GetRecord[pipe](tx, p.key())
		if err != nil || !found || now.Revision != p.Revision || now.State == state {
			return err
		}
		now.State, now.Reason, now.Modified = state, reason, s.Clock()
		return now.put(tx)
	})
}

// failed is the state of a pipe that did not come to where it was to be.
var failed = map[string]string{api.PipeStateCreating: api.PipeStateCreateFailed, api.PipeStateUpdating: api.PipeStateUpdateFailed,
	api.PipeStateStarting: api.PipeStateStartFailed}

// run starts a pipe. One that begins fails where its source is not there; one that ran before waits for it.
func (s *Service) run(p *pipe) error {
	if state, begins := failed[p.State]; begins {
		if err := s.findSource(p); err != nil {
			if s.ctx.Err() != nil {
				return nil
			}
			return s.arrive(p, state, fmt.Sprintf("The source %s cannot be read: %s", p.Source, err))
		}
	}
	source, err := p.source()
	if err != nil {
		return err
	}
	h, err := newHandler(s, p)
	if err != nil {
		return err
	}
	poller, err := eventsource.New(eventsource.Deps{Store: s.Store, Caller: s.Caller, Clock: s.Clock, Log: s.Log, Scale: s.RetryScale}, source, h)
	if err != nil {
		return err
	}
	is := &run{p.Revision, poller, make(chan struct{})}
	s.runs.set(p.ref, is)
	s.background(func() {
		defer close(is.done)
		poller.Run(s.ctx)
	})
	s.background(func() {
		select {
		case <-s.ctx.Done():
		case <-is.done:
		case <-poller.Started():
			if err := s.arrive(p, api.PipeStateRunning, ""); err != nil && s.ctx.Err() == nil {
				s.Log.Error("pipes: the state of a pipe cannot be kept", "pipe", p.arn(), "error", err)
			}
		}
	})
	return nil
}

// source is what the pipe polls.
func (p *pipe) source() (eventsource.Source, error) {
	src := eventsource.Source{ID: p.ID, ARN: p.Source, Principal: p.session(), Role: p.Role, BatchSize: int(p.batchSize()), Flat: true}
	seconds := func(n *int32) time.Duration { return time.Duration(max(0, awsapi.Val(n))) * time.Second }
	switch f := &p.From; {
	case f.SqsQueueParameters != nil:
		src.Window = seconds(f.SqsQueueParameters.MaximumBatchingWindowInSeconds)
	case f.KinesisStreamParameters != nil:
		k := f.KinesisStreamParameters
		src.Window = seconds(k.MaximumBatchingWindowInSeconds)
		src.Stream = eventsource.StreamOptions{Start: *k.StartingPosition, StartTime: awsapi.Val(k.StartingPositionTimestamp),
			Parallel: int(*k.ParallelizationFactor), Retries: int(*k.MaximumRetryAttempts), MaximumAge: seconds(k.MaximumRecordAgeInSeconds),
			Bisect: k.OnPartialBatchItemFailure != nil}
	case f.DynamoDBStreamParameters != nil:
		d := f.DynamoDBStreamParameters
		src.Window = seconds(d.MaximumBatchingWindowInSeconds)
		src.Stream = eventsource.StreamOptions{Start: *d.StartingPosition, Parallel: int(*d.ParallelizationFactor),
			Retries: int(*d.MaximumRetryAttempts), MaximumAge: seconds(d.MaximumRecordAgeInSeconds), Bisect: d.OnPartialBatchItemFailure != nil}
	}
	var err error
	src.Filters, err = p.filters()
	return src, err
}

// findSource looks whether the source is there.
func (s *Service) findSource(p *pipe) error {
	place, err := eventsource.Locate(p.Source)
	if err != nil {
		return err
	}
	who := p.session()
	ctx := awsapi.WithRequest(s.ctx, &awsapi.Request{ID: uuid.NewString(), Region: place.Region, Principal: who, Time: s.Clock()})
	switch place.Kind {
	case eventsource.SQS:
		url := fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", place.Region, place.Account, place.Resource)
		_, err = s.Caller.Call(ctx, who, "sqs", "GetQueueAttributes", &sqsapi.GetQueueAttributesRequest{QueueUrl: &url})
	case eventsource.Kinesis:
		_, err = s.Caller.Call(ctx, who, "kinesis", "DescribeStreamSummary", &kinesisapi.DescribeStreamSummaryInput{StreamARN: &p.Source})
	default:
		_, err = s.Caller.Call(ctx, who, "streams.dynamodb", "DescribeStream", &streamsapi.DescribeStreamInput{StreamArn: &p.Source})
	}
	return err
}
