package pebble

import "github.com/tidwall/btree"

// runs is a set of sequence numbers, kept as runs of consecutive ones: as small as it has gaps.
type runs struct {
	ends btree.Map[uint64, uint64] // the first number of a run: the one after its last
	n    int
}

func (r *runs) len() int { return r.n }

// around returns the run that has seq, or the last one before it.
func (r *runs) around(seq uint64) (start, end uint64, ok bool) {
	r.ends.Descend(seq, func(s, e uint64) bool {
		start, end, ok = s, e, true
		return false
	})
	return start, end, ok
}

func (r *runs) has(seq uint64) bool {
	_, end, ok := r.around(seq)
	return ok && seq < end
}

// add adds a number that the set does not have.
func (r *runs) add(seq uint64) { r.addRun(seq, seq+1) }

// addRun adds numbers of which the set has none, from one to another, that one excluded.
func (r *runs) addRun(from, to uint64) {
	r.n += int(to - from)
	start, end := from, to
	if s, e, ok := r.around(from); ok && e == from {
		start = s
	}
	if e, ok := r.ends.Get(end); ok {
		r.ends.Delete(end)
		end = e
	}
	r.ends.Set(start, end)
}

// remove removes a number and says whether it was there.
func (r *runs) remove(seq uint64) bool {
	start, end, ok := r.around(seq)
	if !ok || seq >= end {
		return false
	}
	r.n--
	if start == seq {
		r.ends.Delete(start)
	} else {
		r.ends.Set(start, seq)
	}
	if seq+1 < end {
		r.ends.Set(seq+1, end)
	}
	return true
}

// first returns the lowest number.
func (r *runs) first() (seq uint64, ok bool) {
	seq, _, ok = r.ends.Min()
	return seq, ok
}
