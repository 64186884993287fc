package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/schedule"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// board notes what is sent to queues, and fails as often as it is told to.
type board struct {
	mu    sync.Mutex
	sent  []string // queue: body
	fails map[string][]error
	came  chan string
}

func (b *board) Call(_ context.Context, p awsapi.Principal, service, operation string, in any) (any, error) {
	send, ok := in.(*sqsapi.SendMessageRequest)
	if !ok {
		return nil, awsapi.Unimplemented(service, operation)
	}
	name := (*send.QueueUrl)[strings.LastIndexByte(*send.QueueUrl, '/')+1:]
	b.mu.Lock()
	defer b.mu.Unlock()
	if f := b.fails[name]; len(f) > 0 {
		b.fails[name] = f[1:]
		return nil, f[0]
	}
	line := name + ": " + *send.MessageBody
	if len(send.MessageAttributes) > 0 {
		attributes := map[string]string{}
		for k, v := range send.MessageAttributes {
			attributes[k] = *v.StringValue
		}
		delete(attributes, "EXECUTION_ID")
		text, err := json.Marshal(attributes)
		if err != nil {
			return nil, err
		}
		line += " " + string(text)
	}
	b.sent = append(b.sent, line+" as "+p.ARN)
	b.came <- line
	return &sqsapi.SendMessageResult{}, nil
}

var start = time.Date(2026, 3, 4, 5, 6, 30, 0, time.UTC)

// stage is a service over a store, with a clock that stands.
type stage struct {
	*Service
	t     *testing.T
	board *board
	clock *standing.Clock
}

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	st, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func newStage(t *testing.T) *stage {
	t.Helper()
	st := open(t, t.TempDir())
	t.Cleanup(func() { st.Close() })
	return stageOver(t, st, standing.At(start))
}

func stageOver(t *testing.T, st store.Store, clock *standing.Clock) *stage {
	t.Helper()
	b := &board{fails: map[string][]error{}, came: make(chan string, 1000)}
	return &stage{New(Deps{Store: st, Caller: b, Clock: clock.Now, RetryScale: 1e-4}), t, b, clock}
}

func (s *stage) ctx() context.Context {
	return awsapi.WithRequest(s.t.Context(), &awsapi.Request{ID: "r", Region: "us-east-1", Principal: awsapi.RootPrincipal("000000000000", "test")})
}

func input(name, expression string, change ...func(*api.CreateScheduleInput)) *api.CreateScheduleInput {
	in := &api.CreateScheduleInput{Name: &name, ScheduleExpression: &expression, FlexibleTimeWindow: &api.FlexibleTimeWindow{Mode: new("OFF")},
		Target: &api.Target{Arn: new("arn:aws:sqs:us-east-1:000000000000:q"), RoleArn: new("arn:aws:iam::000000000000:role/r"), Input: new(name + " <aws.scheduler.scheduled-time>")}}
	for _, f := range change {
		f(in)
	}
	return in
}

func (s *stage) create(name, expression string, change ...func(*api.CreateScheduleInput)) {
	s.t.Helper()
	if _, err := s.CreateSchedule(s.ctx(), input(name, expression, change...)); err != nil {
		s.t.Fatal(err)
	}
}

// due takes what alarms have enqueued by now.
func (s *stage) due() (got []string) {
	s.t.Helper()
	if _, err := s.alarms.Turn(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	for {
		messages, err := s.Store.Receive(s.t.Context(), invocationQueue, store.ReceiveOptions{Max: 10, Lease: time.Minute})
		if err != nil {
			s.t.Fatal(err)
		}
		if len(messages) == 0 {
			slices.Sort(got)
			return got
		}
		err = s.Store.Update(s.t.Context(), func(tx store.Tx) error {
			for _, m := range messages {
				if err := tx.Ack(m.Lease); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
		for _, m := range messages {
			var i invocation
			if err := json.Unmarshal(m.Body, &i); err != nil {
				s.t.Fatal(err)
			}
			got = append(got, string(i.input("x", 1)))
		}
	}
}

func (s *stage) expect(after time.Duration, want ...string) {
	s.t.Helper()
	s.clock.Add(after)
	if got := s.due(); fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("at %v came %q, not %q", s.clock.Now().Format(timeForm), got, want)
	}
}

func TestTimes(t *testing.T) {
	s := newStage(t)
	s.create("at", "at(2026-03-04T05:10:00)")
	s.create("rate", "rate(5 minutes)")
	s.create("cron", "cron(0/10 * * * ? *)")
	s.create("off", "rate(1 minute)", func(in *api.CreateScheduleInput) { in.State = new("DISABLED") })
	s.create("later", "rate(2 minutes)", func(in *api.CreateScheduleInput) {
		in.StartDate, in.EndDate, in.ActionAfterCompletion = new(start.Add(3*time.Minute)), new(start.Add(6*time.Minute)), new("DELETE")
	})
	s.create("tokyo", "at(2026-03-04T14:10:00)", func(in *api.CreateScheduleInput) {
		in.ScheduleExpressionTimezone, in.ActionAfterCompletion = new("Asia/Tokyo"), new("DELETE")
	})
	s.expect(0, "rate 2026-03-04T05:06:30Z") // a rate begins at once
	s.expect(3*time.Minute, "later 2026-03-04T05:09:30Z")
	s.expect(2*time.Minute, "at 2026-03-04T05:10:00Z", "cron 2026-03-04T05:10:00Z", "later 2026-03-04T05:11:30Z", "rate 2026-03-04T05:11:30Z", "tokyo 2026-03-04T05:10:00Z")
	s.expect(4 * time.Minute)
	for name, there := range map[string]bool{"at": true, "later": false, "tokyo": false} {
		_, err := s.GetSchedule(s.ctx(), &api.GetScheduleInput{Name: &name})
		if there != (err == nil) || err != nil && err.Error() != "ResourceNotFoundException: Schedule "+name+" does not exist." {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.expect(time.Minute, "rate 2026-03-04T05:16:30Z")
}

// TestUpdate changes schedules: one that only says something else goes on, one with another expression
// begins anew, and what came once does not come again.
func TestUpdate(t *testing.T) {
	s := newStage(t)
	s.create("rate", "rate(5 minutes)")
	s.create("at", "at(2026-03-04T05:06:00)") // half a minute ago
	s.expect(0, "at 2026-03-04T05:06:00Z", "rate 2026-03-04T05:06:30Z")
	update := func(name, expression string, change ...func(*api.CreateScheduleInput)) {
		t.Helper()
		if _, err := s.UpdateSchedule(s.ctx(), (*api.UpdateScheduleInput)(input(name, expression, change...))); err != nil {
			t.Fatal(err)
		}
	}
	s.expect(time.Minute)
	update("rate", "rate(5 minutes)", func(in *api.CreateScheduleInput) { in.Description = new("d") })
	update("at", "at(2026-03-04T05:06:00)")
	s.expect(0)
	s.expect(4*time.Minute, "rate 2026-03-04T05:11:30Z")
	update("rate", "rate(2 minutes)")
	s.expect(0, "rate 2026-03-04T05:11:30Z")
	update("rate", "rate(2 minutes)", func(in *api.CreateScheduleInput) { in.State = new("DISABLED") })
	s.expect(time.Hour)
	update("rate", "rate(2 minutes)")
	s.expect(time.Minute, "rate 2026-03-04T06:11:30Z")
	if _, err := s.DeleteSchedule(s.ctx(), &api.DeleteScheduleInput{Name: new("rate")}); err != nil {
		t.Fatal(err)
	}
	s.expect(time.Hour)
}

// TestFlexibleWindow rings somewhere in the window, and counts from the times themselves.
func TestFlexibleWindow(t *testing.T) {
	s := newStage(t)
	s.draw = func(w time.Duration) time.Duration { return w / 2 }
	s.create("f", "rate(10 minutes)", func(in *api.CreateScheduleInput) {
		in.FlexibleTimeWindow = &api.FlexibleTimeWindow{Mode: new("FLEXIBLE"), MaximumWindowInMinutes: new(int32(30))}
	})
	s.expect(14 * time.Minute)
	s.expect(time.Minute, "f 2026-03-04T05:06:30Z")
	s.expect(10*time.Minute, "f 2026-03-04T05:16:30Z")
	s.expect(10*time.Minute, "f 2026-03-04T05:26:30Z")
}

// TestMissed has times pass while nobody is up: the pending one comes late, once, and then the next to come.
func TestMissed(t *testing.T) {
	dir, clock := t.TempDir(), standing.At(start)
	st := open(t, dir)
	s := stageOver(t, st, clock)
	s.create("rate", "rate(5 minutes)")
	s.create("at", "at(2026-03-04T06:00:00)", func(in *api.CreateScheduleInput) { in.ActionAfterCompletion = new("DELETE") })
	s.expect(0, "rate 2026-03-04T05:06:30Z")
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	clock.Add(61 * time.Minute)
	st = open(t, dir)
	defer st.Close()
	s = stageOver(t, st, clock)
	s.expect(0, "at 2026-03-04T06:00:00Z", "rate 2026-03-04T05:11:30Z")
	s.expect(3 * time.Minute)
	s.expect(time.Minute, "rate 2026-03-04T06:11:30Z")
}

// TestModel turns the clock in random steps below the schedules' periods, and compares what comes with what a
// look at every due time says.
func TestModel(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	s := newStage(t)
	s.clock.Add(3*24*time.Hour + 21*time.Hour)
	start := s.clock.Now() // some hours before New York's clocks change
	type one struct {
		name, expression, zone string
		from, until            *time.Time
	}
	var all []one
	for i := range 40 {
		o := one{name: fmt.Sprint("s", i), zone: []string{"UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"}[random.IntN(4)]}
		o.expression = []string{fmt.Sprintf("rate(%d minutes)", 1+random.IntN(90)), fmt.Sprintf("cron(%d/%d * * * ? *)", random.IntN(30), 1+random.IntN(29)),
			fmt.Sprintf("cron(%d %d ? * SUN,MON *)", random.IntN(60), random.IntN(4)), fmt.Sprintf("at(2026-03-08T%02d:%02d:00)", random.IntN(12), random.IntN(60))}[random.IntN(4)]
		if random.IntN(3) == 0 {
			o.from = new(start.Add(time.Duration(random.IntN(200)) * time.Minute))
		}
		if random.IntN(3) == 0 {
			o.until = new(start.Add(time.Duration(201+random.IntN(300)) * time.Minute))
		}
		all = append(all, o)
		s.create(o.name, o.expression, func(in *api.CreateScheduleInput) {
			in.ScheduleExpressionTimezone, in.StartDate, in.EndDate = &o.zone, o.from, o.until
		})
	}
	var got []string
	for end := start.Add(9 * time.Hour); s.clock.Now().Before(end); s.clock.Add(time.Duration(20+random.IntN(41)) * time.Second) {
		got = append(got, s.due()...)
	}
	got = append(got, s.due()...)
	var want []string
	for _, o := range all {
		parsed, err := schedule.Parse(o.expression, o.zone)
		if err != nil {
			t.Fatal(err)
		}
		from := start
		if o.from != nil {
			from = *o.from
		}
		once := strings.HasPrefix(o.expression, "at")
		if once {
			from = start.Add(-lateness)
		}
		for at := parsed.NextByClock(from, from.Add(-time.Nanosecond)); !at.IsZero() && !at.After(s.clock.Now()) && (once || o.until == nil || !at.After(*o.until)); at = parsed.NextByClock(from, at) {
			want = append(want, o.name+" "+at.UTC().Format(timeForm))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("seed %d: %d came, %d were due", seed, len(got), len(want))
		for _, g := range got {
			if !slices.Contains(want, g) {
				t.Errorf("came and was not due: %s", g)
			}
		}
		for _, w := range want {
			if !slices.Contains(got, w) {
				t.Errorf("was due and did not come: %s", w)
			}
		}
	}
}

// TestInvocations delivers, tries again, and gives up.
func TestInvocations(t *testing.T) {
	s := newStage(t)
	busy := awsapi.InternalFailure.New("busy")
	s.board.fails["retried"] = []error{busy, errors.New("a bug")}
	s.board.fails["exhausted"] = []error{busy, busy, busy}
	s.board.fails["gone"] = []error{sqsapi.QueueDoesNotExist.New("gone")}
	s.Start(t.Context())
	defer s.Close()
	for _, name := range []string{"plain", "retried", "exhausted", "gone"} {
		s.create(name, "at(2026-03-04T05:06:30)", func(in *api.CreateScheduleInput) {
			in.Target.Arn, in.Target.Input = new("arn:aws:sqs:us-east-1:000000000000:"+name), new("<aws.scheduler.attempt-number> <aws.scheduler.schedule-arn>")
			in.Target.DeadLetterConfig = &api.DeadLetterConfig{Arn: new("arn:aws:sqs:us-east-1:000000000000:dead")}
			in.Target.RetryPolicy = &api.RetryPolicy{MaximumRetryAttempts: new(int32(2))}
		})
	}
	var got []string
	for range 4 {
		got = append(got, <-s.board.came)
	}
	slices.Sort(got)
	const arn = "arn:aws:scheduler:us-east-1:000000000000:schedule/default/"
	want := []string{
		"dead: 1 " + arn + `gone {"ERROR_CODE":"QueueDoesNotExist","ERROR_MESSAGE":"gone","IS_PAYLOAD_TRUNCATED":"false","RETRY_ATTEMPTS":"0","SCHEDULED_TIME":"2026-03-04T05:06:30Z","SCHEDULE_ARN":"` + arn + `gone","TARGET_ARN":"arn:aws:sqs:us-east-1:000000000000:gone"}`,
		"dead: 3 " + arn + `exhausted {"ERROR_CODE":"InternalFailure","ERROR_MESSAGE":"busy","EXHAUSTED_RETRY_CONDITION":"MaximumRetryAttempts","IS_PAYLOAD_TRUNCATED":"false","RETRY_ATTEMPTS":"2","SCHEDULED_TIME":"2026-03-04T05:06:30Z","SCHEDULE_ARN":"` + arn + `exhausted","TARGET_ARN":"arn:aws:sqs:us-east-1:000000000000:exhausted"}`,
		"plain: 1 " + arn + "plain",
		"retried: 3 " + arn + "retried",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("came\n%s\nnot\n%s", got[i], want[i])
		}
	}
	if !strings.Contains(strings.Join(s.board.sent, "\n"), " as arn:aws:sts::000000000000:assumed-role/r/plain") {
		t.Error(s.board.sent)
	}
}

func TestRefused(t *testing.T) {
	s := newStage(t)
	for want, change := range map[string]func(*api.CreateScheduleInput){
		"Invalid Schedule Expression rate(10 seconds).":                                          func(in *api.CreateScheduleInput) { in.ScheduleExpression = new("rate(10 seconds)") },
		"Invalid Schedule Expression  rate(1 minute).":                                           func(in *api.CreateScheduleInput) { in.ScheduleExpression = new(" rate(1 minute)") },
		"Invalid Schedule Expression at(2021-12-31).":                                            func(in *api.CreateScheduleInput) { in.ScheduleExpression = new("at(2021-12-31)") },
		"Invalid Schedule Expression cron(0 1 * * * *).":                                         func(in *api.CreateScheduleInput) { in.ScheduleExpression = new("cron(0 1 * * * *)") },
		"Invalid ScheduleExpressionTimezone Mars/Olympus.":                                       func(in *api.CreateScheduleInput) { in.ScheduleExpressionTimezone = new("Mars/Olympus") },
		"MaximumWindowInMinutes must be provided when FlexibleTimeWindowMode is set to FLEXIBLE": func(in *api.CreateScheduleInput) { in.FlexibleTimeWindow.Mode = new("FLEXIBLE") },
		"The StartDate you specify must come before the EndDate.":                                func(in *api.CreateScheduleInput) { in.StartDate, in.EndDate = &start, &start },
		"The StartDate you specify cannot be earlier than 5 minutes ago.":                        func(in *api.CreateScheduleInput) { in.StartDate = new(start.Add(-time.Hour)) },
		"Parameters KinesisParameters not supported for the target": func(in *api.CreateScheduleInput) {
			in.Target.KinesisParameters = &api.KinesisParameters{PartitionKey: new("k")}
		},
		"You must provide an input to set this target for your schedule": func(in *api.CreateScheduleInput) {
			in.Target.Arn, in.Target.Input = new("arn:aws:scheduler:::aws-sdk:sqs:sendMessage"), nil
		},
		"The operation GetQueueUrl of sqs is not supported for the target.": func(in *api.CreateScheduleInput) {
			in.Target.Arn, in.Target.Input = new("arn:aws:scheduler:::aws-sdk:sqs:getQueueUrl"), new("{}")
		},
		"JSON syntax error in input for the target": func(in *api.CreateScheduleInput) {
			in.Target.Arn = new("arn:aws:lambda:us-east-1:000000000000:function:f")
		},
		"The target ARN provided does not match the current region us-east-1": func(in *api.CreateScheduleInput) { in.Target.Arn = new("arn:aws:sqs:eu-west-1:000000000000:q") },
		"Provided Arn is not in correct format.":                              func(in *api.CreateScheduleInput) { in.Target.Arn = new("q") },
		"Cirro does not implement targets of the kind ecs:cluster":            func(in *api.CreateScheduleInput) { in.Target.Arn = new("arn:aws:ecs:us-east-1:000000000000:cluster/c") },
		"Schedule group nosuch does not exist.":                               func(in *api.CreateScheduleInput) { in.GroupName = new("nosuch") },
	} {
		_, err := s.CreateSchedule(s.ctx(), input("x", "rate(1 minute)", change))
		var e *awsapi.Error
		if !errors.As(err, &e) || e.Message != want {
			t.Errorf("%v, not %s", err, want)
		}
	}
	s.create("twice", "rate(1 minute)", func(in *api.CreateScheduleInput) { in.ClientToken = new("a") })
	s.create("twice", "rate(1 minute)", func(in *api.CreateScheduleInput) { in.ClientToken = new("a") }) // the same request
	if _, err := s.CreateSchedule(s.ctx(), input("twice", "rate(1 minute)")); !errors.Is(err, api.ConflictException) {
		t.Error(err)
	}
}

// TestGroupIsDeleted deletes a group with more schedules than one transaction takes.
func TestGroupIsDeleted(t *testing.T) {
	s := newStage(t)
	if _, err := s.CreateScheduleGroup(s.ctx(), &api.CreateScheduleGroupInput{Name: new("g")}); err != nil {
		t.Fatal(err)
	}
	for i := range deleteBatch + 5 {
		s.create(fmt.Sprint(i), "rate(1 hour)", func(in *api.CreateScheduleInput) { in.GroupName, in.State = new("g"), new("DISABLED") })
	}
	s.create("stays", "rate(1 hour)", func(in *api.CreateScheduleInput) { in.State = new("DISABLED") })
	if _, err := s.DeleteScheduleGroup(s.ctx(), &api.DeleteScheduleGroupInput{Name: new("g")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateSchedule(s.ctx(), input("late", "rate(1 hour)", func(in *api.CreateScheduleInput) { in.GroupName = new("g") })); !errors.Is(err, api.ConflictException) {
		t.Error(err)
	}
	m, err := s.Store.Receive(t.Context(), groupQueue, store.ReceiveOptions{Max: 1, Lease: time.Minute})
	if err != nil || len(m) != 1 {
		t.Fatal(m, err)
	}
	s.deleteGroup(t.Context(), m[0])
	if _, err := s.GetScheduleGroup(s.ctx(), &api.GetScheduleGroupInput{Name: new("g")}); !errors.Is(err, api.ResourceNotFoundException) {
		t.Error(err)
	}
	left, err := s.ListSchedules(s.ctx(), &api.ListSchedulesInput{})
	if err != nil || len(left.Schedules) != 1 || *left.Schedules[0].Name != "stays" {
		t.Error(left, err)
	}
}
