package applicationautoscaling

import (
	"errors"
	"regexp"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	lambdaapi "cirro/internal/awsapi/lambda"
)

func TestTarget(t *testing.T) {
	s := newStage(t)
	arn := s.register(2, 10)
	if !regexp.MustCompile(`^arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/[0-9a-f]{32}$`).MatchString(arn) {
		t.Error(arn)
	}
	// What is not given stays.
	if got := s.register(3, 10); got != arn {
		t.Errorf("changed, the target is %s", got)
	}
	s.suspend(api.SuspendedState{ScheduledScalingSuspended: new(true)})
	out, err := s.DescribeScalableTargets(s.ctx, &api.DescribeScalableTargetsRequest{ServiceNamespace: namespace})
	if err != nil || len(out.ScalableTargets) != 1 {
		t.Fatal(out, err)
	}
	got := out.ScalableTargets[0]
	if *got.MinCapacity != 3 || *got.MaxCapacity != 10 || *got.ResourceId != *resourceID || !got.CreationTime.Equal(s.clock.Now()) ||
		!*got.SuspendedState.ScheduledScalingSuspended || *got.SuspendedState.DynamicScalingInSuspended {
		t.Errorf("%+v", got)
	}
	if _, err := s.DeregisterScalableTarget(s.ctx, &api.DeregisterScalableTargetRequest{ServiceNamespace: namespace, ResourceId: resourceID, ScalableDimension: dimension}); err != nil {
		t.Fatal(err)
	}
	_, err = s.DeregisterScalableTarget(s.ctx, &api.DeregisterScalableTargetRequest{ServiceNamespace: namespace, ResourceId: resourceID, ScalableDimension: dimension})
	wantError(t, err, api.ObjectNotFoundException, "No scalable target found for service namespace: lambda, resource ID: function:f:live, "+
		"scalable dimension: lambda:function:ProvisionedConcurrency")
}

func TestTargetRefused(t *testing.T) {
	s := newStage(t)
	register := func(namespace, id, dimension string, low, high *int32) error {
		_, err := s.RegisterScalableTarget(s.ctx, &api.RegisterScalableTargetRequest{ServiceNamespace: &namespace, ResourceId: &id,
			ScalableDimension: &dimension, MinCapacity: low, MaxCapacity: high})
		return err
	}
	one, two := new(int32(1)), new(int32(2))
	const unsupported = "Unsupported service namespace, resource type or scalable dimension"
	for _, c := range []struct {
		namespace, id, dimension string
		low, high                *int32
		kind                     *awsapi.ErrorType
		want                     string
	}{
		{"dynamodb", "table/t", "dynamodb:table:ReadCapacityUnits", one, two, awsapi.NotImplemented, "Cirro does not implement scaling of dynamodb: " +
			"Application Auto Scaling is there for the service namespace lambda alone"},
		{"lambda", "function:f", *dimension, one, two, api.ValidationException, unsupported},
		{"lambda", "function:f:$LATEST", *dimension, one, two, api.ValidationException, unsupported},
		{"lambda", "f:live", *dimension, one, two, api.ValidationException, unsupported},
		{"lambda", *resourceID, "dynamodb:table:ReadCapacityUnits", one, two, api.ValidationException, unsupported},
		{"lambda", *resourceID, *dimension, two, one, api.ValidationException, "Maximum capacity cannot be less than minimum capacity"},
		{"lambda", *resourceID, *dimension, new(int32(-1)), one, api.ValidationException, "Minimum and maximum capacity must be greater than or equal to 0"},
		{"lambda", *resourceID, *dimension, one, nil, api.ValidationException, "Minimum capacity and maximum capacity must be specified when registering a new scalable target"},
	} {
		wantError(t, register(c.namespace, c.id, c.dimension, c.low, c.high), c.kind, c.want)
	}
}

// A capacity outside of the bounds is brought between them, and what became of that can be seen.
func TestFit(t *testing.T) {
	for name, c := range map[string]struct {
		has, low, high int32
		want           []int32
		cause          string
	}{
		"none yet":  {0, 3, 10, []int32{3}, "minimum capacity was set to 3"},
		"too few":   {1, 3, 10, []int32{3}, "minimum capacity was set to 3"},
		"too many":  {20, 3, 10, []int32{10}, "maximum capacity was set to 10"},
		"within":    {5, 3, 10, nil, ""},
		"down to 0": {5, 0, 0, []int32{0}, "maximum capacity was set to 0"},
		"nothing":   {0, 0, 10, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.lambda.set(c.has, "IN_PROGRESS")
			s.register(c.low, c.high)
			next := s.turns()
			if len(s.lambda.asked) != len(c.want) || len(c.want) > 0 && s.lambda.asked[0] != c.want[0] {
				t.Fatalf("capacity was set to %v, want %v", s.lambda.asked, c.want)
			}
			if c.want == nil {
				if a := s.activities(true); len(a) != 0 || !next.IsZero() {
					t.Errorf("%+v, next %v", a, next)
				}
				return
			}
			a := s.activities(false)
			if len(a) != 1 || *a[0].Cause != c.cause {
				t.Fatalf("%+v", a)
			}
			if c.want[0] > 0 {
				if *a[0].StatusCode != "InProgress" || next.IsZero() {
					t.Errorf("%s, next %v", *a[0].StatusCode, next)
				}
				s.lambda.set(c.want[0], "READY")
				s.turns()
				a = s.activities(false)
			}
			if *a[0].StatusCode != "Successful" || a[0].EndTime == nil {
				t.Errorf("%s", *a[0].StatusCode)
			}
			if next := s.turns(); !next.IsZero() {
				t.Errorf("then something is due at %v", next)
			}
		})
	}
}

func TestActivity(t *testing.T) {
	s := newStage(t)
	s.register(3, 10)
	s.lambda.set(0, "IN_PROGRESS")
	s.turns()
	a := s.activities(false)[0]
	if *a.Description != "Setting desired concurrency to 3." ||
		*a.StatusMessage != "Successfully set desired concurrency to 3. Waiting for change to be fulfilled by lambda." || a.EndTime != nil {
		t.Errorf("%s %s %v", *a.Description, *a.StatusMessage, a.EndTime)
	}
	s.lambda.set(3, "READY")
	s.turns()
	if a = s.activities(false)[0]; *a.StatusMessage != "Successfully set desired concurrency to 3. Change successfully fulfilled by lambda." {
		t.Error(*a.StatusMessage)
	}
	// What Lambda fails to do, or refuses.
	s.lambda.set(3, "FAILED")
	s.clock.Add(time.Second)
	s.register(4, 10)
	s.turns()
	if a = s.activities(false)[0]; *a.StatusCode != "Unfulfilled" || *a.StatusMessage != "Successfully set desired concurrency to 4. "+
		"Change failed to be fulfilled by lambda. Reason: FUNCTION_ERROR_INIT_FAILURE" {
		t.Errorf("%s: %s", *a.StatusCode, *a.StatusMessage)
	}
	s.clock.Add(time.Second)
	s.lambda.refuse = lambdaapi.InvalidParameterValueException.New("too much")
	s.register(5, 10)
	s.turns()
	if a = s.activities(false)[0]; *a.StatusCode != "Failed" || *a.StatusMessage != "Failed to set desired concurrency to 5. Reason: too much" {
		t.Errorf("%s: %s", *a.StatusCode, *a.StatusMessage)
	}
	// Six weeks later they are gone.
	s.lambda.refuse = nil
	s.clock.Add(7 * 7 * 24 * time.Hour)
	if n := len(s.activities(true)); n != 0 {
		t.Errorf("%d activities are seen", n)
	}
	s.register(6, 10)
	s.turns()
	if kept, err := all[activity](s.ctx, s.Service, "activity"); err != nil || len(kept) != 1 {
		t.Errorf("%d activities are kept, %v", len(kept), err)
	}
}

// An activity that is overtaken ends, by another one or because its target goes.
func TestOverriddenActivity(t *testing.T) {
	s := newStage(t)
	s.register(3, 10)
	s.lambda.set(0, "IN_PROGRESS")
	s.turns()
	s.clock.Add(time.Second)
	s.register(4, 10)
	s.turns()
	a := s.activities(false)
	if len(a) != 2 || *a[0].StatusCode != "InProgress" || *a[1].StatusCode != "Overridden" || a[1].EndTime == nil {
		t.Fatalf("%+v", a)
	}
	if _, err := s.DeregisterScalableTarget(s.ctx, &api.DeregisterScalableTargetRequest{ServiceNamespace: namespace, ResourceId: resourceID, ScalableDimension: dimension}); err != nil {
		t.Fatal(err)
	}
	if a = s.activities(false); *a[0].StatusCode != "Overridden" {
		t.Error(*a[0].StatusCode)
	}
	// As does one that a user undoes.
	s.lambda.set(9, "READY")
	s.register(10, 10)
	s.lambda.set(9, "IN_PROGRESS")
	s.turns()
	s.lambda.set(1, "READY")
	s.turns()
	if a = s.activities(false); *a[0].StatusCode != "Overridden" {
		t.Error(*a[0].StatusCode)
	}
}

// A target of a function that is not there waits, and changes nothing.
func TestMissingFunction(t *testing.T) {
	s := newStage(t)
	s.lambda.missing = true
	s.register(3, 10)
	if next := s.turns(); !next.IsZero() || len(s.lambda.asked) != 0 || len(s.activities(true)) != 0 {
		t.Errorf("next %v, asked %v", next, s.lambda.asked)
	}
}

func TestTags(t *testing.T) {
	s := newStage(t)
	arn := s.register(1, 2)
	if _, err := s.TagResource(s.ctx, &api.TagResourceRequest{ResourceARN: &arn, Tags: map[string]string{"a": "1", "b": "2"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.UntagResource(s.ctx, &api.UntagResourceRequest{ResourceARN: &arn, TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	out, err := s.ListTagsForResource(s.ctx, &api.ListTagsForResourceRequest{ResourceARN: &arn})
	if err != nil || len(out.Tags) != 1 || out.Tags["b"] != "2" {
		t.Error(out, err)
	}
	_, err = s.TagResource(s.ctx, &api.TagResourceRequest{ResourceARN: &arn, Tags: map[string]string{"aws:x": ""}})
	wantError(t, err, api.ValidationException, "Tag keys that begin with aws: are reserved")
	_, err = s.ListTagsForResource(s.ctx, &api.ListTagsForResourceRequest{ResourceARN: new(arn + "0")})
	wantError(t, err, api.ResourceNotFoundException, "The specified resource doesn't exist.")
}

func TestPages(t *testing.T) {
	s := newStage(t)
	s.register(1, 9)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		if err := s.putAction(func(in *api.PutScheduledActionRequest) { in.ScheduledActionName = &name }); err != nil {
			t.Fatal(err)
		}
	}
	var got string
	in := &api.DescribeScheduledActionsRequest{ServiceNamespace: namespace, MaxResults: new(int32(2))}
	for {
		out, err := s.DescribeScheduledActions(s.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range out.ScheduledActions {
			got += *a.ScheduledActionName
		}
		if got += "|"; out.NextToken == nil {
			break
		}
		in.NextToken = out.NextToken
	}
	if got != "ab|cd|e|" {
		t.Error(got)
	}
	_, err := s.DescribeScheduledActions(s.ctx, &api.DescribeScheduledActionsRequest{ServiceNamespace: namespace, NextToken: new("x")})
	if !errors.Is(err, api.InvalidNextTokenException) {
		t.Error(err)
	}
	_, err = s.DescribeScalingPolicies(s.ctx, &api.DescribeScalingPoliciesRequest{ServiceNamespace: namespace, MaxResults: new(int32(11))})
	wantError(t, err, api.ValidationException, "MaxResults must be between 1 and 10")
}
