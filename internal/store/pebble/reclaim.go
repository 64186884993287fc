package pebble

import "time"

// reclaimEvery is how often room is made of what was removed, while there is none.
const reclaimEvery = 500 * time.Millisecond

// reclaim makes room of what is removed, until there is enough again. What says that something is removed lies in
// memory first, and reaches the tables that hold it when that is full: which it never will be where nobody can write.
func (s *Store) reclaim() {
	for s.room.refusing.Load() && s.room.reclaiming.CompareAndSwap(false, true) {
		s.reclaimWhileRefusing()
		s.room.reclaiming.Store(false)
		select {
		case <-s.closing:
			return
		default:
		}
	}
}

func (s *Store) reclaimWhileRefusing() {
	for s.room.sleep(reclaimEvery) && s.room.refusing.Load() {
		if s.room.removed.Swap(false) {
			s.flush()
		}
		// Whoever closes a snapshot looks for compactions; there may be one that failed for want of room.
		_ = s.db.NewSnapshot().Close()
	}
}

// flush brings to the tables what is in memory.
func (s *Store) flush() {
	flushed, err := s.db.AsyncFlush()
	if err != nil {
		s.log.Error("store: making room", "error", err)
		return
	}
	if flushed == nil {
		return
	}
	select {
	case <-flushed:
	case <-s.closing:
	}
}
