package lambda

import (
	"context"
	"errors"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/eventpattern"
	"cirro/internal/eventsource"
	"cirro/internal/store"
)

// mappings are the pollers that run.
type mappings struct {
	each keyedMutex // by UUID: one at a time brings a mapping into its state
	mu   sync.Mutex
	runs map[string]*mappingRun // by UUID
}

// mappingRun is a mapping's poller.
type mappingRun struct {
	revision string
	poller   *eventsource.Poller
	done     chan struct{}
}

func (ms *mappings) get(id string) *mappingRun {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	return ms.runs[id]
}

func (ms *mappings) set(id string, run *mappingRun) {
	ms.mu.Lock()
	defer ms.mu.Unlock()
	if run == nil {
		delete(ms.runs, id)
		return
	}
	if ms.runs == nil {
		ms.runs = map[string]*mappingRun{}
	}
	ms.runs[id] = run
}

// runMappings takes up all mappings, and follows those that other processes change, until ctx ends.
func (s *Service) runMappings(ctx context.Context) {
	defer store.Watch(s.watched.Store, store.Key("lambda", "mapping"), func(key []byte) {
		if key == nil {
			s.background(s.followMappings)
			return
		}
		if parts, err := store.Split(key); err == nil && len(parts) == 5 {
			if id, ok := parts[4].(string); ok {
				s.followMapping(key, id)
			}
		}
	})()
	s.followMappings(ctx)
	<-ctx.Done()
}

// followMappings brings all mappings into the states that are wanted.
func (s *Service) followMappings(ctx context.Context) {
	var all []mapping
	err := s.Store.View(ctx, func(r store.Reader) error {
		for m, err := range store.Records[mapping](r, store.Prefix("lambda", "mapping")) {
			if err != nil {
				return err
			}
			all = append(all, m)
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Error("lambda: event source mappings cannot be read", "error", err)
	}
	for i := range all {
		s.followMapping(all[i].key(), all[i].UUID)
	}
}

// followMapping brings a mapping into the state that is wanted, in the background.
func (s *Service) followMapping(key []byte, id string) {
	s.background(func(ctx context.Context) {
		defer s.mappings.each.lock(id)()
		if err := s.settleMapping(ctx, key, id); err != nil && ctx.Err() == nil {
			s.Log.Error("lambda: an event source mapping cannot change its state", "uuid", id, "error", err)
		}
	})
}

func (s *Service) settleMapping(ctx context.Context, key []byte, id string) error {
	var m mapping
	var found bool
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		m, found, err = store.GetRecord[mapping](r, key)
		return err
	})
	if err != nil {
		return err
	}
	run := s.mappings.get(id)
	wanted := found && m.Enabled && m.State != mappingDeleting
	if run != nil && (!wanted || run.revision != m.Revision) {
		run.poller.Stop()
		<-run.done
		s.mappings.set(id, nil)
		run = nil
	}
	switch {
	case !found:
		return nil
	case m.State == mappingDeleting:
		return s.Store.Update(ctx, func(tx store.Tx) error {
			if err := eventsource.Forget(tx, m.sourceID()); err != nil {
				return err
			}
			return tx.Delete(key)
		})
	case !wanted:
		return s.arriveMapping(ctx, &m, mappingDisabled)
	case run == nil:
		return s.runMapping(&m)
	}
	return nil
}

// arriveMapping records that a mapping has come to a state, unless it was changed since.
func (s *Service) arriveMapping(ctx context.Context, m *mapping, state string) error {
	return s.changeMapping(ctx, m, func(now *mapping) bool {
		arrived := now.State != state
		now.State = state
		return arrived
	})
}

// changeMapping changes a mapping's record where that is still of the same revision.
func (s *Service) changeMapping(ctx context.Context, m *mapping, change func(*mapping) bool) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		now, found, err := store.GetRecord[mapping](tx, m.key())
		if err != nil || !found || now.Revision != m.Revision || !change(&now) {
			return err
		}
		return store.SetRecord(tx, m.key(), now)
	})
}

// runMapping starts the poller of a mapping.
func (s *Service) runMapping(m *mapping) error {
	source, err := s.sourceOf(s.ctx, m)
	if err != nil {
		return err
	}
	h := &mappingHandler{Service: s, mapping: m, role: source.Role}
	// A store that watches which functions change need not look at checkpoints.
	p, err := eventsource.New(eventsource.Deps{Store: s.watched.Store, Caller: s.Caller, Clock: s.Clock, Log: s.Log, Scale: s.RetryScale}, source, h)
	if err != nil {
		return err
	}
	run := &mappingRun{m.Revision, p, make(chan struct{})}
	s.mappings.set(m.UUID, run)
	s.background(func(ctx context.Context) {
		defer close(run.done)
		p.Run(ctx)
	})
	s.background(func(ctx context.Context) {
		select {
		case <-ctx.Done():
		case <-run.done:
		case <-p.Started():
			if err := s.arriveMapping(ctx, m, mappingEnabled); err != nil && ctx.Err() == nil {
				s.Log.Error("lambda: the state of an event source mapping cannot be kept", "uuid", m.UUID, "error", err)
			}
		}
	})
	return nil
}

// sourceOf is what a mapping polls.
func (s *Service) sourceOf(ctx context.Context, m *mapping) (eventsource.Source, error) {
	role := ""
	r, err := s.route(ctx, m.scope, m.Function, m.Qualifier)
	switch {
	case err == nil:
		role = r.main.Role
	case !errors.Is(err, api.ResourceNotFoundException): // gone, and may come back
		return eventsource.Source{}, err
	}
	source := eventsource.Source{
		ID: m.sourceID(), ARN: m.Source, Principal: session(m.scope, role, m.Function), Role: role,
		BatchSize: m.BatchSize, Window: time.Duration(m.Window) * time.Second, MaximumConcurrency: m.Concurrency,
		Stream: eventsource.StreamOptions{Start: m.Start, StartTime: awsapi.Val(m.StartTime), Parallel: m.Parallel,
			Retries: m.Retries, MaximumAge: time.Duration(max(0, m.Age)) * time.Second, Bisect: m.Bisect,
			Tumbling: time.Duration(m.Tumbling) * time.Second},
	}
	for _, pattern := range m.Filters {
		p, err := eventpattern.Compile([]byte(pattern))
		if err != nil {
			return source, err
		}
		source.Filters = append(source.Filters, p)
	}
	return source, nil
}
