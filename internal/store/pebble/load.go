package pebble

import "time"

// loader fills a queue's index from its records, in their order. What most messages are, without a group, a tenant or a
// delay, it tells the index of by runs: a long backlog is there soon after a restart.
type loader struct {
	index    *index
	leases   map[uint64]leaseUntil
	now      int64
	from, to uint64 // such messages that the index has not been told of, the last one excluded
	expiry   int64  // of the first of them in the present chunk that expires; 0 for none
}

func newLoader(x *index, leases map[uint64]leaseUntil) *loader {
	return &loader{index: x, leases: leases, now: time.Now().UnixNano()}
}

// add takes the next record.
func (l *loader) add(seq uint64, value []byte) error {
	e, err := decodeEntry(value)
	if err != nil {
		return err
	}
	held, leased := l.leases[seq]
	if leased || e.group != "" || e.fair != "" || e.ready > l.now {
		l.end()
		if leased {
			e.ready = 0
		}
		l.index.add(seq, e, l.now)
		if leased {
			l.index.restore(seq, e, held.lease, held.until, l.now)
		}
		return nil
	}
	if seq != l.to || seq%chunk == 0 {
		l.end()
		l.from = seq
	}
	l.to = seq + 1
	if e.expiry != 0 && (l.expiry == 0 || e.expiry < l.expiry) {
		l.expiry = e.expiry
	}
	return nil
}

// end tells the index of the run.
func (l *loader) end() {
	if l.from < l.to {
		l.index.live.addRun(l.from, l.to)
		l.index.ready.addRun(l.from, l.to)
		l.index.expires(l.from, l.expiry)
	}
	l.from, l.to, l.expiry = 0, 0, 0
}
