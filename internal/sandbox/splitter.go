package sandbox

import "bytes"

// maxRecord is how long a record may be; what is longer is cut into several. CloudWatch Logs takes
// events of at most 256 KiB.
const maxRecord = 256*1024 - 26

// recordMark begins a record that may span lines: no UTF-8 text contains this byte. In such a record a
// NUL stands for a line break, and a line break ends it.
const recordMark = 0xff

// splitter cuts what a runtime prints into records: lines, and the records of several lines that the
// bootstraps of managed runtimes mark.
type splitter struct {
	emit    func(record string)
	partial []byte // of a record whose end has not come
	marked  bool   // partial began with recordMark
}

// Write takes the next bytes. It never fails.
func (s *splitter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		line, ended := p, false
		if i >= 0 {
			line, ended = p[:i], true
			p = p[i+1:]
		} else {
			p = nil
		}
		s.line(line)
		if ended {
			s.flush(true)
		}
	}
	return n, nil
}

// line takes a piece of a line, without its end.
func (s *splitter) line(piece []byte) {
	for {
		i := bytes.IndexByte(piece, recordMark)
		if i < 0 {
			s.append(piece)
			return
		}
		s.append(piece[:i])
		s.flush(false)
		s.marked = true
		piece = piece[i+1:]
	}
}

func (s *splitter) append(piece []byte) {
	for len(s.partial)+len(piece) > maxRecord {
		n := maxRecord - len(s.partial)
		s.partial = append(s.partial, piece[:n]...)
		piece = piece[n:]
		s.flush(true)
	}
	s.partial = append(s.partial, piece...)
}

// flush emits what is gathered; of an empty line only where the line itself has ended.
func (s *splitter) flush(ended bool) {
	if len(s.partial) == 0 && !ended {
		return
	}
	record := s.partial
	if s.marked {
		record = bytes.ReplaceAll(record, []byte{0}, []byte{'\n'})
	}
	s.emit(string(bytes.ToValidUTF8(record, []byte("\uFFFD"))))
	s.marked = false
	if cap(s.partial) > 16*1024 {
		s.partial = nil
		return
	}
	s.partial = s.partial[:0]
}
