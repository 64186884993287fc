package sns

import (
	"hash/maphash"
	"sync"
	"time"

	"cirro/internal/service/sns/filter"
	"cirro/internal/store"
)

// dedupWindow is how long a FIFO topic remembers what was published.
// https://docs.aws.amazon.com/sns/latest/dg/fifo-message-dedup.html
const dedupWindow = 5 * time.Minute

// orders keeps requests of this process from publishing to one FIFO topic at the same time: the store would
// have all but one of them try again.
type orders struct {
	seed  maphash.Seed
	turns [64]sync.Mutex
}

func (o *orders) lock(topic string) (unlock func()) {
	m := &o.turns[maphash.String(o.seed, topic)%uint64(len(o.turns))]
	m.Lock()
	return m.Unlock
}

func sequenceKey(t topicRef) []byte { return store.Key("sns", "sequence", t.Account, t.Region, t.Name) }

// accepted is the record of a message that its repetitions are told by. It lies under
// ("sns", "dedup", period, topic, scope, id), a period being a window long: what is forgotten is a range.
type accepted struct {
	ID       string    `json:"id"`
	Sequence int64     `json:"sequence"`
	Time     time.Time `json:"time"`
}

func dedupPeriod(at time.Time) int64 { return at.UnixNano() / int64(dedupWindow) }

func (t *topic) dedupKey(m *message, period int64) []byte {
	id, scope := m.Dedup, ""
	if id == "" {
		id = contentHash(m.Text)
	}
	if t.Attributes["FifoThroughputScope"] == scopeMessageGroup {
		scope = m.Group
	}
	return store.Key("sns", "dedup", period, t.Account, t.Region, t.Name, scope, id)
}

// repeated finds the message that m repeats.
func (t *topic) repeated(r store.Reader, m *message) (accepted, bool, error) {
	for period := dedupPeriod(m.Time); period >= dedupPeriod(m.Time)-1; period-- {
		a, found, err := store.GetRecord[accepted](r, t.dedupKey(m, period))
		if err != nil || found && m.Time.Sub(a.Time) < dedupWindow {
			return a, err == nil, err
		}
	}
	return accepted{}, false, nil
}

// enqueueInOrder puts messages of a FIFO topic into the queue, one for each subscription, so that each has its
// own order and none holds up another.
func (s *Service) enqueueInOrder(tx store.Tx, t *topic, list []message, trace string) error {
	next, _, err := store.GetRecord[int64](tx, sequenceKey(t.topicRef))
	if err != nil {
		return err
	}
	to, err := s.subscribers(tx, t)
	if err != nil {
		return err
	}
	for i := range list {
		m := &list[i]
		first, found, err := t.repeated(tx, m)
		if err != nil {
			return err
		}
		if found {
			m.ID, m.Sequence = first.ID, first.Sequence
			continue
		}
		next++
		m.Sequence = next
		if err := store.SetRecord(tx, t.dedupKey(m, dedupPeriod(m.Time)), accepted{m.ID, m.Sequence, m.Time}); err != nil {
			return err
		}
		if err := enqueueForEach(tx, to, m, trace); err != nil {
			return err
		}
	}
	return store.SetRecord(tx, sequenceKey(t.topicRef), next)
}

// enqueueForEach puts a message into the queue for each subscription that wants it.
func enqueueForEach(tx store.Tx, to []*subscriber, m *message, trace string) error {
	events := wanted{message: m}
	for _, sub := range to {
		if !sub.wants(&events) {
			continue
		}
		d := delivery{Subscription: sub.subscriptionRef, Message: *m, TraceID: trace}
		group := string(store.Key(sub.arn(), m.Group))
		if _, err := tx.Enqueue(orderedQueue, store.NewMessage{Body: encodeJSON(d), Group: group}); err != nil {
			return err
		}
	}
	return nil
}

// forget removes what is no longer needed to tell repetitions.
func (s *Service) forget(tx store.Tx, now time.Time) error {
	return tx.DeleteRange(store.Key("sns", "dedup"), store.Key("sns", "dedup", dedupPeriod(now)-1))
}

// wanted is a message as filters look at it, made when the first one asks.
type wanted struct {
	*message
	attributes filter.Event
	bodies     map[string]filter.Event // by text
}

func (w *wanted) event(scope, protocol string) filter.Event {
	if scope == filter.ScopeBody {
		text := w.textFor(protocol)
		e, ok := w.bodies[text]
		if !ok {
			if w.bodies == nil {
				w.bodies = map[string]filter.Event{}
			}
			e = filter.Body(text)
			w.bodies[text] = e
		}
		return e
	}
	if w.attributes == nil {
		var a filter.Attributes
		for name, v := range w.Attributes {
			a.Add(name, v.Type, v.Text)
		}
		w.attributes = a.Event()
	}
	return w.attributes
}
