package telemetryapi

import (
	"context"
	"net"
	"sync"
)

// maxEarly is how many events are kept for those that subscribe later in the initialization.
const maxEarly = 1000

// Dialer connects to a port that a process of the environment listens on.
type Dialer func(ctx context.Context, port string) (net.Conn, error)

// Hub passes the events of one environment on to its subscribers. It is an http.Handler for the paths
// of both APIs.
type Hub struct {
	dial Dialer
	// Name finds the extension of an identifier.
	name func(id string) (string, bool)

	lock          sync.Mutex
	early         []Event
	sealed        bool // no more subscriptions
	closed        bool
	subscriptions map[string]*subscription // by extension and API
	onSubscribe   func(api, name string, types []string)
}

// New makes a Hub. name finds the extension that an identifier belongs to.
func New(dial Dialer, name func(id string) (string, bool)) *Hub {
	return &Hub{dial: dial, name: name, subscriptions: map[string]*subscription{}}
}

// OnSubscribe makes f be called for every subscription, with the type of the event to log for it. Set
// it before anything runs.
func (h *Hub) OnSubscribe(f func(kind, name string, types []string)) { h.onSubscribe = f }

// Publish passes an event on. It does not wait for subscribers.
func (h *Hub) Publish(e Event) {
	h.lock.Lock()
	defer h.lock.Unlock()
	if !h.sealed && len(h.early) < maxEarly {
		h.early = append(h.early, e)
	}
	for _, s := range h.subscriptions {
		s.offer(e)
	}
}

// Seal ends the time in which extensions may subscribe: the initialization.
func (h *Hub) Seal() {
	h.lock.Lock()
	defer h.lock.Unlock()
	h.sealed = true
	h.early = nil
}

// Close delivers what is left, as long as the context lets it, and ends the subscriptions.
func (h *Hub) Close(ctx context.Context) {
	h.lock.Lock()
	all := make([]*subscription, 0, len(h.subscriptions))
	for _, s := range h.subscriptions {
		all = append(all, s)
	}
	h.closed = true
	h.lock.Unlock()
	for _, s := range all {
		s.close(ctx)
	}
}

// add replaces an extension's subscription.
func (h *Hub) add(key string, s *subscription) bool {
	h.lock.Lock()
	defer h.lock.Unlock()
	if h.sealed || h.closed {
		return false
	}
	if old := h.subscriptions[key]; old != nil {
		go old.close(context.Background())
	}
	h.subscriptions[key] = s
	for _, e := range h.early {
		s.offer(e)
	}
	go s.run()
	return true
}
