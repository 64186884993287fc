package pebble

import "github.com/tidwall/btree"

// chunk is how many consecutive messages share one note of when the first of them expires.
const chunk = 1 << 10

// index is what a queue keeps in memory of its messages. It does no input or output and has no lock.
// Times are in nanoseconds since 1970.
type index struct {
	live    runs // every message
	ready   runs // of those without a group or a tenant, the ones that can be leased
	fair    fair // of those with a tenant, the same
	delayed int
	leased  int
	held    map[uint64]*held
	waiting schedule // the messages that are delayed or leased
	groups  map[string]*group
	turns   btree.Map[uint64, *group] // the groups that can be leased, by their first message

	expiry   map[uint64]int64 // of a chunk: no message in it expires earlier
	expiring schedule         // the same by time
}

// held is a message of which more is known than its number: it is or was leased, or waits in a group or for its tenant.
type held struct {
	seq    uint64
	group  *group
	tenant *tenant
	at     int64 // when it is ready; 0 if it is
	leased bool
	lease  lease
	writes int // of its lease to disk
}

// lease is the last lease of a message.
type lease struct {
	nonce      uint64 // tells it from others
	deliveries int    // leases so far
	first      int64  // when the first of them began
}

// entry is what the index is told of a message.
type entry struct {
	group  string
	fair   string // its tenant; only where it has no group
	ready  int64  // 0 for at once
	expiry int64  // 0 for never
}

func newIndex() *index {
	return &index{
		fair:     newFair(),
		held:     make(map[uint64]*held),
		waiting:  newSchedule(),
		groups:   make(map[string]*group),
		expiry:   make(map[uint64]int64),
		expiring: newSchedule(),
	}
}

// add adds a message. Within a group, messages come in order.
func (x *index) add(seq uint64, e entry, now int64) {
	x.live.add(seq)
	x.expires(seq, e.expiry)
	if e.group != "" {
		x.addGrouped(seq, e, now)
		return
	}
	if e.fair != "" {
		x.addFair(seq, e, now)
		return
	}
	if e.ready > now {
		x.delayed++
		x.waiting.add(e.ready, seq)
		return
	}
	x.ready.add(seq)
}

func (x *index) addFair(seq uint64, e entry, now int64) {
	t := x.fair.tenant(e.fair)
	if e.ready <= now {
		x.fair.add(t, seq)
		return
	}
	x.delayed++
	t.delayed++
	x.held[seq] = &held{seq: seq, tenant: t, at: e.ready}
	x.waiting.add(e.ready, seq)
}

func (x *index) addGrouped(seq uint64, e entry, now int64) {
	g := x.groups[e.group]
	if g == nil {
		g = &group{name: e.group}
		x.groups[e.group] = g
	}
	g.seqs = append(g.seqs, seq)
	if e.ready > now {
		x.delayed++
		x.held[seq] = &held{seq: seq, group: g, at: e.ready}
		x.waiting.add(e.ready, seq)
	}
	if len(g.seqs) == 1 {
		x.settle(g)
	}
}

// restore tells of a message just added that it was leased before, until the given time.
func (x *index) restore(seq uint64, e entry, l lease, until, now int64) {
	h := &held{seq: seq, group: x.groups[e.group], tenant: x.fair.tenants[e.fair], lease: l, writes: 2}
	x.held[seq] = h
	if until > now {
		x.begin(h, until)
		x.unready(h)
		if h.group != nil {
			x.settle(h.group)
		}
	}
}

// settle decides whether a group can be leased.
func (x *index) settle(g *group) {
	if x.groups[g.name] != g {
		return // purged
	}
	if g.turn != 0 {
		x.turns.Delete(g.turn)
		g.turn, g.taken = 0, 0
	}
	if !g.idle() {
		return
	}
	if len(g.seqs) == 0 {
		delete(x.groups, g.name)
		return
	}
	if h := x.held[g.seqs[0]]; h == nil || h.at == 0 {
		g.turn = g.seqs[0]
		x.turns.Set(g.turn, g)
	}
}

// expires notes a message's end.
func (x *index) expires(seq uint64, at int64) {
	if at == 0 {
		return
	}
	c := seq / chunk
	known, ok := x.expiry[c]
	if ok && known <= at {
		return
	}
	if ok {
		x.expiring.remove(known, c)
	}
	x.expiry[c] = at
	x.expiring.add(at, c)
}

// popExpiring takes out a chunk in which a message may have expired.
func (x *index) popExpiring(now int64) (c uint64, ok bool) {
	c, ok = x.expiring.pop(now)
	if ok {
		delete(x.expiry, c)
	}
	return c, ok
}

// promote makes ready what is due, and says how many messages.
func (x *index) promote(now int64) (n int) {
	for ; ; n++ {
		seq, ok := x.waiting.pop(now)
		if !ok {
			return n
		}
		x.makeReady(seq)
	}
}

// makeReady ends a message's delay or lease, whose time is no longer in the schedule.
func (x *index) makeReady(seq uint64) {
	h := x.held[seq]
	if h == nil {
		x.delayed--
		x.ready.add(seq)
		return
	}
	h.at = 0
	if h.leased {
		x.end(h)
	} else {
		x.delayed--
		delete(x.held, seq)
		if h.tenant != nil {
			h.tenant.delayed--
		}
	}
	switch {
	case h.group != nil:
		x.settle(h.group)
	case h.tenant != nil:
		x.fair.add(h.tenant, seq)
	default:
		x.ready.add(seq)
	}
}

// unready takes a message out of those that can be leased, unless its group does that. Where it is leased it must have
// been begun.
func (x *index) unready(h *held) {
	switch {
	case h.group != nil:
	case h.tenant != nil:
		x.fair.remove(h.tenant, h.seq)
	default:
		x.ready.remove(h.seq)
	}
}

// begin starts a lease of a message that is ready.
func (x *index) begin(h *held, until int64) {
	h.leased, h.at = true, until
	x.leased++
	if h.group != nil {
		h.group.leased++
	}
	if h.tenant != nil {
		h.tenant.leased++
	}
	x.waiting.add(until, h.seq)
}

func (x *index) end(h *held) {
	h.leased = false
	x.leased--
	if h.group != nil {
		h.group.leased--
	}
	if h.tenant != nil {
		h.tenant.leased--
	}
}

// available says whether a message can be leased.
func (x *index) available() bool { return x.ready.len() > 0 || x.fair.ready > 0 || x.turns.Len() > 0 }

// take leases the message that is next: the first that can be leased, but those of noisy tenants come last. settled must
// follow, with the groups of all taken.
func (x *index) take(until int64) (h *held, ok bool) {
	h = x.next()
	if h == nil {
		return nil, false
	}
	x.held[h.seq] = h
	x.begin(h, until)
	if h.group != nil {
		x.takeGrouped(h.group)
	} else {
		x.unready(h)
	}
	return h, true
}

// next returns the message that is next, or nil.
func (x *index) next() *held {
	seq, some := x.ready.first()
	turn, g, grouped := x.turns.Min()
	if grouped = grouped && (!some || turn < seq); grouped {
		seq, some = turn, true
	}
	if x.fair.ready > 0 {
		quiet, noisy := x.fair.next(x.live.len() - x.delayed)
		if quiet != nil && (!some || quiet.turn < seq) {
			return x.known(held{seq: quiet.turn, tenant: quiet})
		}
		if !some {
			seq, _ = noisy.ready.first()
			return x.known(held{seq: seq, tenant: noisy})
		}
	}
	switch {
	case grouped:
		return x.known(held{seq: seq, group: g})
	case some:
		return x.known(held{seq: seq})
	}
	return nil
}

// known returns what is known of a message, or else what is given.
func (x *index) known(h held) *held {
	if known := x.held[h.seq]; known != nil {
		return known
	}
	return &h
}

// takeGrouped moves a group's turn to its next message, which the same receiver may have too.
func (x *index) takeGrouped(g *group) {
	x.turns.Delete(g.turn)
	g.turn = 0
	if g.taken++; g.taken == len(g.seqs) {
		return
	}
	next := g.seqs[g.taken]
	if h := x.held[next]; h == nil || h.at == 0 {
		g.turn = next
		x.turns.Set(next, g)
	}
}

// settled ends a receiver's taking: its groups are closed to others.
func (x *index) settled(taken []*held) {
	for _, h := range taken {
		if h.group != nil {
			x.settle(h.group)
			h.group.taken = 0
		}
	}
}

// leaseOf returns the message if the lease of that nonce is its last.
func (x *index) leaseOf(seq, nonce uint64) *held {
	if h := x.held[seq]; h != nil && h.lease.deliveries > 0 && h.lease.nonce == nonce {
		return h
	}
	return nil
}

// extend lets a running lease end at the given time, or now where that is 0.
func (x *index) extend(h *held, until int64) {
	x.waiting.remove(h.at, h.seq)
	if until == 0 {
		x.makeReady(h.seq)
		return
	}
	h.at = until
	x.waiting.add(until, h.seq)
}

// remove removes a message that is leased or ready. Its group stays closed until left.
func (x *index) remove(seq uint64) *held {
	x.live.remove(seq)
	h := x.held[seq]
	if h == nil {
		x.ready.remove(seq)
		return nil
	}
	delete(x.held, seq)
	if h.leased {
		x.waiting.remove(h.at, seq)
		x.end(h)
		if h.tenant != nil {
			x.fair.settle(h.tenant)
		}
	} else {
		x.unready(h)
	}
	if g := h.group; g != nil {
		g.remove(seq)
		g.leaving++
		x.settle(g)
	}
	return h
}

// expire removes a message that has expired, unless it is delayed or leased; then it says until when.
func (x *index) expire(seq uint64, e entry, now int64) (h *held, until int64) {
	h = x.held[seq]
	switch {
	case h != nil && h.at > 0:
		return nil, h.at
	case h == nil && e.ready > now:
		return nil, e.ready
	case h == nil && e.group != "":
		x.held[seq] = &held{seq: seq, group: x.groups[e.group]}
	case h == nil && e.fair != "":
		x.held[seq] = &held{seq: seq, tenant: x.fair.tenants[e.fair]}
	}
	return x.remove(seq), 0
}

// left opens the group of a message that was removed.
func (x *index) left(h *held) {
	if h != nil && h.group != nil {
		h.group.leaving--
		x.settle(h.group)
	}
}
