package eventsource

import (
	"context"
	"hash/fnv"
	"time"

	"cirro/internal/store"
)

// lane reads a shard, or, of a shard with several, those of its records whose keys fall to it, and has them
// handled in order. Each lane reads for itself: one that is held up holds up no other.
type lane struct {
	*stream
	shard      string
	number, of int
	mark       checkpoint
	next       string // iterator; "" for none yet

	read    []Record // not handled yet
	passed  string   // the last record read that was not for the handler, since the last that was
	ended   bool
	gone    bool      // the shard is no more, or the stream is
	saved   time.Time // when passed was kept last
	failing int       // reads that failed, since the last that did not
}

// run reads to the shard's end, which it reports, or until polling ends.
func (l *lane) run(polling, work context.Context) (ended bool) {
	for polling.Err() == nil {
		batch := l.gather(polling)
		if l.windowOver(batch) && !l.closeWindow(work, polling, false) {
			return false
		}
		switch {
		case len(batch) > 0:
			if !l.process(work, polling, batch) || !l.shed(work, polling) {
				return false
			}
		case polling.Err() != nil, l.gone:
			return false
		case l.ended:
			return l.finish(work, polling)
		}
	}
	return false
}

// finish closes the open window and notes that the shard has ended.
func (l *lane) finish(work, polling context.Context) bool {
	if l.mark.Window != nil && !l.closeWindow(work, polling, false) {
		return false
	}
	mark := l.mark
	mark.Ended = true
	return l.persist(work, mark, nil)
}

// gather reads a batch: what is there, or, with a window, what comes until the batch is full or the window over.
// None is returned where there is none, because of an error or the end of a tumbling window too.
func (l *lane) gather(ctx context.Context) []Record {
	var until time.Time
	for {
		n, full := l.fits()
		now := l.Clock()
		if n > 0 && until.IsZero() {
			until = now.Add(l.source.Window)
		}
		if full || l.ended || n > 0 && !now.Before(until) {
			return l.take(n)
		}
		wait := longestPoll
		if n > 0 {
			wait = until.Sub(now)
		}
		wait, over := l.windowLeft(now, wait)
		if over {
			return l.take(n)
		}
		if !l.fill(ctx, wait) && (n == 0 || ctx.Err() != nil) {
			return nil
		}
	}
}

// take takes the first n of the records read.
func (l *lane) take(n int) []Record {
	batch := l.read[:n:n]
	l.read = l.read[n:]
	return batch
}

// fits says how many of the records read make a batch, and whether it is full.
func (l *lane) fits() (n int, full bool) {
	size := 0
	for n < len(l.read) {
		if n == l.source.BatchSize || n > 0 && size+len(l.read[n].Event)+1 > maxBytes {
			return n, true
		}
		if n > 0 && !l.sameWindow(&l.read[0], &l.read[n]) {
			return n, true
		}
		size += len(l.read[n].Event) + 1
		n++
	}
	return n, n >= l.source.BatchSize
}

// idle is how long to wait where a read came back at once with nothing though it was to wait.
const idle = 100 * time.Millisecond

// fill reads on, waiting so long for a record, and reports whether it could.
func (l *lane) fill(ctx context.Context, wait time.Duration) bool {
	began := time.Now()
	records, err := l.fetch(ctx, wait)
	if err != nil {
		if ctx.Err() == nil {
			l.recover(ctx, err)
		}
		return false
	}
	l.failing = 0
	for i := range records {
		if r := &records[i]; l.mine(r) && l.source.selects(r.Event, "data") {
			l.read, l.passed = append(l.read, *r), ""
		} else {
			l.passed = r.ID
		}
	}
	l.keepPassed(ctx)
	if spent := time.Since(began); len(records) == 0 && !l.ended && spent < wait/2 && spent < idle {
		sleep(ctx, min(idle, wait-spent))
	}
	return true
}

// fetch reads once.
func (l *lane) fetch(ctx context.Context, wait time.Duration) ([]Record, error) {
	if l.next == "" {
		next, err := l.api.iterator(ctx, l.shard, l.mark.position())
		if err != nil {
			return nil, err
		}
		l.next = next
	}
	records, next, err := l.api.read(ctx, l.shard, l.next, wait)
	if err != nil {
		return nil, err
	}
	l.next, l.ended = next, next == ""
	return records, nil
}

// recover goes on after an error of a read: where records were trimmed that were not handled yet, with the
// first that are left. What was read before is handled first.
func (l *lane) recover(ctx context.Context, err error) {
	l.failing++
	switch l.api.lost(err) {
	case lostRecords:
		l.Log.Warn("eventsource: records were trimmed before they were handled", "source", l.source.ARN, "shard", l.shard)
		l.mark.Sequence, l.mark.From, l.next = "", position{Type: trimHorizon}, ""
	case lostIterator:
		l.next = ""
	case lostShard:
		l.gone = true
	default:
		l.problem(ctx, err)
	}
	if l.failing > 1 || l.next != "" {
		l.pause(ctx, readBackoff, l.failing)
	}
}

// keepEvery is how often it is kept how far records have been passed over.
const keepEvery = time.Second

// keepPassed keeps how far records have been passed over, where none waits before them.
func (l *lane) keepPassed(ctx context.Context) {
	if l.passed == "" || len(l.read) > 0 || l.Clock().Sub(l.saved) < keepEvery {
		return
	}
	mark := l.mark
	mark.Sequence = l.passed
	if err := l.save(ctx, mark, nil); err == nil {
		l.saved, l.passed = l.Clock(), ""
	}
}

// mine reports whether a record falls to this lane.
func (l *lane) mine(r *Record) bool {
	if l.of == 1 {
		return true
	}
	h := fnv.New32a()
	h.Write([]byte(r.key))
	return int(h.Sum32()%uint32(l.of)) == l.number
}

// part is a batch on its way through attempts.
type part struct {
	records  []Record
	attempts int // that failed
	note     any
}

// process has records handled, in order, until they are or are given up. It reports false where it was broken
// off: by work's end, or, between two attempts, by polling's.
func (l *lane) process(work, polling context.Context, records []Record) bool {
	parts := []part{{records: records}}
	for held := 0; len(parts) > 0; {
		p := &parts[0]
		if !l.expire(work, p) {
			return false
		}
		if len(p.records) == 0 {
			parts = parts[1:]
			continue
		}
		o := l.handler.Handle(work, l.batch(p))
		if work.Err() != nil && (o.Err != nil || o.NotRun) {
			return false
		}
		l.settled(&o)
		if o.NotRun {
			held++
			l.pause(polling, holdBackoff, held)
			if polling.Err() != nil {
				return false
			}
			continue
		}
		held = 0
		next, ok := l.after(work, p, &o)
		if !ok {
			return false
		}
		parts = append(next, parts[1:]...)
		if len(next) > 0 && next[0].attempts > 0 {
			l.pause(polling, retryBackoff, next[0].attempts)
			if polling.Err() != nil {
				return false
			}
		}
	}
	return true
}

func (l *lane) batch(p *part) *Batch {
	return &Batch{Records: p.records, Shard: l.shard, Attempt: p.attempts + 1, Window: l.window(&p.records[0])}
}

// after says what is left of a part after an attempt, and keeps what is not.
func (l *lane) after(ctx context.Context, p *part, o *Outcome) (left []part, ok bool) {
	first := firstFailed(p.records, o)
	if first > 0 {
		if !l.handled(ctx, p.records[:first], o) {
			return nil, false
		}
		if first == len(p.records) {
			return nil, true
		}
		return []part{{records: p.records[first:], note: o.Note}}, true
	}
	if n := len(p.records); l.source.Stream.Bisect && n > 1 {
		// Splitting is no attempt. https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
		return []part{{p.records[:n/2], p.attempts, o.Note}, {p.records[n/2:], p.attempts, o.Note}}, true
	}
	p.attempts, p.note = p.attempts+1, o.Note
	if most := l.source.Stream.Retries; most >= 0 && p.attempts > most {
		return nil, l.discard(ctx, p, len(p.records), RetriesExhausted)
	}
	return []part{*p}, true
}

// firstFailed is the place of the first record that was not handled: what follows it is read again too.
func firstFailed(records []Record, o *Outcome) int {
	if o.Err != nil {
		return 0
	}
	failed := make(map[string]bool, len(o.Failed))
	for _, id := range o.Failed {
		failed[id] = true
	}
	for i := range records {
		if failed[records[i].ID] {
			return i
		}
	}
	return len(records)
}

// handled keeps that records were handled.
func (l *lane) handled(ctx context.Context, records []Record, o *Outcome) bool {
	mark := l.mark
	mark.Sequence = records[len(records)-1].ID
	l.carry(&mark, &records[0], o)
	return l.persist(ctx, mark, nil)
}

// expire discards those of a part's records that are too old.
func (l *lane) expire(ctx context.Context, p *part) bool {
	age := l.maximumAge()
	n := 0
	for n < len(p.records) && l.Clock().Sub(p.records[n].Arrived) > age {
		n++
	}
	if n == 0 {
		return true
	}
	if !l.discard(ctx, p, n, AgeExceeded) {
		return false
	}
	p.records = p.records[n:]
	return true
}

// discard gives up the first n records of a part.
func (l *lane) discard(ctx context.Context, p *part, n int, reason string) bool {
	mark := l.mark
	mark.Sequence = p.records[n-1].ID
	d := &Discarded{Reason: reason, Records: p.records[:n], Shard: l.shard, Attempts: p.attempts, Note: p.note}
	return l.persist(ctx, mark, func(tx store.Tx) error { return l.handler.Discard(tx, d) })
}
