package applicationautoscaling

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"
)

// Whatever is asked for, in whatever order, and however often the service stops: in the end the capacity
// is between the bounds, no activity is left under way, and nothing is due but what a schedule says.
func TestHistories(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 3))
			s := newStage(t)
			s.register(1, 5)
			steps := []func(){
				func() { low := r.Int32N(6); s.register(low, low+r.Int32N(6)) },
				func() { s.putPolicy(nil) },
				func() { s.minutes(1+r.IntN(16), float64(r.IntN(11))/10) },
				func() { s.clock.Add(time.Duration(r.IntN(200)) * time.Minute) },
				func() { s.lambda.set(s.lambda.has(), []string{"READY", "IN_PROGRESS", "FAILED"}[r.IntN(3)]) },
				func() { s.lambda.set(r.Int32N(12), "READY") }, // a user's own change
				func() { s.Close(); s.restart() },
				func() {
					s.suspend(api.SuspendedState{DynamicScalingInSuspended: new(r.IntN(2) == 0), ScheduledScalingSuspended: new(r.IntN(2) == 0)})
				},
				func() {
					low := r.Int32N(6)
					schedule := []string{"rate(2 hours)", "cron(7 * * * ? *)", "at(2026-03-04T13:30:00)"}[r.IntN(3)]
					if err := s.putAction(func(in *api.PutScheduledActionRequest) {
						in.ScheduledActionName, in.Schedule = new(fmt.Sprint(r.IntN(3))), &schedule
						in.ScalableTargetAction = &api.ScalableTargetAction{MinCapacity: &low, MaxCapacity: new(low + r.Int32N(4))}
					}); err != nil {
						t.Fatal(err)
					}
				},
				func() { s.turn(s.ctx) },
			}
			for range 60 {
				steps[r.IntN(len(steps))]()
			}
			s.lambda.set(s.lambda.has(), "READY")
			out, err := s.DescribeScalableTargets(s.ctx, &api.DescribeScalableTargetsRequest{ServiceNamespace: namespace})
			if err != nil {
				t.Fatal(err)
			}
			s.register(*out.ScalableTargets[0].MinCapacity, *out.ScalableTargets[0].MaxCapacity)
			next := s.turns()
			if !next.IsZero() && !next.After(s.clock.Now()) {
				t.Errorf("something is still due at %v", next)
			}
			s.checkBounds()
			s.checkActivities()
		})
	}
}

func (s *stage) checkBounds() {
	s.t.Helper()
	targets, err := all[target](s.ctx, s.Service, "target")
	if err != nil || len(targets) != 1 {
		s.t.Fatal(targets, err)
	}
	if has := int(s.lambda.has()); has < targets[0].Min || has > targets[0].Max || targets[0].Unfit != "" || targets[0].Pending != nil {
		s.t.Errorf("capacity %d for %+v", has, targets[0])
	}
}

func (s *stage) checkActivities() {
	s.t.Helper()
	activities, err := all[activity](s.ctx, s.Service, "activity")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, a := range activities {
		if a.Status == "InProgress" || a.End.IsZero() {
			s.t.Errorf("left under way: %+v", a)
		}
	}
}

// A token that nobody gave out is refused, and one that was leads on within its listing.
func FuzzParseToken(f *testing.F) {
	over := store.Prefix("autoscaling", "target", "000000000000", "us-east-1", "lambda")
	key := (&resource{scope{"000000000000", "us-east-1"}, "lambda", "function:f:live", *dimension}).key("target")
	f.Add(newToken("target", key))
	f.Add(newToken("target", []byte("x")))
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		after, err := parseToken("target", token, over)
		if err == nil && (string(after) < string(over.Start) || string(after) >= string(over.End)) {
			t.Fatalf("%q leads to %q", token, after)
		}
	})
}
