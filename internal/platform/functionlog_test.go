package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"cirro/internal/sandbox"
	"cirro/internal/service/logs"
)

// ingested remembers what is written to it. Where gate is not nil, writing waits for it.
type ingested struct {
	mu     sync.Mutex
	gate   chan struct{}
	fail   int // how often to fail
	calls  int
	opened []string
	events map[string][]logs.Event // by "account region group stream"
}

func (i *ingested) Open(_ context.Context, account, region, group, stream string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.opened = append(i.opened, strings.Join([]string{account, region, group, stream}, " "))
	return nil
}

func (i *ingested) Ingest(_ context.Context, account, region, group, stream string, events []logs.Event) error {
	if i.gate != nil {
		<-i.gate
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.calls++
	if i.fail > 0 {
		i.fail--
		return errors.New("the disk is slow today")
	}
	if i.events == nil {
		i.events = map[string][]logs.Event{}
	}
	k := strings.Join([]string{account, region, group, stream}, " ")
	i.events[k] = append(i.events[k], events...)
	return nil
}

// messages are those of a stream of the function f.
func (i *ingested) messages(stream string) (messages []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range i.events["111122223333 eu-west-1 /aws/lambda/f "+stream] {
		messages = append(messages, e.Message)
	}
	return messages
}

var spec = &sandbox.Spec{Function: "f", Account: "111122223333", Region: "eu-west-1"}

func startFunctionLog(to ingester) *functionLog {
	return newFunctionLog(to, slog.New(slog.DiscardHandler))
}

// TestFunctionLog: all that many environments print is written by Close, each in order, in few writes.
func TestFunctionLog(t *testing.T) {
	to := &ingested{}
	l := startFunctionLog(to)
	const streams, records = 20, 200
	var all sync.WaitGroup
	for s := range streams {
		all.Go(func() {
			stream := l.Stream(spec, fmt.Sprint(s))
			for r := range records {
				stream.Put(time.UnixMilli(int64(1000+r)), fmt.Sprint(r))
			}
			stream.Close()
		})
	}
	all.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	for s := range streams {
		got := to.messages(fmt.Sprint(s))
		if len(got) != records {
			t.Fatalf("stream %d has %d records", s, len(got))
		}
		for r := range got {
			if got[r] != fmt.Sprintf("%d\n", r) {
				t.Fatalf("record %d of stream %d is %q", r, s, got[r])
			}
		}
	}
	if to.calls > streams*records/4 {
		t.Errorf("%d records took %d writes", streams*records, to.calls)
	}
	if l.buffered != 0 {
		t.Errorf("%d bytes still wait", l.buffered)
	}
}

// TestFunctionLogWritesByItself: nobody need close it.
func TestFunctionLogWritesByItself(t *testing.T) {
	to := &ingested{}
	l := startFunctionLog(to)
	l.Stream(spec, "s").Put(time.Now(), "x")
	for deadline := time.Now().Add(2 * time.Minute); len(to.messages("s")) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("nothing was written")
		}
		time.Sleep(time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestFunctionLogNames(t *testing.T) {
	to := &ingested{}
	l := startFunctionLog(to)
	other := *spec
	other.LogGroup, other.LogFormat = "/custom", "JSON"
	s := l.Stream(&other, "s")
	s.Put(time.UnixMilli(7), `{"a":1}`)
	s.Put(time.UnixMilli(8), "") // CloudWatch has no empty events
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if len(to.opened) != 1 || to.opened[0] != "111122223333 eu-west-1 /custom s" {
		t.Errorf("opened %v", to.opened)
	}
	got := to.events["111122223333 eu-west-1 /custom s"]
	if len(got) != 1 || got[0] != (logs.Event{Timestamp: 7, Message: `{"a":1}`}) {
		t.Errorf("got %v", to.events)
	}
}

// TestLongLines become several events.
func TestLongLines(t *testing.T) {
	to := &ingested{}
	l := startFunctionLog(to)
	line := "x" + strings.Repeat("ü", maxLine)
	l.Stream(spec, "s").Put(time.Now(), line)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := to.messages("s")
	if len(got) != 3 || strings.Join(got, "") != line+"\n" {
		t.Errorf("%d events", len(got))
	}
	for i, e := range got {
		if !utf8.ValidString(e) {
			t.Errorf("event %d is no UTF-8", i)
		}
	}
}

// TestBinaryOutput: what is no text is replaced, as events are text.
func TestBinaryOutput(t *testing.T) {
	to := &ingested{}
	l := startFunctionLog(to)
	l.Stream(spec, "s").Put(time.Now(), "a\xff\xfeb")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := to.messages("s"); len(got) != 1 || got[0] != "a\uFFFDb\n" {
		t.Errorf("got %q", got)
	}
}

// TestFullFunctionLog: with no room left a record is dropped, without waiting long, and the stream
// says so once there is room again.
func TestFullFunctionLog(t *testing.T) {
	to := &ingested{gate: make(chan struct{})}
	l := startFunctionLog(to)
	l.limit = 100
	s := l.Stream(spec, "s")
	s.Put(time.Now(), strings.Repeat("a", 90))
	s.Put(time.Now(), strings.Repeat("b", 90))
	s.Put(time.Now(), strings.Repeat("c", 90))
	close(to.gate)
	// There is room as soon as the first is written, and then none is dropped.
	for {
		l.mu.Lock()
		free := l.buffered == 0
		l.mu.Unlock()
		if free {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s.Put(time.Now(), "d")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	got := to.messages("s")
	if len(got) != 3 || got[0][0] != 'a' {
		t.Fatalf("got %q", got)
	}
	if all := got[1] + got[2]; !strings.Contains(all, "d\n") || !strings.Contains(all, "2 log records were dropped") {
		t.Errorf("got %q", got)
	}
}

// TestFunctionLogTriesAgain: a write that fails is not lost.
func TestFunctionLogTriesAgain(t *testing.T) {
	to := &ingested{fail: 2}
	l := startFunctionLog(to)
	l.Stream(spec, "s").Put(time.Now(), "x")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := to.messages("s"); len(got) != 1 {
		t.Errorf("got %q", got)
	}
}
