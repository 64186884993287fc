package pebble

import (
	"bytes"
	"encoding/binary"
	"errors"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

const (
	shelfCount  = 256       // messages of a queue that are kept at hand, at most
	shelfBytes  = 256 << 10 // of their bodies
	shelvesMost = 8 << 20   // of all queues'
	ahead       = 64        // messages that are read at once, where more than
	aheadOf     = 16        // so many are ready
	aheadBytes  = 64 << 10
)

// shelf is the messages of a queue that are likely to be received next: those that came while few others were ready, and
// those that lie behind one that was read from disk. It saves the search for each. The queue's lock guards it.
type shelf struct {
	all      *atomic.Int64 // bytes on all shelves
	messages map[uint64]message
	bytes    int
}

// put puts a message on the shelf, if there is room. Its body may be another's, too.
func (s *shelf) put(seq uint64, m message) {
	size := len(m.body)
	if len(s.messages) >= shelfCount || s.bytes+size > shelfBytes || s.all.Load()+int64(size) > shelvesMost {
		return
	}
	if s.messages == nil {
		s.messages = make(map[uint64]message)
	}
	if _, there := s.messages[seq]; there {
		return
	}
	s.messages[seq] = m
	s.count(size)
}

func (s *shelf) count(bytes int) {
	s.bytes += bytes
	s.all.Add(int64(bytes))
}

// take takes a message from the shelf.
func (s *shelf) take(seq uint64) (m message, ok bool) {
	if m, ok = s.messages[seq]; ok {
		s.count(-len(m.body))
		delete(s.messages, seq)
	}
	return m, ok
}

// clear takes all away.
func (s *shelf) clear() {
	s.count(-s.bytes)
	s.messages = nil
}

// readyCount is how many messages can be leased, or could but for their group. The lock is held.
func (q *queue) readyCount() int { return q.index.live.len() - q.index.delayed - q.index.leased }

// take takes a message from the shelf, and says whether there are so many ready that reading ahead pays. The body is the
// caller's.
func (q *queue) take(seq uint64) (m message, ok, many bool) {
	q.mu.Lock()
	m, ok = q.shelf.take(seq)
	many = q.readyCount() > aheadOf
	q.mu.Unlock()
	m.body = bytes.Clone(m.body)
	return m, ok, many
}

// read reads a message that was leased; pebble.ErrNotFound where it was purged.
func (q *queue) read(db *pebble.DB, seq uint64) (message, error) {
	m, ok, many := q.take(seq)
	if ok {
		return m, nil
	}
	if many {
		return q.readAhead(db, seq)
	}
	value, closer, err := db.Get(q.key(bodySpace, seq))
	if err != nil {
		return message{}, err
	}
	m, err = decodeMessage(bytes.Clone(value))
	return m, errors.Join(err, closer.Close())
}

// readAhead reads a message and puts those that follow on the shelf.
func (q *queue) readAhead(db *pebble.DB, seq uint64) (m message, err error) {
	q.reading.Lock() // others may want what is being read
	defer q.reading.Unlock()
	if m, ok, _ := q.take(seq); ok {
		return m, nil
	}
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: q.key(bodySpace, seq), UpperBound: q.key(bodySpace, seq+ahead)})
	if err != nil {
		return m, err
	}
	found := false
	size := 0
	for it.First(); it.Valid() && err == nil && size < aheadBytes; it.Next() {
		at := binary.BigEndian.Uint64(it.Key()[len(it.Key())-8:])
		var read message
		if read, err = decodeMessage(bytes.Clone(it.Value())); err != nil {
			break
		}
		size += len(read.body)
		if at == seq {
			m, found = read, true
		} else if !found || !q.shelve(at, read) {
			break
		}
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return m, err
	}
	if !found {
		return m, pebble.ErrNotFound
	}
	return m, nil
}

// shelve puts a message on the shelf, if it is to be received yet. It says whether there may be room for another.
func (q *queue) shelve(seq uint64, m message) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.index.held[seq] == nil && q.index.live.has(seq) {
		q.shelf.put(seq, m)
	}
	return len(q.shelf.messages) < shelfCount
}
