package sns

import (
	"sync"

	"cirro/internal/service/sns/filter"
	"cirro/internal/store"
)

// subscriber is a confirmed subscription, ready to be delivered to.
type subscriber struct {
	*subscription
	filter *filter.Policy
}

// wants reports whether a message is for the subscription.
func (s *subscriber) wants(m *wanted) bool {
	if s.Since.After(m.Time) {
		return false
	}
	return s.filter == nil || s.filter.Match(m.event(s.filter.Scope, s.Protocol))
}

// rosters remembers topics' subscribers, so that each message does not read them again.
type rosters struct {
	mu sync.Mutex
	of map[topicRef]roster
}

// roster is who subscribed to a topic at a revision of it.
type roster struct {
	revision int64
	list     []*subscriber
}

// forget forgets a topic that is gone.
func (r *rosters) forget(of topicRef) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.of, of)
}

// subscribers returns who is subscribed to a topic.
func (s *Service) subscribers(r store.Reader, t *topic) ([]*subscriber, error) {
	s.rosters.mu.Lock()
	known, ok := s.rosters.of[t.topicRef]
	s.rosters.mu.Unlock()
	if ok && known.revision == t.Revision {
		return known.list, nil
	}
	var list []*subscriber
	for sub, err := range store.Records[subscription](r, subscriptions(t.topicRef)) {
		if err != nil {
			return nil, err
		}
		if sub.Pending {
			continue
		}
		p, err := filter.Compile(sub.Attributes["FilterPolicy"], sub.scope())
		if err != nil {
			return nil, err // it was compiled when it was set
		}
		list = append(list, &subscriber{&sub, p})
	}
	s.rosters.mu.Lock()
	s.rosters.of[t.topicRef] = roster{t.Revision, list}
	s.rosters.mu.Unlock()
	return list, nil
}
