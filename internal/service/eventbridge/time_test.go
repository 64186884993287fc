package eventbridge

import (
	"context"
	"fmt"
	"testing"
	"time"

	api "cirro/internal/awsapi/events"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }

// expect turns the clock and compares what alarms send to rules.
func (s *stage) expect(after time.Duration, want string) {
	s.t.Helper()
	s.clock.Add(after)
	if _, err := s.alarms.Turn(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if got := names(s.waiting(freshQueue)); got != want {
		s.t.Errorf("at %v came %q, not %q", s.clock.Now().Format("15:04:05"), got, want)
	}
}

func (s *stage) scheduled(name, expression string, targets ...api.Target) {
	s.t.Helper()
	must[*api.PutRuleResponse](s.t)(s.PutRule(s.ctx(), &api.PutRuleRequest{Name: &name, ScheduleExpression: &expression}))
	s.targets(s.ctx(), "default", name, targets...)
}

// TestScheduledRules turns the clock: a rate comes when its period has passed, and what passed while nobody
// was up comes once.
func TestScheduledRules(t *testing.T) {
	dir, clock := t.TempDir(), standing.At(start)
	st := must[*pebble.Store](t)(pebble.Open(dir, pebble.Options{}))
	s := stageOver(t, st, clock)
	s.scheduled("rate", "rate(5 minutes)", queue("q"))
	s.scheduled("cron", "cron(10 * * * ? *)", queue("q"))
	s.scheduled("idle", "rate(1 minute)")
	s.expect(0, "")
	s.expect(4*time.Minute, "cron@05:10:00")
	s.expect(time.Minute, "rate@05:11:30")
	s.targets(s.ctx(), "default", "rate", queue("r")) // does not begin the period anew
	s.expect(5*time.Minute, "rate@05:16:30")
	must[*api.DisableRuleOutput](t)(s.DisableRule(s.ctx(), &api.DisableRuleRequest{Name: new("rate")}))
	s.expect(5*time.Minute, "")
	must[*api.EnableRuleOutput](t)(s.EnableRule(s.ctx(), &api.EnableRuleRequest{Name: new("rate")}))
	s.expect(5*time.Minute, "rate@05:26:30")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Add(3 * time.Hour)
	st = must[*pebble.Store](t)(pebble.Open(dir, pebble.Options{}))
	defer st.Close()
	s = stageOver(t, st, clock)
	s.expect(0, "rate@05:31:30 cron@06:10:00")
	s.expect(0, "")
	s.expect(5*time.Minute, "rate@08:31:30")
	must[*api.RemoveTargetsResponse](t)(s.RemoveTargets(s.ctx(), &api.RemoveTargetsRequest{Rule: new("rate"), Ids: []string{"a"}}))
	must[*api.DeleteRuleOutput](t)(s.DeleteRule(s.ctx(), &api.DeleteRuleRequest{Name: new("rate")}))
	s.expect(5*time.Minute, "")
	p := scheduled(busRef{place{"000000000000", "us-east-1"}, "default"}, "cron", start)
	want := fmt.Sprintf(`{"version":"0","id":"%s","detail-type":"Scheduled Event","source":"aws.events","account":"000000000000","time":"2026-03-04T05:06:30Z",`+
		`"region":"us-east-1","resources":["arn:aws:events:us-east-1:000000000000:rule/cron"],"detail":{}}`, p.ID)
	if string(p.event) != want {
		t.Errorf("%s\n%s", p.event, want)
	}
}

// TestRetention lets an archive's events go when they have been there for long enough.
func TestRetention(t *testing.T) {
	s := newStage(t)
	bus := "arn:aws:events:us-east-1:000000000000:event-bus/default"
	for name, days := range map[string]int32{"day": 1, "ever": 0} {
		must[*api.CreateArchiveResponse](t)(s.CreateArchive(s.ctx(), &api.CreateArchiveRequest{ArchiveName: &name, EventSourceArn: &bus, RetentionDays: &days}))
	}
	count := func(want string) {
		t.Helper()
		if err := s.expireAll(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, name := range []string{"day", "ever"} {
			a := must[*api.DescribeArchiveResponse](t)(s.DescribeArchive(s.ctx(), &api.DescribeArchiveRequest{ArchiveName: &name}))
			kept := 0
			err := s.Store.View(t.Context(), func(r store.Reader) error {
				record, err := getArchive(r, placeOf(s.ctx()), name)
				for range r.Range(record.kept(time.Time{})) {
					kept++
				}
				return err
			})
			if err != nil || kept != int(*a.EventCount) || (*a.SizeBytes == 0) != (kept == 0) {
				t.Errorf("%s says %d events and %d bytes, and has %d (%v)", name, *a.EventCount, *a.SizeBytes, kept, err)
			}
			got += fmt.Sprint(kept, " ")
		}
		if got != want {
			t.Errorf("kept %s, not %s", got, want)
		}
	}
	for range 5 {
		s.put(s.ctx(), "default", "{}")
		s.clock.Add(6 * time.Hour)
	}
	count("4 5 ") // of 30, 24, 18, 12 and 6 hours ago
	s.clock.Add(13 * time.Hour)
	count("1 5 ")
	s.clock.Add(time.Hour * 24)
	count("0 5 ")
}

// TestReplayGoesOn stops a replay between two steps, loses its message, and cancels another.
func TestReplayGoesOn(t *testing.T) {
	s := newStage(t)
	bus := "arn:aws:events:us-east-1:000000000000:event-bus/default"
	archive := *must[*api.CreateArchiveResponse](t)(s.CreateArchive(s.ctx(), &api.CreateArchiveRequest{ArchiveName: new("a"), EventSourceArn: &bus})).ArchiveArn
	n := 2*replayBatch + 10
	for i := range n {
		s.put(s.ctx(), "default", fmt.Sprintf(`{"n": %d}`, i))
		s.clock.Add(time.Second)
	}
	s.rule(s.ctx(), "default", "r", `{"replay-name": ["y", "z"]}`, queue("q"))
	s.rule(s.ctx(), "default", "other", `{"source": ["app"]}`, queue("q"))
	begin := func(name string) resource {
		must[*api.StartReplayResponse](t)(s.StartReplay(s.ctx(), &api.StartReplayRequest{ReplayName: &name, EventSourceArn: &archive, EventStartTime: new(start.Add(5 * time.Second)),
			EventEndTime: new(start.Add(time.Hour)), Destination: &api.ReplayDestination{Arn: &bus, FilterArns: []string{"arn:aws:events:us-east-1:000000000000:rule/r"}}}))
		return resource{placeOf(s.ctx()), name}
	}
	step := func(ref resource) (more bool) {
		err := s.Store.Update(t.Context(), func(tx store.Tx) (err error) {
			more, err = s.replaySome(tx, ref)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return more
	}
	state := func(name string) string {
		return *must[*api.DescribeReplayResponse](t)(s.DescribeReplay(s.ctx(), &api.DescribeReplayRequest{ReplayName: &name})).State
	}
	y := begin("y")
	for i := range 3 {
		if more := step(y); more != (i < 2) {
			t.Errorf("step %d: more %v", i, more)
		}
	}
	if step(y) || state("y") != api.ReplayStateCompleted {
		t.Error(state("y"))
	}
	got := s.waiting(freshQueue)
	if len(got) != n-5 {
		t.Errorf("%d events of %d are replayed", len(got), n-5)
	}
	for i, p := range got {
		if detailOf(t, string(p.event)) != fmt.Sprintf(`{"n":%d}`, i+5) || p.Replay != "y" || len(p.Rules) != 1 || p.Rules[0] != "r" {
			t.Fatalf("%d is %s for %v", i, p.event, p.Rules)
		}
	}
	z := begin("z")
	step(z)
	if out := must[*api.CancelReplayResponse](t)(s.CancelReplay(s.ctx(), &api.CancelReplayRequest{ReplayName: new("z")})); *out.State != api.ReplayStateCancelling {
		t.Error(*out.State)
	}
	if step(z) || state("z") != api.ReplayStateCancelled || len(s.waiting(freshQueue)) != replayBatch {
		t.Error(state("z"))
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := s.expireAll(ctx); err == nil {
		t.Error("a context that ended is no error")
	}
}
