package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"cirro/internal/sandbox"
	"cirro/internal/service/logs"
	"cirro/internal/store"
)

const (
	// logWindow is how long records are collected before they are written: what many environments
	// print at a time shares a transaction.
	logWindow = 50 * time.Millisecond
	// maxBuffered is how many bytes of records wait to be written. While there are more, Put waits for
	// maxPutWait and then drops its record; the stream says later how many were dropped.
	maxBuffered = 64 << 20
	maxPutWait  = 100 * time.Millisecond
	// writersOfLogs is how many streams are written at a time.
	writersOfLogs = 64
	// maxLine is the most that one event holds; a longer line becomes several.
	maxLine = 256 << 10
	// maxLogTries is how often writing is tried, ever slower.
	maxLogTries = 6
)

// ingester is what functionLog writes to. *logs.Service is one.
type ingester interface {
	Open(ctx context.Context, account, region, group, stream string) error
	Ingest(ctx context.Context, account, region, group, stream string, events []logs.Event) error
}

// functionLog brings what functions print to CloudWatch Logs, in the background: a function does not
// wait for the disk. What it took is written within moments, and by Close at the latest; a crash loses
// the last window, as it does on AWS.
type functionLog struct {
	to     ingester
	log    *slog.Logger
	window time.Duration
	limit  int
	wake   chan struct{} // something waits
	ended  chan struct{} // the writer has

	opening sync.WaitGroup

	mu       sync.Mutex
	waiting  []*functionStream // that have events
	buffered int               // bytes
	room     chan struct{}     // closed when there is more room
	closing  chan struct{}
}

func newFunctionLog(to ingester, log *slog.Logger) *functionLog {
	l := &functionLog{
		to: to, log: log, window: logWindow, limit: maxBuffered,
		wake: make(chan struct{}, 1), ended: make(chan struct{}), room: make(chan struct{}), closing: make(chan struct{}),
	}
	go l.write()
	return l
}

// functionStream is the log of one environment.
type functionStream struct {
	log                            *functionLog
	account, region, group, stream string
	end                            string // of each line

	// under the log's lock
	events  []logs.Event
	dropped int
}

// Stream opens a stream. Lines of text end in a line feed in CloudWatch, as on AWS.
func (l *functionLog) Stream(s *sandbox.Spec, name string) sandbox.LogStream {
	fs := &functionStream{log: l, account: s.Account, region: s.Region, group: s.LogGroup, stream: name}
	if fs.group == "" {
		fs.group = "/aws/lambda/" + s.Function
	}
	if s.LogFormat != "JSON" {
		fs.end = "\n"
	}
	// The stream is there before the function has answered, so that whoever invoked it can look for
	// its log. Where this fails, the first write makes the stream.
	l.opening.Go(func() {
		if err := l.to.Open(context.Background(), fs.account, fs.region, fs.group, fs.stream); err != nil {
			l.log.Warn("the log stream of a function could not be made", "group", fs.group, "stream", fs.stream, "error", err)
		}
	})
	return fs
}

// Put takes a record.
func (s *functionStream) Put(at time.Time, message string) {
	message = strings.ToValidUTF8(message, "\uFFFD") + s.end
	if message == "" {
		return // CloudWatch has no empty events
	}
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buffered+len(message) > l.limit && !l.waitForRoom(len(message)) {
		s.dropped++
		return
	}
	if len(s.events) == 0 {
		l.enqueue(s)
	}
	for len(message) > maxLine {
		n := maxLine
		for !utf8.RuneStart(message[n]) {
			n--
		}
		s.add(at, message[:n])
		message = message[n:]
	}
	s.add(at, message)
}

func (s *functionStream) add(at time.Time, message string) {
	s.events = append(s.events, logs.Event{Timestamp: at.UnixMilli(), Message: message})
	s.log.buffered += len(message)
}

// Close has nothing to do: what was put is written anyway.
func (s *functionStream) Close() {}

// enqueue lets the writer know of a stream. The lock is held.
func (l *functionLog) enqueue(s *functionStream) {
	l.waiting = append(l.waiting, s)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// waitForRoom waits until n bytes fit, without the lock that its caller holds.
func (l *functionLog) waitForRoom(n int) bool {
	timeout := time.NewTimer(maxPutWait)
	defer timeout.Stop()
	for l.buffered+n > l.limit {
		room := l.room
		l.mu.Unlock()
		select {
		case <-room:
			l.mu.Lock()
		case <-timeout.C:
			l.mu.Lock()
			return l.buffered+n <= l.limit
		}
	}
	return true
}

// write writes, window after window, until the log is closed and empty.
func (l *functionLog) write() {
	defer close(l.ended)
	for {
		select {
		case <-l.wake:
		case <-l.closing:
			l.flush()
			return
		}
		select {
		case <-time.After(l.window):
		case <-l.closing:
		}
		l.flush()
	}
}

// flush writes all that waits. Each stream is written by one goroutine, so its order stays.
func (l *functionLog) flush() {
	l.mu.Lock()
	waiting := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	turns := make(chan struct{}, writersOfLogs)
	var all sync.WaitGroup
	for _, s := range waiting {
		turns <- struct{}{}
		all.Go(func() {
			defer func() { <-turns }()
			l.flushStream(s)
		})
	}
	all.Wait()
}

// flushStream writes what waits of one stream.
func (l *functionLog) flushStream(s *functionStream) {
	l.mu.Lock()
	events, dropped := s.events, s.dropped
	s.events, s.dropped = nil, 0
	size := 0
	for i := range events {
		size += len(events[i].Message)
	}
	l.mu.Unlock()
	if dropped > 0 {
		at := events[len(events)-1].Timestamp
		events = append(events, logs.Event{Timestamp: at, Message: fmt.Sprintf("[cirro] %d log records were dropped: they came faster than they could be written%s", dropped, s.end)})
	}
	if err := l.ingest(s, events); err != nil {
		l.log.Error("the log of a function could not be written", "group", s.group, "stream", s.stream, "records", len(events), "error", err)
	}
	l.mu.Lock()
	l.buffered -= size
	close(l.room)
	l.room = make(chan struct{})
	l.mu.Unlock()
}

// ingest writes events, trying again where that may help.
func (l *functionLog) ingest(s *functionStream, events []logs.Event) (err error) {
	for try := range maxLogTries {
		err = l.to.Ingest(context.Background(), s.account, s.region, s.group, s.stream, events)
		if err == nil || errors.Is(err, store.ErrClosed) {
			return err
		}
		time.Sleep(10 * time.Millisecond << (2 * try))
	}
	return err
}

// Close writes what waits and ends. Nothing may be put after it.
func (l *functionLog) Close() error {
	close(l.closing)
	<-l.ended
	l.opening.Wait()
	return nil
}
