package postgres

import (
	"fmt"

	"github.com/jackc/pgx/v5"
)

// leaseKey names a lease. Exclusive says that its message is of a group, or its queue has tenants, so that
// it takes the queue's lock to end it.
type leaseKey struct {
	queue     string
	seq       int64
	nonce     int64
	exclusive bool
}

// token is a lease's name outside.
func (k leaseKey) token() string {
	exclusive := 0
	if k.exclusive {
		exclusive = 1
	}
	return fmt.Sprintf("%016x%016x%d", uint64(k.seq), uint64(k.nonce), exclusive)
}

const tokenSize = 33

func parseToken(queue, token string) (k leaseKey, ok bool) {
	if len(token) != tokenSize {
		return leaseKey{}, false
	}
	var seq, nonce uint64
	var exclusive int
	n, err := fmt.Sscanf(token, "%16x%16x%1d", &seq, &nonce, &exclusive)
	return leaseKey{queue: queue, seq: int64(seq), nonce: int64(nonce), exclusive: exclusive == 1}, err == nil && n == 3
}

// leased is what the database knows of a message and its last lease.
type leased struct {
	seq        int64
	group      string
	state      int
	at         int64
	nonce      int64
	deliveries int
}

// The states of a message; see schema.sql.
const (
	stateReady   = 0
	stateDelayed = 1
	stateLeased  = 2
	stateBehind  = 3
)

const (
	selectLeases = `select m.seq, m.grp, m.state, m.at, m.nonce, m.deliveries
		from message m join unnest($1::bytea[], $2::bigint[]) l (queue, seq) on m.seq = l.seq and m.queue = l.queue`
	lockLeases = selectLeases + " for update of m"
)

func scanLeased(row pgx.CollectableRow) (l leased, err error) {
	var group []byte
	err = row.Scan(&l.seq, &group, &l.state, &l.at, &l.nonce, &l.deliveries)
	l.group = string(group)
	return l, err
}

// holds says whether the lease is the message's last, be it over or not.
func (l leased) holds(k leaseKey) bool {
	return l.seq == k.seq && l.deliveries > 0 && l.nonce == k.nonce
}

// runs says whether the lease is the message's last and not over.
func (l leased) runs(k leaseKey, now int64) bool {
	return l.holds(k) && l.state == stateLeased && l.at > now
}
