package eventsource

import (
	"context"
	"encoding/json"
	"time"
)

// maxState is how large the state of a window may become, in bytes.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
const maxState = 1 << 20

// startOf is when the tumbling window of a record began.
func (l *lane) startOf(r *Record) time.Time {
	return r.Arrived.UTC().Truncate(l.source.Stream.Tumbling)
}

// sameWindow reports whether two records are of one window; without windows all are.
func (l *lane) sameWindow(a, b *Record) bool {
	return l.source.Stream.Tumbling == 0 || l.startOf(a).Equal(l.startOf(b))
}

// windowLeft shortens a wait to what is left of the open window. It is over when that time has passed, or
// there are records of a later one.
func (l *lane) windowLeft(now time.Time, wait time.Duration) (left time.Duration, over bool) {
	w := l.mark.Window
	if w == nil {
		return wait, false
	}
	left = w.Start.Add(l.source.Stream.Tumbling).Sub(now)
	return min(wait, left), left <= 0
}

// windowOver reports whether the open window is: a record of a later one has come, or its time has passed.
func (l *lane) windowOver(batch []Record) bool {
	w := l.mark.Window
	if w == nil {
		return false
	}
	if len(batch) > 0 {
		return l.startOf(&batch[0]).After(w.Start)
	}
	return !l.Clock().Before(w.Start.Add(l.source.Stream.Tumbling))
}

// shed ends a window early whose state has become too large.
func (l *lane) shed(work, polling context.Context) bool {
	if w := l.mark.Window; w == nil || len(w.State) <= maxState {
		return true
	}
	return l.closeWindow(work, polling, true)
}

// window is the one that a batch belongs to, nil where there are none.
func (l *lane) window(first *Record) *Window {
	if l.source.Stream.Tumbling == 0 {
		return nil
	}
	start := l.startOf(first)
	w := &Window{Start: start, End: start.Add(l.source.Stream.Tumbling), State: emptyState}
	if open := l.mark.Window; open != nil && open.Start.Equal(start) && len(open.State) > 0 {
		w.State = open.State
	}
	return w
}

var emptyState = json.RawMessage("{}")

// carry puts a window's state into a checkpoint.
func (l *lane) carry(mark *checkpoint, first *Record, o *Outcome) {
	if l.source.Stream.Tumbling == 0 {
		return
	}
	state := o.State
	if len(state) == 0 {
		state = emptyState
	}
	mark.Window = &windowState{Start: l.startOf(first), State: state}
}

// closeWindow has the end of the open window handled.
func (l *lane) closeWindow(work, polling context.Context, early bool) bool {
	open := l.mark.Window
	b := &Batch{Shard: l.shard, Attempt: 1, Window: &Window{Start: open.Start, End: open.Start.Add(l.source.Stream.Tumbling),
		State: open.State, Final: true, Early: early}}
	for failed := 0; ; {
		o := l.handler.Handle(work, b)
		if work.Err() != nil && (o.Err != nil || o.NotRun) {
			return false
		}
		l.settled(&o)
		if !o.NotRun && (o.Err == nil || l.source.Stream.Retries >= 0 && failed >= l.source.Stream.Retries) {
			break
		}
		failed++
		b.Attempt = failed + 1
		l.pause(polling, retryBackoff, failed)
		if polling.Err() != nil {
			return false
		}
	}
	mark := l.mark
	mark.Window = nil
	return l.persist(work, mark, nil)
}
