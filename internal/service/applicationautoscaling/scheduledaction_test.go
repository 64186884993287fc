package applicationautoscaling

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
)

func TestScheduledAction(t *testing.T) {
	s := newStage(t)
	wantError(t, s.putAction(nil), api.ObjectNotFoundException, "No scalable target registered for service namespace: lambda, "+
		"resource ID: function:f:live, scalable dimension: lambda:function:ProvisionedConcurrency")
	s.register(0, 10)
	if err := s.putAction(nil); err != nil {
		t.Fatal(err)
	}
	if next := s.turns(); !next.Equal(time.Date(2026, 3, 4, 11, 0, 0, 0, time.UTC)) || s.lambda.has() != 0 {
		t.Fatalf("due at %v", next)
	}
	s.clock.Add(time.Hour)
	s.turns()
	if got := s.lambda.has(); got != 4 {
		t.Errorf("capacity %d", got)
	}
	var texts []string
	for _, a := range s.activities(false) {
		texts = append(texts, *a.Cause+": "+*a.Description)
	}
	got := strings.Join(texts, "\n")
	if !strings.Contains(got, "scheduled action name a was triggered: Setting min capacity to 4 and max capacity to 8") ||
		!strings.Contains(got, "minimum capacity was set to 4: Setting desired concurrency to 4.") {
		t.Error(got)
	}
	out, err := s.DescribeScalableTargets(s.ctx, &api.DescribeScalableTargetsRequest{ServiceNamespace: namespace, ResourceIds: []string{*resourceID}})
	if err != nil || *out.ScalableTargets[0].MinCapacity != 4 || *out.ScalableTargets[0].MaxCapacity != 8 {
		t.Error(out, err)
	}
	if next := s.turns(); !next.IsZero() {
		t.Errorf("it is due again at %v", next)
	}
	listed, err := s.DescribeScheduledActions(s.ctx, &api.DescribeScheduledActionsRequest{ServiceNamespace: namespace, ScheduledActionNames: []string{"a"}})
	if err != nil || len(listed.ScheduledActions) != 1 || !strings.Contains(*listed.ScheduledActions[0].ScheduledActionARN,
		":resource/lambda/function:f:live:scheduledActionName/a") {
		t.Error(listed, err)
	}
	remove := &api.DeleteScheduledActionRequest{ScheduledActionName: new("a"), ServiceNamespace: namespace, ResourceId: resourceID, ScalableDimension: dimension}
	if _, err := s.DeleteScheduledAction(s.ctx, remove); err != nil {
		t.Fatal(err)
	}
	_, err = s.DeleteScheduledAction(s.ctx, remove)
	wantError(t, err, api.ObjectNotFoundException, "No scheduled action found for service namespace: lambda, resource ID: function:f:live, "+
		"scalable dimension: lambda:function:ProvisionedConcurrency, scheduled action name: a")
}

// What was due several times while nothing ran runs once at the start, and is then due when its schedule
// says.
func TestActionDueWhileStopped(t *testing.T) {
	for _, schedule := range []string{"at(2026-03-04T11:00:00)", "rate(1 hour)", "cron(0 * * * ? *)"} {
		t.Run(schedule, func(t *testing.T) {
			s := newStage(t)
			s.register(0, 10)
			if err := s.putAction(func(in *api.PutScheduledActionRequest) { in.Schedule = &schedule }); err != nil {
				t.Fatal(err)
			}
			s.turns()
			s.Close()
			s.clock.Add(5*time.Hour + 30*time.Minute)
			s.restart()
			next := s.turns()
			runs := 0
			for _, a := range s.activities(false) {
				if *a.Cause == "scheduled action name a was triggered" {
					runs++
				}
			}
			if runs != 1 || s.lambda.has() != 4 {
				t.Errorf("it ran %d times, capacity %d", runs, s.lambda.has())
			}
			want := time.Date(2026, 3, 4, 16, 0, 0, 0, time.UTC)
			if strings.HasPrefix(schedule, "at") {
				want = time.Time{}
			}
			if !next.Equal(want) {
				t.Errorf("then it is due at %v, want %v", next, want)
			}
		})
	}
}

func TestRecurringAction(t *testing.T) {
	s := newStage(t)
	s.register(0, 20)
	put := func(name, schedule string, low, high int32) {
		t.Helper()
		if err := s.putAction(func(in *api.PutScheduledActionRequest) {
			in.ScheduledActionName, in.Schedule, in.Timezone = &name, &schedule, new("Europe/Berlin")
			in.ScalableTargetAction = &api.ScalableTargetAction{MinCapacity: &low, MaxCapacity: &high}
			in.EndTime = new(time.Date(2026, 3, 6, 0, 0, 0, 0, time.UTC))
		}); err != nil {
			t.Fatal(err)
		}
	}
	put("day", "cron(0 8 * * ? *)", 6, 10)
	put("night", "cron(0 20 * * ? *)", 0, 0)
	var got []int32
	for s.clock.Now().Day() < 8 {
		next := s.turns()
		if next.IsZero() {
			break
		}
		s.clock.Add(next.Sub(s.clock.Now()))
		s.turns()
		got = append(got, s.lambda.has())
	}
	// Until the end: the evening of the 4th, and the 5th.
	if len(got) != 3 || got[0] != 0 || got[1] != 6 || got[2] != 0 {
		t.Errorf("capacities %v", got)
	}
}

func TestActionSuspended(t *testing.T) {
	s := newStage(t)
	s.register(0, 10)
	s.suspend(api.SuspendedState{ScheduledScalingSuspended: new(true)})
	if err := s.putAction(func(in *api.PutScheduledActionRequest) { in.Schedule = new("rate(1 hour)") }); err != nil {
		t.Fatal(err)
	}
	s.clock.Add(2 * time.Hour)
	s.turns()
	if len(s.activities(true)) != 0 {
		t.Error("it ran while suspended")
	}
	s.suspend(api.SuspendedState{ScheduledScalingSuspended: new(false)})
	s.turns()
	s.clock.Add(time.Hour)
	s.turns()
	if s.lambda.has() != 4 {
		t.Error("it did not run when resumed")
	}
}

// An action that contradicts the target fails, and can be seen to.
func TestActionContradicts(t *testing.T) {
	s := newStage(t)
	s.register(5, 10)
	s.turns()
	if err := s.putAction(func(in *api.PutScheduledActionRequest) {
		in.ScalableTargetAction = &api.ScalableTargetAction{MaxCapacity: new(int32(2))}
	}); err != nil {
		t.Fatal(err)
	}
	s.clock.Add(time.Hour)
	s.turns()
	a := s.activities(false)[0]
	if *a.StatusCode != "Failed" || *a.StatusMessage != "Failed to set max capacity to 2. Reason: Maximum capacity cannot be less than minimum capacity" {
		t.Errorf("%s: %s", *a.StatusCode, *a.StatusMessage)
	}
	if s.lambda.has() != 5 {
		t.Error("it scaled")
	}
}

func TestActionChanges(t *testing.T) {
	s := newStage(t)
	s.register(0, 10)
	start, end := s.clock.Now().Add(time.Hour), s.clock.Now().Add(48*time.Hour)
	if err := s.putAction(func(in *api.PutScheduledActionRequest) {
		in.Schedule, in.StartTime, in.EndTime, in.Timezone = new("rate(1 day)"), &start, &end, new("Asia/Tokyo")
	}); err != nil {
		t.Fatal(err)
	}
	if next := s.turns(); !next.Equal(start) {
		t.Errorf("due at %v, want %v", next, start)
	}
	if err := s.putAction(func(in *api.PutScheduledActionRequest) { in.Schedule, in.ScalableTargetAction = nil, nil }); err != nil {
		t.Fatal(err)
	}
	out, err := s.DescribeScheduledActions(s.ctx, &api.DescribeScheduledActionsRequest{ServiceNamespace: namespace, ResourceId: resourceID})
	if err != nil {
		t.Fatal(err)
	}
	a := out.ScheduledActions[0]
	if *a.Schedule != "rate(1 day)" || *a.Timezone != "Asia/Tokyo" || a.StartTime != nil || a.EndTime != nil || *a.ScalableTargetAction.MaxCapacity != 8 {
		t.Errorf("%+v", a)
	}
}

func TestActionRefused(t *testing.T) {
	s := newStage(t)
	s.register(0, 10)
	for name, change := range map[string]func(*api.PutScheduledActionRequest){
		"no schedule":     func(in *api.PutScheduledActionRequest) { in.Schedule = nil },
		"bad schedule":    func(in *api.PutScheduledActionRequest) { in.Schedule = new("cron(0 0 * * * *)") },
		"bad zone":        func(in *api.PutScheduledActionRequest) { in.Timezone = new("Mars/Olympus") },
		"no action":       func(in *api.PutScheduledActionRequest) { in.ScalableTargetAction = nil },
		"an empty action": func(in *api.PutScheduledActionRequest) { in.ScalableTargetAction = &api.ScalableTargetAction{} },
		"upside down": func(in *api.PutScheduledActionRequest) {
			in.ScalableTargetAction = &api.ScalableTargetAction{MinCapacity: new(int32(3)), MaxCapacity: new(int32(2))}
		},
		"end before start": func(in *api.PutScheduledActionRequest) {
			in.StartTime, in.EndTime = new(s.clock.Now()), new(s.clock.Now().Add(-time.Hour))
		},
	} {
		if err := s.putAction(change); !errors.Is(err, api.ValidationException) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := s.putAction(func(in *api.PutScheduledActionRequest) { in.ServiceNamespace = new("ecs") })
	if !errors.Is(err, awsapi.NotImplemented) {
		t.Error(err)
	}
}

// The worker runs what becomes due by itself.
func TestWork(t *testing.T) {
	s := newStage(t)
	s.register(0, 10)
	s.Clock = time.Now
	s.Start(s.ctx)
	for ahead := 2 * time.Second; ; ahead *= 4 { // what is put too late never runs
		at := time.Now().UTC().Add(ahead).Truncate(time.Second)
		if err := s.putAction(func(in *api.PutScheduledActionRequest) {
			in.Schedule = new("at(" + at.Format("2006-01-02T15:04:05") + ")")
		}); err != nil {
			t.Fatal(err)
		}
		if time.Now().Before(at) || s.lambda.has() == 4 {
			break
		}
	}
	for until := time.Now().Add(2 * time.Minute); s.lambda.has() != 4; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it does not run")
		}
	}
}
