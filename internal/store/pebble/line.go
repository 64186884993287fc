package pebble

import "github.com/tidwall/btree"

// line is numbers in order, of which most join at the end and leave at the front: four bytes each.
type line struct {
	stretches []stretch
	again     btree.Set[uint64]   // those that joined before the end
	gone      map[uint64]struct{} // those of the stretches that left from the middle
	n         int
}

// stretch is a part of a line: what its numbers are above the first.
type stretch struct {
	base  uint64
	above []uint32
}

// stretched is how many numbers a stretch has at most.
const stretched = 1 << 10

func (l *line) len() int { return l.n }

// add adds a number that the line does not have.
func (l *line) add(seq uint64) {
	l.n++
	last := len(l.stretches) - 1
	if last < 0 {
		l.stretches = append(l.stretches, stretch{base: seq, above: []uint32{0}})
		return
	}
	s := &l.stretches[last]
	switch end := s.last(); {
	case seq <= end:
		if _, left := l.gone[seq]; left {
			delete(l.gone, seq)
			return
		}
		l.again.Insert(seq)
	case len(s.above) == stretched || seq-s.base > 1<<32-1:
		l.stretches = append(l.stretches, stretch{base: seq, above: []uint32{0}})
	default:
		s.above = append(s.above, uint32(seq-s.base))
	}
}

func (s *stretch) first() uint64 { return s.base + uint64(s.above[0]) }

func (s *stretch) last() uint64 { return s.base + uint64(s.above[len(s.above)-1]) }

// first returns the lowest number.
func (l *line) first() (seq uint64, ok bool) {
	again, some := l.again.Min()
	if len(l.stretches) == 0 {
		return again, some
	}
	if seq = l.stretches[0].first(); some && again < seq {
		seq = again
	}
	return seq, true
}

// remove removes a number that the line has.
func (l *line) remove(seq uint64) {
	l.n--
	if l.again.Contains(seq) {
		l.again.Delete(seq)
		return
	}
	if l.gone == nil {
		l.gone = make(map[uint64]struct{})
	}
	l.gone[seq] = struct{}{}
	l.advance()
}

// advance drops what is gone from the front.
func (l *line) advance() {
	for len(l.stretches) > 0 {
		s := &l.stretches[0]
		seq := s.first()
		if _, left := l.gone[seq]; !left {
			return
		}
		delete(l.gone, seq)
		if s.above = s.above[1:]; len(s.above) == 0 {
			l.stretches[0] = stretch{}
			l.stretches = l.stretches[1:]
		}
	}
	l.stretches, l.gone = nil, nil
}
