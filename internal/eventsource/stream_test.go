package eventsource

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/standing"
	"cirro/internal/store"
)

// fakeStream is a stream in memory. An iterator is the number of records before it.
type fakeStream struct {
	mu      sync.Mutex
	all     []shard
	records map[string][]Record
	closed  map[string]bool
	changed chan struct{}
	fail    []error // of reads to come
	gone    error   // why the shards cannot be told
}

func newFakeStream(shards ...shard) *fakeStream {
	return &fakeStream{all: shards, records: map[string][]Record{}, closed: map[string]bool{}, changed: make(chan struct{})}
}

// put adds records, each named by its key and something after it: "a1" has the key "a".
func (f *fakeStream) put(shard string, names ...string) {
	f.putAt(time.Unix(1_000_000, 0), shard, names...)
}

func (f *fakeStream) putAt(at time.Time, shard string, names ...string) {
	f.change(func() {
		for _, n := range names {
			f.records[shard] = append(f.records[shard], Record{ID: strconv.Itoa(100 + len(f.records[shard])), key: n[:1],
				Event: encode(map[string]string{"name": n}), Arrived: at})
		}
	})
}

func (f *fakeStream) close(shard string, children ...shard) {
	f.change(func() {
		f.closed[shard] = true
		for i := range f.all {
			if f.all[i].id == shard {
				f.all[i].closed = true
			}
		}
		f.all = append(f.all, children...)
	})
}

func (f *fakeStream) change(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeStream) shards(context.Context) ([]shard, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone != nil {
		return nil, f.gone
	}
	return slices.Clone(f.all), nil
}

func (f *fakeStream) iterator(_ context.Context, shard string, at position) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	switch at.Type {
	case latest:
		n = len(f.records[shard])
	case afterSequence:
		last, err := strconv.Atoi(at.Sequence)
		if err != nil {
			return "", err
		}
		n = last - 100 + 1
	case atTimestamp:
		for n < len(f.records[shard]) && f.records[shard][n].Arrived.Before(at.Time) {
			n++
		}
	}
	return strconv.Itoa(n), nil
}

func (f *fakeStream) read(ctx context.Context, shard, iterator string, wait time.Duration) ([]Record, string, error) {
	n, err := strconv.Atoi(iterator)
	if err != nil {
		return nil, "", err
	}
	over := time.After(wait)
	for {
		f.mu.Lock()
		if len(f.fail) > 0 {
			err := f.fail[0]
			f.fail = f.fail[1:]
			f.mu.Unlock()
			return nil, "", err
		}
		records, closed, changed := slices.Clone(f.records[shard][n:]), f.closed[shard], f.changed
		f.mu.Unlock()
		switch {
		case closed:
			return records, "", nil
		case len(records) > 0:
			return records, strconv.Itoa(n + len(records)), nil
		}
		select {
		case <-ctx.Done():
			return nil, "", ctx.Err()
		case <-over:
			return nil, iterator, nil
		case <-changed:
		}
	}
}

func (f *fakeStream) retention(context.Context) (time.Duration, error) { return 1 << 62, nil }

func (f *fakeStream) lost(err error) loss {
	for l, e := range fakeLosses {
		if errors.Is(err, e) {
			return l
		}
	}
	return lostNothing
}

var fakeLosses = map[loss]error{lostRecords: errors.New("trimmed"), lostIterator: errors.New("expired"), lostShard: errors.New("no such shard")}

const streamARN = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

func streamSource(change func(*Source)) Source {
	s := Source{ID: "test", ARN: streamARN, BatchSize: 10, Stream: StreamOptions{Start: trimHorizon, Retries: -1}}
	if change != nil {
		change(&s)
	}
	return s
}

var one = shard{id: "one"}

// names are those of records by their ids, of one shard.
func (f *fakeStream) names(shard string, ids []string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, id := range ids {
		n, _ := strconv.Atoi(id)
		all = append(all, strings.Trim(strings.TrimPrefix(string(f.records[shard][n-100].Event), `{"name":`), `"}`))
	}
	return strings.Join(all, " ")
}

func (h *hands) hasHandled(n int) func() bool { return func() bool { return len(h.handled) >= n } }

// TestCheckpoints stops a poller and goes on with another: nothing is repeated, nothing missed.
func TestCheckpoints(t *testing.T) {
	st, f, h := openStore(t), newFakeStream(one), newHands(well)
	f.put("one", "a1", "a2", "a3")
	source := streamSource(func(s *Source) { s.BatchSize = 2 })
	first := run(t, Deps{Store: st}, source, h, f)
	h.await(t, "three records", h.hasHandled(3))
	first.end()
	f.put("one", "a4")
	second := run(t, Deps{Store: st}, source, h, f)
	h.await(t, "four records", h.hasHandled(4))
	f.put("one", "a5")
	h.await(t, "five records", h.hasHandled(5))
	second.end()
	if got := f.names("one", h.handled); got != "a1 a2 a3 a4 a5" || len(h.batches[0]) != 2 {
		t.Error(got, h.batches)
	}
	if err := st.Update(t.Context(), func(tx store.Tx) error { return Forget(tx, "test") }); err != nil {
		t.Fatal(err)
	}
	run(t, Deps{Store: st}, source, h, f)
	h.await(t, "all records again", h.hasHandled(10))
}

// TestStreamAttempts has a record fail for good, in all the ways there are to go on.
func TestStreamAttempts(t *testing.T) {
	poison := func(_ context.Context, b *Batch) Outcome {
		for _, r := range b.Records {
			if strings.Contains(string(r.Event), "x") {
				return Outcome{Err: errors.New("poison")}
			}
		}
		return Outcome{}
	}
	partly := func(ctx context.Context, b *Batch) Outcome {
		for i, r := range b.Records {
			if strings.Contains(string(r.Event), "x") {
				return Outcome{Failed: ids(b.Records[i:])}
			}
		}
		return Outcome{}
	}
	for name, c := range map[string]struct {
		play      func(context.Context, *Batch) Outcome
		options   StreamOptions
		handled   string
		discarded string
		attempts  int
	}{
		"retried as a whole": {poison, StreamOptions{Retries: 2}, "", "[100 RetryAttemptsExhausted 3 101 RetryAttemptsExhausted 3 102 RetryAttemptsExhausted 3 103 RetryAttemptsExhausted 3]", 3},
		"without a retry":    {poison, StreamOptions{Retries: 0}, "", "[100 RetryAttemptsExhausted 1 101 RetryAttemptsExhausted 1 102 RetryAttemptsExhausted 1 103 RetryAttemptsExhausted 1]", 1},
		"split":              {poison, StreamOptions{Retries: 1, Bisect: true}, "a1 a2 a4", "[102 RetryAttemptsExhausted 2]", 0},
		"partly":             {partly, StreamOptions{Retries: 1}, "a1 a2", "[102 RetryAttemptsExhausted 2 103 RetryAttemptsExhausted 2]", 3},
		"partly, and split":  {partly, StreamOptions{Retries: 0, Bisect: true}, "a1 a2 a4", "[102 RetryAttemptsExhausted 1]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, h := newFakeStream(one), newHands(c.play)
			f.put("one", "a1", "a2", "x3", "a4")
			c.options.Start = trimHorizon
			r := run(t, Deps{Store: openStore(t)}, streamSource(func(s *Source) { s.Stream = c.options }), h, f)
			h.await(t, "an end", func() bool { return len(h.discarded) > 0 && len(h.discarded)+len(h.handled) >= 4 })
			f.put("one", "a5")
			h.await(t, "the next record", func() bool { return slices.Contains(h.handled, "104") })
			r.end()
			if got := f.names("one", h.handled); got != strings.TrimSpace(c.handled+" a5") || fmt.Sprint(h.discarded) != c.discarded {
				t.Error(got, h.discarded, h.batches)
			}
			if c.attempts > 0 && len(h.batches) != c.attempts+1 {
				t.Error(h.batches)
			}
		})
	}
}

// TestNotRunIsNoAttempt has a handler that has no room at first.
func TestNotRunIsNoAttempt(t *testing.T) {
	calls := 0
	f := newFakeStream(one)
	h := newHands(func(context.Context, *Batch) Outcome {
		if calls++; calls < 5 {
			return Outcome{Err: errors.New("no room"), NotRun: true}
		}
		return Outcome{}
	})
	f.put("one", "a1")
	r := run(t, Deps{Store: openStore(t)}, streamSource(func(s *Source) { s.Stream.Retries = 0 }), h, f)
	h.await(t, "the record", h.hasHandled(1))
	r.end()
	if len(h.discarded) > 0 || h.results[0] == ResultOK || h.results[len(h.results)-1] != ResultOK {
		t.Error(h.discarded, h.results)
	}
}

// TestLanes has one key fail for ever: the others of its shard are handled, each key in order.
func TestLanes(t *testing.T) {
	f := newFakeStream(one)
	h := newHands(func(_ context.Context, b *Batch) Outcome {
		for _, r := range b.Records {
			if r.key == "x" {
				return Outcome{Err: errors.New("poison")}
			}
		}
		return Outcome{}
	})
	st := openStore(t)
	mark := lane{number: 0, of: 4}
	var free []string // keys that do not share the lane of x
	for number := range 4 {
		mark.number = number
		for _, k := range strings.Split("abcdefghijkl", "") {
			if mark.mine(&Record{key: k}) && !mark.mine(&Record{key: "x"}) {
				free = append(free, k)
			}
		}
	}
	want := 0
	for i := range 3 {
		f.put("one", "x"+strconv.Itoa(i))
		for _, k := range free {
			f.put("one", k+strconv.Itoa(i))
			want++
		}
	}
	source := streamSource(func(s *Source) { s.Stream.Parallel = 4 })
	r := run(t, Deps{Store: st}, source, h, f)
	h.await(t, "the other keys", h.hasHandled(want))
	r.end()
	for _, k := range free {
		got := ""
		for name := range strings.SplitSeq(f.names("one", h.handled), " ") {
			if name[:1] == k {
				got += name
			}
		}
		if got != k+"0"+k+"1"+k+"2" {
			t.Errorf("%s: %s", k, got)
		}
	}
	// With another number of lanes the keys are elsewhere: all that is not known to be handled comes again.
	source.Stream.Parallel = 1
	healed := newHands(well)
	run(t, Deps{Store: st}, source, healed, f)
	healed.await(t, "all records", healed.hasHandled(want+3))
}

// TestAge discards records that are too old, and those alone.
func TestAge(t *testing.T) {
	clock := standing.At(time.Unix(2_000_000, 0))
	f, h := newFakeStream(one), newHands(well)
	f.putAt(clock.Now().Add(-2*time.Minute), "one", "a1", "a2")
	f.putAt(clock.Now().Add(-time.Second), "one", "a3")
	r := run(t, Deps{Store: openStore(t), Clock: clock.Now}, streamSource(func(s *Source) { s.Stream.MaximumAge = time.Minute }), h, f)
	h.await(t, "the young record", h.hasHandled(1))
	r.end()
	if fmt.Sprint(h.discarded, h.handled) != "[100 RecordAgeExceeded 0 101 RecordAgeExceeded 0] [102]" {
		t.Error(h.discarded, h.handled)
	}
}

// TestChildrenFollowTheirParents splits a shard whose records take their time.
func TestChildrenFollowTheirParents(t *testing.T) {
	f := newFakeStream(one)
	gate := make(chan struct{})
	var mu sync.Mutex
	var order []string
	h := newHands(func(_ context.Context, b *Batch) Outcome {
		if b.Shard == "one" {
			<-gate
		}
		mu.Lock()
		defer mu.Unlock()
		order = append(order, b.Shard)
		return Outcome{}
	})
	f.put("one", "a1")
	r := run(t, Deps{Store: openStore(t)}, streamSource(nil), h, f)
	<-r.Started()
	f.close("one", shard{id: "left", parents: []string{"one"}}, shard{id: "right", parents: []string{"one", "gone"}})
	f.put("left", "a2")
	f.put("right", "b2")
	close(gate)
	h.await(t, "three records", h.hasHandled(3))
	f.close("left", shard{id: "both", parents: []string{"left", "right"}})
	f.put("both", "c")
	f.put("right", "b3")
	h.await(t, "the last of a parent", h.hasHandled(4))
	f.close("right")
	h.await(t, "the merged shard", h.hasHandled(5))
	r.end()
	if order[0] != "one" || order[len(order)-1] != "both" {
		t.Error(order)
	}
}

// TestStarts begins at the latest records, or at a time.
func TestStarts(t *testing.T) {
	at := time.Unix(5_000_000, 0)
	for start, want := range map[string]string{trimHorizon: "a0 a1 a2 a3 a4", latest: "a3 a4", atTimestamp: "a2 a3 a4"} {
		t.Run(start, func(t *testing.T) {
			clock := standing.At(at.Add(time.Hour))
			f, h, st := newFakeStream(shard{id: "old"}, shard{id: "one", parents: []string{"old"}}), newHands(well), openStore(t)
			f.putAt(at.Add(-time.Hour), "old", "z")
			f.close("old")
			f.putAt(at.Add(-time.Hour), "one", "a0", "a1")
			f.putAt(at, "one", "a2")
			source := streamSource(func(s *Source) { s.Stream.Start, s.Stream.StartTime = start, at })
			first := run(t, Deps{Store: st, Clock: clock.Now}, source, h, f)
			<-first.Started()
			first.end() // before anything was handled, perhaps
			f.putAt(at.Add(2*time.Hour), "one", "a3")
			second := run(t, Deps{Store: st, Clock: clock.Now}, source, h, f)
			f.putAt(at.Add(2*time.Hour), "one", "a4")
			n := strings.Count(want, "a")
			if start == trimHorizon {
				n++ // the old shard's
			}
			h.await(t, "the records", h.hasHandled(n))
			second.end()
			got := h.handled
			if start == trimHorizon {
				got = got[1:]
			}
			if names := f.names("one", got); names != want {
				t.Error(names)
			}
		})
	}
}

// named is a filter of records by their names.
type named string

func (n named) Match(event []byte) bool { return strings.Contains(string(event), `"`+string(n)) }

// TestFiltersPassOver keeps how far records were passed over that no filter selects.
func TestFiltersPassOver(t *testing.T) {
	clock := standing.At(time.Unix(2_000_000, 0))
	f, h, st := newFakeStream(one), newHands(well), openStore(t)
	f.put("one", "b1", "a1", "b2", "b3")
	source := streamSource(func(s *Source) { s.Filters = []Filter{named("a"), named("c")} })
	r := run(t, Deps{Store: st, Clock: clock.Now}, source, h, f)
	h.await(t, "the record", h.hasHandled(1))
	clock.Add(time.Hour)
	f.put("one", "b4")
	f.put("one", "c1")
	h.await(t, "the other record", h.hasHandled(2))
	r.end()
	if got := f.names("one", h.handled); got != "a1 c1" {
		t.Error(got)
	}
}

// TestTumblingWindows carries a sum along in windows of a minute.
func TestTumblingWindows(t *testing.T) {
	clock := standing.At(time.Unix(6_000_000, 0))
	f := newFakeStream(one)
	var mu sync.Mutex
	var log []string
	finals := 0
	h := newHands(func(_ context.Context, b *Batch) Outcome {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf("%d %s %v", len(b.Records), b.Window.State, b.Window.Final))
		if b.Window.Final {
			finals++
			return Outcome{}
		}
		n, _ := strconv.Atoi(strings.Trim(string(b.Window.State), "{}"))
		return Outcome{State: []byte(strconv.Itoa(n + len(b.Records)))}
	})
	f.putAt(clock.Now(), "one", "a1", "a2", "a3")
	f.putAt(clock.Now().Add(time.Minute), "one", "a4")
	source := streamSource(func(s *Source) { s.BatchSize, s.Stream.Tumbling = 2, time.Minute })
	st := openStore(t)
	r := run(t, Deps{Store: st, Clock: clock.Now}, source, h, f)
	h.await(t, "the first window, and a record of the second", h.hasHandled(4))
	r.end()
	clock.Add(time.Hour)
	r = run(t, Deps{Store: st, Clock: clock.Now}, source, h, f)
	h.await(t, "the second window's end", func() bool { mu.Lock(); defer mu.Unlock(); return finals == 2 })
	r.end()
	want := "2 {} false; 1 2 false; 0 3 true; 1 {} false; 0 1 true"
	if got := strings.Join(log, "; "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestStreamBatchesWait has a batch wait for more, and no longer than its window.
func TestStreamBatchesWait(t *testing.T) {
	f, h := newFakeStream(one), newHands(well)
	r := run(t, Deps{Store: openStore(t)}, streamSource(func(s *Source) { s.BatchSize, s.Window = 3, time.Hour }), h, f)
	for _, n := range []string{"a1", "a2", "a3"} {
		f.put("one", n)
	}
	h.await(t, "a full batch", h.hasHandled(3))
	f.put("one", "a4")
	f.close("one")
	h.await(t, "the shard's last", h.hasHandled(4))
	r.end()
	if len(h.batches) != 2 {
		t.Error(h.batches)
	}
}

// TestStreamErrors are gone on from, each in its way.
func TestStreamErrors(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"passing":          {errors.New("broken"), "a1 a2"},
		"iterator expired": {fakeLosses[lostIterator], "a1 a2"},
		"records trimmed":  {fakeLosses[lostRecords], "a1 a1 a2"}, // from the first that are left
		"shard gone":       {fakeLosses[lostShard], "a1 a2"},      // for a moment
	} {
		t.Run(name, func(t *testing.T) {
			f, h := newFakeStream(one), newHands(well)
			f.put("one", "a1")
			r := run(t, Deps{Store: openStore(t)}, streamSource(nil), h, f)
			h.await(t, "the first record", h.hasHandled(1))
			f.change(func() { f.fail = []error{c.err, c.err} })
			f.put("one", "a2")
			h.await(t, "the second record", func() bool { return slices.Contains(h.handled, "101") })
			r.end()
			if got := f.names("one", h.handled); got != c.want {
				t.Error(got)
			}
		})
	}
}

// TestFullDisk has what was handled kept later, and not handled again for that.
func TestFullDisk(t *testing.T) {
	st, f := &full{Store: openStore(t)}, newFakeStream(one)
	h := newHands(func(_ context.Context, b *Batch) Outcome {
		st.refusals.Store(3)
		if b.Records[0].key == "x" {
			return Outcome{Err: errors.New("poison")}
		}
		return Outcome{}
	})
	f.put("one", "a1", "x", "a2")
	r := run(t, Deps{Store: st}, streamSource(func(s *Source) { s.BatchSize, s.Stream.Retries = 1, 0 }), h, f)
	h.await(t, "all records", h.hasHandled(2))
	r.end()
	if got := f.names("one", h.handled); got != "a1 a2" || len(h.batches) != 3 || len(h.discarded) != 1 {
		t.Error(got, h.batches, h.discarded)
	}
	if !slices.Contains(h.results, "PROBLEM: no space left on device") {
		t.Error(h.results)
	}
}

// TestStreamThatIsGone counts as begun, with a problem, and is read when it is there.
func TestStreamThatIsGone(t *testing.T) {
	f, h := newFakeStream(one), newHands(well)
	f.gone = errors.New("no such stream")
	r := run(t, Deps{Store: openStore(t)}, streamSource(nil), h, f)
	<-r.Started()
	f.put("one", "a1")
	f.change(func() { f.gone = nil })
	h.await(t, "the record", h.hasHandled(1))
	r.end()
	if h.results[0] != "PROBLEM: no such stream" {
		t.Error(h.results)
	}
}
