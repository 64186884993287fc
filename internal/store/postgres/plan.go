package postgres

import (
	"bytes"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"cirro/internal/store/optimistic"
)

// plan is all that a bundle does to the database.
type plan struct {
	s     *Store
	found *findings
	kv    optimistic.Overlay

	messages []*message
	removed  []int64
	extended map[int64]leased
	purged   [][]byte
	settled  map[[2]string]bool // queue and group whose first message may have become ready
	wakes    map[string]int     // how many receivers of a queue may find something
}

func newPlan(s *Store, f *findings) *plan {
	return &plan{s: s, found: f, extended: map[int64]leased{}, settled: map[[2]string]bool{}, wakes: map[string]int{}}
}

// settle notes that a group may have changed.
func (p *plan) settle(queue, group string) {
	if group != "" {
		p.settled[[2]string{queue, group}] = true
		p.wakes[queue]++
	}
}

// add adds a transaction, which gets the next numbers. Its own writes stay as they are, for another try.
func (p *plan) add(tx *transaction) {
	p.found.last++
	number := uint64(p.found.last)
	writes := tx.overlay.Clone()
	for i := range tx.appends {
		a := &tx.appends[i]
		p.found.last++
		a.number = p.found.last
		writes.Set(a.key(), a.value)
	}
	for _, o := range tx.operations {
		if m, ok := o.(*message); ok {
			p.found.last++
			m.number(p.found.last, writes)
		}
	}
	p.s.history.Record(number, writes)
	p.kv.Add(writes)
	for _, o := range tx.operations {
		o.plan(p)
	}
}

// queue adds the statements to a batch.
func (p *plan) queue(b *pgx.Batch) {
	p.queueKeys(b)
	for _, q := range p.purged {
		for _, sql := range purge {
			b.Queue(sql, q)
		}
	}
	if len(p.removed) > 0 {
		b.Queue("delete from message where seq = any($1)", p.removed)
	}
	p.queueExtensions(b)
	p.queueMessages(b)
	p.queueSettlements(b)
}

// purge goes by the indexes that there are.
var purge = []string{
	"delete from tenant where queue = $1",
	"delete from message where queue = $1 and turn is not null",
	"delete from message where queue = $1 and state in (1, 2)",
	"delete from message where queue = $1 and grp <> ''",
}

func (p *plan) queueKeys(b *pgx.Batch) {
	for _, d := range p.kv.Deleted() {
		b.Queue("delete from kv where key >= $1 and key < $2", d.Start, d.End)
		b.Queue("delete from kv_long where head >= $3 and key >= $1 and key < $2", d.Start, d.End, head(d.Start))
	}
	var keys, values, gone, heads, long, longValues [][]byte
	for point := range p.kv.Points {
		key := []byte(point.Key)
		if len(key) > indexed {
			heads, long = append(heads, head(key)), append(long, key)
			if !point.Delete {
				longValues = append(longValues, value(point))
			} else {
				longValues = append(longValues, nil)
			}
			continue
		}
		if point.Delete {
			gone = append(gone, key)
			continue
		}
		keys, values = append(keys, key), append(values, value(point))
	}
	if len(gone) > 0 {
		b.Queue("delete from kv where key = any($1)", gone)
	}
	if len(keys) > 0 {
		b.Queue(`insert into kv (key, value) select * from unnest($1::bytea[], $2::bytea[])
			on conflict (key) do update set value = excluded.value`, keys, values)
	}
	if len(long) > 0 {
		b.Queue("delete from kv_long l using unnest($1::bytea[], $2::bytea[]) u (head, key) where l.head = u.head and l.key = u.key", heads, long)
		b.Queue(`insert into kv_long (head, key, value)
			select * from unnest($1::bytea[], $2::bytea[], $3::bytea[]) u (head, key, value) where value is not null`, heads, long, longValues)
	}
}

// value is never nil, which would be null.
func value(p optimistic.Point) []byte {
	if p.Value == nil {
		return []byte{}
	}
	return p.Value
}

func (p *plan) queueExtensions(b *pgx.Batch) {
	if len(p.extended) == 0 {
		return
	}
	var seqs, ends []int64
	var states []int16
	for seq, l := range p.extended {
		seqs, ends, states = append(seqs, seq), append(ends, l.at), append(states, int16(l.state))
	}
	b.Queue(`update message m set at = u.at, state = u.state
		from unnest($1::bigint[], $2::bigint[], $3::smallint[]) u (seq, at, state) where m.seq = u.seq`, seqs, ends, states)
}

func (p *plan) queueMessages(b *pgx.Batch) {
	if len(p.messages) == 0 {
		return
	}
	var seqs, enqueued, expiries, ready []int64
	var queues, groups, tenants, bodies, fair [][]byte
	var ids []uuid.UUID
	var states []int16
	for _, m := range p.messages {
		state := stateReady
		switch {
		case m.ready > 0:
			state = stateDelayed
		case m.group != "":
			state = stateBehind
			p.settled[[2]string{m.queue, m.group}] = true
		}
		if m.fair != "" {
			fair = append(fair, []byte(m.queue))
		}
		body := m.body
		if body == nil {
			body = []byte{}
		}
		seqs, enqueued, expiries, ready = append(seqs, m.seq), append(enqueued, m.enqueued), append(expiries, m.expiry), append(ready, m.ready)
		queues, groups, bodies = append(queues, []byte(m.queue)), append(groups, []byte(m.group)), append(bodies, body)
		tenants = append(tenants, []byte(m.fair))
		ids, states = append(ids, m.id), append(states, int16(state))
	}
	if len(fair) > 0 {
		slices.SortFunc(fair, bytes.Compare)
		b.Queue("select admit_tenants($1)", slices.CompactFunc(fair, bytes.Equal))
	}
	b.Queue(`insert into message (seq, queue, id, grp, fair, body, enqueued, expiry, state, at)
		select * from unnest($1::bigint[], $2::bytea[], $3::uuid[], $4::bytea[], $5::bytea[], $6::bytea[], $7::bigint[], $8::bigint[], $9::smallint[], $10::bigint[])`,
		seqs, queues, ids, groups, tenants, bodies, enqueued, expiries, states, ready)
}

func (p *plan) queueSettlements(b *pgx.Batch) {
	if len(p.settled) == 0 {
		return
	}
	var queues, groups [][]byte
	for of := range p.settled {
		queues, groups = append(queues, []byte(of[0])), append(groups, []byte(of[1]))
	}
	b.Queue("select settle($1, $2)", queues, groups)
}
