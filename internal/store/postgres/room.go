package postgres

import (
	"slices"
	"sync"
	"time"
)

// rooms are the queues at which receivers of this node are.
type rooms struct {
	mu    sync.Mutex
	rooms map[string]*room
}

// room is where receivers of a queue wait.
type room struct {
	name  string
	users int // under the lock of rooms

	mu      sync.Mutex
	version uint64 // grows whenever somebody should look
	waiters []*waiter
	timer   *time.Timer
	alarm   time.Time // when the timer fires; zero while it does not
}

// waiter is a receiver that waits for a message.
type waiter struct{ woken chan struct{} }

// enter returns a queue's room, to be left.
func (rs *rooms) enter(queue string) *room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.rooms[queue]
	if r == nil {
		if rs.rooms == nil {
			rs.rooms = make(map[string]*room)
		}
		r = &room{name: queue}
		rs.rooms[queue] = r
	}
	r.users++
	return r
}

func (rs *rooms) leave(r *room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r.users--; r.users == 0 {
		delete(rs.rooms, r.name)
		r.disarm()
	}
}

// wake tells that there may be so many messages in a queue.
func (rs *rooms) wake(queue string, n int) {
	rs.mu.Lock()
	r := rs.rooms[queue]
	rs.mu.Unlock()
	if r != nil {
		r.wake(n)
	}
}

// wakeAll lets all receivers look.
func (rs *rooms) wakeAll() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, r := range rs.rooms {
		r.wake(len(r.waiters))
	}
}

// now returns the version, for wait to tell whether anything happened since.
func (r *room) now() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.version
}

// wait returns a new waiter, or nil if something has happened since the version. The room looks again at
// the given time at the latest.
func (r *room) wait(version uint64, at time.Time) *waiter {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.version != version {
		return nil
	}
	w := &waiter{woken: make(chan struct{})}
	r.waiters = append(r.waiters, w)
	r.arm(at)
	return w
}

// giveUp takes back a waiter. If it was woken meanwhile, another takes its place.
func (r *room) giveUp(w *waiter) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(r.waiters, w); i >= 0 {
		r.waiters = slices.Delete(r.waiters, i, i+1)
		return
	}
	r.wakeLocked(1)
}

// wake wakes so many waiters, those that came first.
func (r *room) wake(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakeLocked(n)
}

func (r *room) wakeLocked(n int) {
	r.version++
	n = min(n, len(r.waiters))
	for _, w := range r.waiters[:n] {
		close(w.woken)
	}
	r.waiters = slices.Delete(r.waiters, 0, n)
}

// pass wakes the next, where he may find what the last has left.
func (r *room) pass() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiters) > 0 {
		r.wakeLocked(1)
	}
}

// due lets somebody look at the given time, if anybody waits then.
func (r *room) due(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiters) > 0 {
		r.arm(at)
	}
}

// arm sets the timer, unless it fires earlier anyway.
func (r *room) arm(at time.Time) {
	if !r.alarm.IsZero() && !at.Before(r.alarm) {
		return
	}
	if r.timer != nil {
		r.timer.Stop()
	}
	r.alarm = at
	r.timer = time.AfterFunc(time.Until(at), r.ring)
}

func (r *room) ring() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.alarm = time.Time{}
	r.wakeLocked(1)
}

func (r *room) disarm() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.timer != nil {
		r.timer.Stop()
	}
	r.alarm = time.Time{}
}
