package applicationautoscaling

import (
	"errors"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
)

func TestPolicy(t *testing.T) {
	s := newStage(t)
	_, err := s.putPolicy(nil)
	wantError(t, err, api.ObjectNotFoundException, "No scalable target registered for service namespace: lambda, "+
		"resource ID: function:f:live, scalable dimension: lambda:function:ProvisionedConcurrency")
	s.register(1, 10)
	put, err := s.putPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(*put.PolicyARN, ":resource/lambda/function:f:live:policyName/p") || len(put.Alarms) != 2 ||
		!strings.HasPrefix(*put.Alarms[0].AlarmName, "TargetTracking-function:f:live-AlarmHigh-") {
		t.Errorf("%s %+v", *put.PolicyARN, put.Alarms)
	}
	again, err := s.putPolicy(func(in *api.PutScalingPolicyRequest) {
		in.TargetTrackingScalingPolicyConfiguration.TargetValue = new(0.5)
	})
	if err != nil || *again.PolicyARN != *put.PolicyARN || *again.Alarms[1].AlarmARN != *put.Alarms[1].AlarmARN {
		t.Error(again, err)
	}
	_, err = s.putPolicy(func(in *api.PutScalingPolicyRequest) { in.PolicyName = new("other") })
	wantError(t, err, api.ValidationException, "Only one TargetTrackingScaling policy for a given metric specification is allowed.")
	out, err := s.DescribeScalingPolicies(s.ctx, &api.DescribeScalingPoliciesRequest{ServiceNamespace: namespace, PolicyNames: []string{"p"}})
	if err != nil || len(out.ScalingPolicies) != 1 {
		t.Fatal(out, err)
	}
	p := out.ScalingPolicies[0]
	if *p.TargetTrackingScalingPolicyConfiguration.TargetValue != 0.5 || *p.PolicyType != "TargetTrackingScaling" || len(p.Alarms) != 2 {
		t.Errorf("%+v", p)
	}
	remove := &api.DeleteScalingPolicyRequest{PolicyName: new("p"), ServiceNamespace: namespace, ResourceId: resourceID, ScalableDimension: dimension}
	if _, err := s.DeleteScalingPolicy(s.ctx, remove); err != nil {
		t.Fatal(err)
	}
	_, err = s.DeleteScalingPolicy(s.ctx, remove)
	wantError(t, err, api.ObjectNotFoundException, "No scaling policy found for service namespace: lambda, resource ID: function:f:live, "+
		"scalable dimension: lambda:function:ProvisionedConcurrency, policy name: p")
}

func TestPolicyRefused(t *testing.T) {
	s := newStage(t)
	s.register(1, 10)
	for name, c := range map[string]struct {
		change func(*api.PutScalingPolicyRequest)
		kind   *awsapi.ErrorType
	}{
		"step scaling": {func(in *api.PutScalingPolicyRequest) {
			in.PolicyType, in.TargetTrackingScalingPolicyConfiguration = new("StepScaling"), nil
		}, awsapi.NotImplemented},
		"no type, which is step scaling": {func(in *api.PutScalingPolicyRequest) { in.PolicyType = nil }, awsapi.NotImplemented},
		"predictive scaling":             {func(in *api.PutScalingPolicyRequest) { in.PolicyType = new("PredictiveScaling") }, awsapi.NotImplemented},
		"a custom metric": {func(in *api.PutScalingPolicyRequest) {
			c := in.TargetTrackingScalingPolicyConfiguration
			c.PredefinedMetricSpecification, c.CustomizedMetricSpecification = nil, &api.CustomizedMetricSpecification{}
		}, awsapi.NotImplemented},
		"no configuration": {func(in *api.PutScalingPolicyRequest) { in.TargetTrackingScalingPolicyConfiguration = nil }, api.ValidationException},
		"no metric": {func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification = nil
		}, api.ValidationException},
		"another's metric": {func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.PredefinedMetricSpecification.PredefinedMetricType = new("DynamoDBReadCapacityUtilization")
		}, api.ValidationException},
		"too high a target": {func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.TargetValue = new(70.0)
		}, api.ValidationException},
		"a negative cooldown": {func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown = new(int32(-1))
		}, api.ValidationException},
	} {
		if _, err := s.putPolicy(c.change); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// tracked is a stage with a policy of 0.7 between 2 and 20, and 10 environments.
func tracked(t *testing.T, change func(*api.PutScalingPolicyRequest)) *stage {
	t.Helper()
	s := newStage(t)
	s.lambda.set(10, "READY")
	s.register(2, 20)
	if _, err := s.putPolicy(change); err != nil {
		t.Fatal(err)
	}
	s.turns()
	return s
}

func TestScaleOut(t *testing.T) {
	s := tracked(t, nil)
	s.minutes(2, 0.91)
	if s.lambda.has() != 10 {
		t.Fatal("two points were enough")
	}
	s.minutes(1, 0.91)
	if got := s.lambda.has(); got != 13 { // 10 x 0.91 / 0.7
		t.Fatalf("capacity %d", got)
	}
	a := s.activities(false)[0]
	if *a.Description != "Setting desired concurrency to 13." || !strings.HasPrefix(*a.Cause, "monitor alarm TargetTracking-function:f:live-AlarmHigh-") ||
		!strings.HasSuffix(*a.Cause, " in state ALARM triggered policy p") {
		t.Errorf("%s because %s", *a.Description, *a.Cause)
	}
	// A point between interrupts, and a minute without any.
	for _, between := range []float64{0.69, -1} {
		s.minutes(1, 0.5)
		s.minutes(2, 0.9)
		s.minutes(1, between)
		s.minutes(2, 0.9)
		if got := s.lambda.has(); got != 13 {
			t.Errorf("after %v between: capacity %d", between, got)
		}
	}
	// It ends at the maximum, and says so once.
	s.minutes(10, 1)
	if got := s.lambda.has(); got != 20 {
		t.Errorf("capacity %d", got)
	}
	n := 0
	for _, a := range s.activities(true) {
		if a.NotScaledReasons != nil {
			n++
			if r := a.NotScaledReasons[0]; *r.Code != "AlreadyAtMaxCapacity" || *r.MaxCapacity != 20 || *r.CurrentCapacity != 20 {
				t.Errorf("%+v", r)
			}
		}
	}
	if n != 1 || len(s.activities(false)) != len(s.activities(true))-1 {
		t.Errorf("%d activities that did not scale", n)
	}
}

func TestScaleIn(t *testing.T) {
	s := tracked(t, nil)
	s.minutes(14, 0.1)
	if s.lambda.has() != 10 {
		t.Fatal("fourteen points were enough")
	}
	s.minutes(1, 0.1)
	if got := s.lambda.has(); got != 9 {
		t.Fatalf("capacity %d", got)
	}
	s.minutes(30, 0.1)
	if got := s.lambda.has(); got != 2 {
		t.Errorf("at the end: capacity %d", got)
	}
	// Without use there are no points, so that nothing changes.
	s = tracked(t, nil)
	s.minutes(30, -1)
	if got := s.lambda.has(); got != 10 {
		t.Errorf("without use: capacity %d", got)
	}
	// Between the alarms neither acts.
	s.minutes(30, 0.66)
	if got := s.lambda.has(); got != 10 {
		t.Errorf("near the target: capacity %d", got)
	}
}

func TestScalingHeldBack(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*api.PutScalingPolicyRequest)
		suspend api.SuspendedState
		use     float64
		minutes int
		want    int32
	}{
		"no scale-in": {change: func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.DisableScaleIn = new(true)
		}, use: 0.1, minutes: 20, want: 10},
		"in suspended":  {suspend: api.SuspendedState{DynamicScalingInSuspended: new(true)}, use: 0.1, minutes: 20, want: 10},
		"out suspended": {suspend: api.SuspendedState{DynamicScalingOutSuspended: new(true)}, use: 1, minutes: 20, want: 10},
		"out cooldown": {change: func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.ScaleOutCooldown = new(int32(600))
		}, use: 0.75, minutes: 12, want: 11},
		"in cooldown": {change: func(in *api.PutScalingPolicyRequest) {
			in.TargetTrackingScalingPolicyConfiguration.ScaleInCooldown = new(int32(600))
		}, use: 0.1, minutes: 24, want: 9},
	} {
		t.Run(name, func(t *testing.T) {
			s := tracked(t, c.change)
			s.suspend(c.suspend)
			s.minutes(c.minutes, c.use)
			if got := s.lambda.has(); got != c.want {
				t.Errorf("capacity %d, want %d", got, c.want)
			}
		})
	}
}

// While a change is under way, no other begins.
func TestScalingWaits(t *testing.T) {
	s := tracked(t, nil)
	s.minutes(2, 1)
	s.lambda.set(10, "IN_PROGRESS")
	s.minutes(3, 1)
	if got := s.lambda.has(); got != 10 {
		t.Errorf("capacity %d", got)
	}
	s.lambda.set(10, "READY")
	s.minutes(1, 1)
	if got := s.lambda.has(); got != 15 {
		t.Errorf("capacity %d", got)
	}
}

// The points count on after a restart.
func TestScalingOutlivesRestart(t *testing.T) {
	s := tracked(t, nil)
	s.minutes(2, 1)
	s.Close()
	s.restart()
	s.clock.Add(time.Second)
	s.turns() // finds how far the meter is
	s.minutes(1, 1)
	if s.lambda.has() != 15 {
		t.Errorf("capacity %d", s.lambda.has())
	}
}
