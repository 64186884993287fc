package applicationautoscaling

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// How a target tracking policy acts: out, when so many points in a row are above the target; in, when so
// many are below a tenth less. A point is a minute's average; a minute without invocations has none.
// https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html#managing-provisioned-concurency
const (
	pointsOut = 3
	pointsIn  = 15
	lowShare  = 0.9
)

// Why an alarm changed nothing.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-scaling-activities.html
const (
	atMaximum = "AlreadyAtMaxCapacity"
	atMinimum = "AlreadyAtMinCapacity"
)

// meter is what a Meter showed.
type meter struct {
	sum     float64
	samples uint64
}

// track makes a point of each policy's metric when a period is over, and acts on it.
func (s *Service) track(ctx context.Context) (next time.Time, err error) {
	policies, err := all[policy](ctx, s, "policy")
	if err != nil || len(policies) == 0 {
		s.nextPoint = time.Time{}
		return time.Time{}, err
	}
	now := s.Clock()
	if now.Before(s.nextPoint) {
		return s.nextPoint, nil
	}
	s.nextPoint = now.Add(s.Period)
	seen := map[string]meter{}
	for _, p := range policies {
		key := string(p.key())
		value, ok := s.point(&p, seen, key)
		if _, known := s.read[key]; known { // or else this is where the first period begins
			err = errors.Join(err, s.judge(ctx, &p, value, ok))
		}
	}
	s.read = seen
	return s.nextPoint, err
}

// point is the average utilisation since the last point.
func (s *Service) point(p *policy, seen map[string]meter, key string) (value float64, ok bool) {
	name, qualifier := p.function()
	var m meter
	m.sum, m.samples = s.Meter.ProvisionedUtilization(p.Account, p.Region, name, qualifier)
	seen[key] = m
	before := s.read[key]
	if m.samples <= before.samples {
		return 0, false
	}
	return (m.sum - before.sum) / float64(m.samples-before.samples), true
}

// judge counts a point, and scales where enough of them say so.
func (s *Service) judge(ctx context.Context, seen *policy, value float64, ok bool) error {
	var p policy
	var t target
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		var found bool
		if p, found, err = store.GetRecord[policy](tx, seen.key()); err != nil || !found {
			return err
		}
		if t, found, err = targetOf(tx, p.resource); err != nil || !found {
			return err
		}
		above, below := p.Above, p.Below
		p.count(value, ok)
		if above == p.Above && below == p.Below {
			return nil
		}
		return store.SetRecord(tx, p.key(), p)
	})
	if err != nil || t.Pending != nil || t.ARN == "" {
		return err
	}
	switch {
	case p.Above >= pointsOut && !t.Out && s.rested(p.LastOut, p.OutCooldown):
		return s.scaleOut(ctx, &p, &t, value)
	case p.Below >= pointsIn && !t.In && !awsapi.Val(p.NoScaleIn) && s.rested(p.LastIn, p.InCooldown) && s.rested(p.LastOut, p.OutCooldown):
		return s.scaleIn(ctx, &p, &t, value)
	}
	return nil
}

// count counts a point, or that there is none.
func (p *policy) count(value float64, ok bool) {
	switch {
	case ok && value > p.Target:
		p.Above, p.Below = min(p.Above+1, pointsOut), 0
	case ok && value < p.Target*lowShare:
		p.Above, p.Below = 0, min(p.Below+1, pointsIn)
	default:
		p.Above, p.Below = 0, 0
	}
	if p.Above == 0 && p.Below == 0 {
		p.Noted = ""
	}
}

// rested says whether a cooldown is over. That of Lambda is 0 where the policy gives none.
// https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html#target-tracking-cooldown
func (s *Service) rested(last time.Time, cooldown *int32) bool {
	return !s.Clock().Before(last.Add(s.scaled(time.Duration(awsapi.Val(cooldown)) * time.Second)))
}

// scaleOut raises the capacity to what would bring the utilisation down to the target.
func (s *Service) scaleOut(ctx context.Context, p *policy, t *target, value float64) error {
	have, err := s.capacityOf(ctx, &t.resource)
	if err != nil || have.gone || have.wanted == 0 || have.status == lambdaapi.ProvisionedConcurrencyStatusEnumInProgress {
		return err
	}
	if have.wanted >= t.Max {
		return s.notScaled(ctx, p, t, have.wanted, atMaximum, t.Max)
	}
	n := min(t.Max, max(have.wanted+1, int(math.Ceil(float64(have.wanted)*value/p.Target))))
	return s.scale(ctx, t, n, p.cause(p.High), p.acted(func(p *policy) { p.LastOut = s.Clock() }))
}

// scaleIn lowers the capacity towards what would bring the utilisation up to the target: a tenth at a
// time, as AWS goes down in small steps.
func (s *Service) scaleIn(ctx context.Context, p *policy, t *target, value float64) error {
	have, err := s.capacityOf(ctx, &t.resource)
	if err != nil || have.gone || have.status == lambdaapi.ProvisionedConcurrencyStatusEnumInProgress {
		return err
	}
	if have.wanted <= t.Min {
		return s.notScaled(ctx, p, t, have.wanted, atMinimum, t.Min)
	}
	step := max(1, have.wanted/10)
	n := max(t.Min, have.wanted-step, int(math.Ceil(float64(have.wanted)*value/p.Target)))
	if n >= have.wanted {
		return nil
	}
	return s.scale(ctx, t, n, p.cause(p.Low), p.acted(func(p *policy) { p.LastIn = s.Clock() }))
}

func (p *policy) cause(alarm string) string {
	return fmt.Sprintf("monitor alarm %s in state ALARM triggered policy %s", alarm, p.Name)
}

// acted notes in the policy's record that it acted.
func (p *policy) acted(note func(*policy)) func(store.Tx) error {
	return func(tx store.Tx) error {
		now, found, err := store.GetRecord[policy](tx, p.key())
		if err != nil || !found {
			return err
		}
		note(&now)
		return store.SetRecord(tx, now.key(), now)
	}
}

// notScaled records that an alarm changed nothing, when it begins.
func (s *Service) notScaled(ctx context.Context, p *policy, t *target, have int, code string, limit int) error {
	if p.Noted == code {
		return nil
	}
	alarm := p.High
	if code == atMinimum {
		alarm = p.Low
	}
	a := newActivity(t.resource, p.cause(alarm), s.Clock(), "Attempting to scale due to alarm triggered")
	a.end(api.ScalingActivityStatusCodeUnfulfilled, s.Clock(), "")
	a.Capacity, a.NotScaled, a.Limit = have, code, limit
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if err := p.acted(func(p *policy) { p.Noted = code })(tx); err != nil {
			return err
		}
		return a.record(tx)
	})
}
