package logs

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// model is what a group must hold: the events of each stream.
type model struct {
	retention int
	streams   map[string][]Event
}

// expire drops the events that are past the group's retention.
func (m *model) expire(now int64) {
	g := group{Retention: m.retention}
	for name, events := range m.streams {
		m.streams[name] = slices.DeleteFunc(events, func(e Event) bool { return e.Timestamp < g.cutoff(now) })
	}
}

// TestRandomOperations does random things to a group, and after each run compares what is read with a
// model, and the counters with the chunks.
func TestRandomOperations(t *testing.T) {
	seeds := 8
	if os.Getenv("CIRRO_LONG") == "1" {
		seeds = 200
	}
	for seed := range uint64(seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			f := newFixture(t)
			r := rand.New(rand.NewPCG(seed, 7))
			m := &model{streams: map[string][]Event{}}
			f.group("g")
			for range 150 {
				f.step(r, m)
				if t.Failed() {
					return
				}
			}
			m.expire(f.millis())
			f.compare(m)
			// What a sweep leaves behind is not read, and all else is counted.
			f.sweep()
			f.compare(m)
			f.audit()
		})
	}
}

// step does one random thing to the group and the model.
func (f *fixture) step(r *rand.Rand, m *model) {
	f.t.Helper()
	name := fmt.Sprint("s", r.IntN(4))
	_, there := m.streams[name]
	switch r.IntN(12) {
	case 0:
		_, err := f.CreateLogStream(f.ctx, &logs.CreateLogStreamRequest{LogGroupName: new("g"), LogStreamName: &name})
		if (err == nil) == there {
			f.t.Errorf("making a stream that is there (%v): %v", there, err)
		}
		if !there {
			m.streams[name] = nil
		}
	case 1:
		_, err := f.DeleteLogStream(f.ctx, &logs.DeleteLogStreamRequest{LogGroupName: new("g"), LogStreamName: &name})
		if (err == nil) != there {
			f.t.Errorf("deleting a stream that is there (%v): %v", there, err)
		}
		delete(m.streams, name)
	case 2:
		days := []int32{1, 3, 7}[r.IntN(3)]
		m.expire(f.millis()) // what is gone stays gone, though the retention grows
		f.sweep()
		f.retain("g", days)
		m.retention = int(days)
	case 3:
		f.clock.Add(time.Duration(r.IntN(20)) * time.Hour)
		m.expire(f.millis())
		// Whole slots expire: without this the rest of one could come back under a longer retention.
		f.clock.Add(time.Duration(slot-f.millis()%slot) * time.Millisecond)
		m.expire(f.millis())
	case 4:
		f.sweep()
	default:
		at := f.millis() - r.Int64N(30*60*1000)
		var events []Event
		for range 1 + r.IntN(30) {
			at += r.Int64N(slot)
			events = append(events, Event{at, fmt.Sprintf("%s %d", name, r.Uint32())})
		}
		if err := f.Ingest(f.ctx, account, region, "g", name, events); err != nil {
			f.t.Fatal(err)
		}
		m.streams[name] = append(m.streams[name], events...)
	}
}

// compare compares what every stream and the group hold with the model.
func (f *fixture) compare(m *model) {
	f.t.Helper()
	total := 0
	for name, events := range m.streams {
		want := map[string]bool{}
		for _, e := range events {
			want[e.Message] = true
		}
		got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g"), LogStreamNames: []string{name}})
		for _, message := range got {
			if !want[message] {
				f.t.Errorf("%s holds %q, which it must not", name, message)
			}
		}
		if len(got) != len(events) {
			f.t.Errorf("%s holds %d events, want %d", name, len(got), len(events))
		}
		total += len(events)
	}
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); len(got) != total {
		f.t.Errorf("the group holds %d events, want %d", len(got), total)
	}
}

// audit compares the counters of the group and its streams with the chunks, and chunks with indexes.
func (f *fixture) audit() {
	f.t.Helper()
	err := f.store.View(f.ctx, func(r store.Reader) error {
		g, err := getGroup(r, groupKey{account, region, "g"})
		if err != nil {
			return err
		}
		counted := map[string]*stream{}
		var total int64
		chunks := 0
		for kv, err := range r.Range(keys(kindChunk, g.ID)) {
			if err != nil {
				return err
			}
			c, err := decodeChunk(kv.Key, kv.Value)
			if err != nil {
				return err
			}
			st := counted[c.stream]
			if st == nil {
				st = &stream{ID: c.streamID, First: c.first()}
				counted[c.stream] = st
			}
			if st.ID != c.streamID {
				f.t.Errorf("a chunk of a deleted stream %s is left", c.stream)
			}
			st.Bytes += c.size()
			st.Events += int64(len(c.events))
			st.Last = max(st.Last, c.last())
			total += c.size()
			chunks++
		}
		for st, err := range store.Records[stream](r, keys(kindStream, g.ID)) {
			if err != nil {
				return err
			}
			want := counted[st.Name]
			if want == nil {
				want = &stream{}
			}
			if st.Bytes != want.Bytes || st.Events != want.Events || st.First != want.First || want.Events > 0 && st.Last != want.Last {
				f.t.Errorf("the stream is %+v, its chunks make %+v", st, want)
			}
			if there, err := has(r, key(kindRecent, g.ID, st.Last, st.Name)); err != nil || !there {
				f.t.Errorf("%s is not among the recent streams: %v", st.Name, err)
			}
			delete(counted, st.Name)
		}
		if len(counted) > 0 {
			f.t.Errorf("chunks without a stream: %v", counted)
		}
		c, _, err := store.GetRecord[counter](r, key(kindCounter, g.ID))
		if err != nil {
			return err
		}
		if c.Bytes != total {
			f.t.Errorf("the group counts %d bytes, its chunks hold %d", c.Bytes, total)
		}
		indexes := 0
		for _, err := range r.Range(keys(kindIndex, g.ID)) {
			if err != nil {
				return err
			}
			indexes++
		}
		if indexes != chunks {
			f.t.Errorf("%d indexes of %d chunks", indexes, chunks)
		}
		return nil
	})
	if err != nil {
		f.t.Fatal(err)
	}
}
