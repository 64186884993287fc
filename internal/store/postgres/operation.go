package postgres

import (
	"github.com/google/uuid"

	"cirro/internal/store/optimistic"
)

// message is one to enqueue. Those moved to the dead letters keep their id and time.
type message struct {
	queue    string
	id       uuid.UUID
	group    string
	fair     string // tenant
	body     []byte
	enqueued int64
	ready    int64 // when its delay ends; 0 for none
	expiry   int64 // 0 for never

	seq    int64     // once it is planned
	tell   []*uint64 // to set to seq
	dedup  []byte    // under which memory is to be remembered; nil for none
	memory sent
}

func (m *message) possible(*findings) bool { return true }

// number gives the message its place, which is remembered with it.
func (m *message) number(seq int64, writes *optimistic.Overlay) {
	m.seq = seq
	if w, ok := writes.Get(m.dedup); m.dedup != nil && ok && !w.Delete {
		m.memory.Seq = seq
		writes.Set(m.dedup, m.memory.encode())
	}
}

func (m *message) plan(p *plan) {
	p.messages = append(p.messages, m)
	p.wakes[m.queue]++
}

// acknowledging removes a leased message.
type acknowledging struct{ key leaseKey }

func (o *acknowledging) possible(f *findings) bool { return f.leases[o.key.seq].holds(o.key) }

func (o *acknowledging) plan(p *plan) {
	l := p.found.leases[o.key.seq]
	delete(p.found.leases, o.key.seq)
	delete(p.extended, o.key.seq)
	p.removed = append(p.removed, o.key.seq)
	p.settle(o.key.queue, l.group)
}

// extending moves the end of a lease; until is 0 for now.
type extending struct {
	key   leaseKey
	until int64
}

func (o *extending) possible(f *findings) bool { return f.leases[o.key.seq].runs(o.key, f.now) }

func (o *extending) plan(p *plan) {
	l := p.found.leases[o.key.seq]
	l.at = o.until
	if o.until == 0 {
		l.state = stateReady
		if l.group != "" {
			l.state = stateBehind
		}
		p.settle(o.key.queue, l.group)
	}
	p.found.leases[o.key.seq] = l
	p.extended[o.key.seq] = l
	p.wakes[o.key.queue]++
}

// purging removes all of a queue's messages.
type purging struct{ queue string }

func (o *purging) possible(*findings) bool { return true }

func (o *purging) plan(p *plan) {
	p.purged = append(p.purged, []byte(o.queue))
	kept := p.messages[:0]
	for _, m := range p.messages {
		if m.queue != o.queue {
			kept = append(kept, m)
		}
	}
	p.messages = kept
	for seq, queue := range p.found.queues {
		if queue == o.queue {
			delete(p.found.leases, seq)
			delete(p.extended, seq)
		}
	}
}
