package applicationautoscaling

import (
	"context"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// RegisterScalableTarget makes or changes a scalable target. Its capacity is then brought between its
// minimum and its maximum, in the background.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_RegisterScalableTarget.html
func (s *Service) RegisterScalableTarget(ctx context.Context, in *api.RegisterScalableTargetRequest) (*api.RegisterScalableTargetResponse, error) {
	r, err := resourceOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	var t target
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		var found bool
		if t, found, err = targetOf(tx, r); err != nil {
			return err
		}
		switch {
		case !found && (in.MinCapacity == nil || in.MaxCapacity == nil):
			return invalid("Minimum capacity and maximum capacity must be specified when registering a new scalable target")
		case found && len(in.Tags) > 0:
			return invalid("Tags can only be specified when registering a new scalable target; use TagResource instead")
		case !found:
			t = target{resource: r, ARN: newTargetARN(r.scope), Created: s.Clock(), Role: serviceRole(r.scope), Tags: in.Tags}
		}
		if err := t.change(in); err != nil {
			return err
		}
		return store.SetRecord(tx, t.key(), t)
	})
	if err != nil {
		return nil, err
	}
	s.soon()
	return &api.RegisterScalableTargetResponse{ScalableTargetARN: &t.ARN}, nil
}

// change takes over what a request gives.
func (t *target) change(in *api.RegisterScalableTargetRequest) error {
	if err := checkTags(in.Tags); err != nil {
		return err
	}
	if err := t.bound(in.MinCapacity, in.MaxCapacity); err != nil {
		return err
	}
	if in.SuspendedState != nil {
		set(&t.In, in.SuspendedState.DynamicScalingInSuspended)
		set(&t.Out, in.SuspendedState.DynamicScalingOutSuspended)
		set(&t.Scheduled, in.SuspendedState.ScheduledScalingSuspended)
	}
	return nil
}

// bound sets the bounds of the capacity, as far as they are given, so that it will be brought between.
func (t *target) bound(low, high *int32) error {
	if low != nil {
		t.Min = int(*low)
	}
	if high != nil {
		t.Max = int(*high)
	}
	switch {
	case t.Min < 0 || t.Max < 0:
		return invalid("Minimum and maximum capacity must be greater than or equal to 0")
	case t.Max < t.Min:
		return invalid("Maximum capacity cannot be less than minimum capacity")
	}
	t.Unfit = uuid.NewString()
	return nil
}

func set[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

func newTargetARN(in scope) string {
	return "arn:aws:application-autoscaling:" + in.Region + ":" + in.Account + ":scalable-target/" +
		strings.ReplaceAll(uuid.NewString(), "-", "")
}

// serviceRole is the role that capacity is changed in. A role that the caller gives is not used, as on AWS.
// https://docs.aws.amazon.com/autoscaling/application/userguide/application-auto-scaling-service-linked-roles.html
func serviceRole(in scope) string {
	return "arn:aws:iam::" + in.Account + ":role/aws-service-role/lambda.application-autoscaling.amazonaws.com/" +
		"AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency"
}

// DescribeScalableTargets lists the scalable targets of a service, or those of some resources.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html
func (s *Service) DescribeScalableTargets(ctx context.Context, in *api.DescribeScalableTargetsRequest) (
	out *api.DescribeScalableTargetsResponse, err error,
) {
	if in.ScalableDimension != nil && len(in.ResourceIds) == 0 {
		return nil, invalid("ResourceIds must be specified when ScalableDimension is specified")
	}
	out = &api.DescribeScalableTargetsResponse{ScalableTargets: []api.ScalableTarget{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		targets, next, err := page(r, "target", ofService(ctx, "target", *in.ServiceNamespace), in.NextToken, in.MaxResults, defaultPage,
			func(t *target) bool {
				return (len(in.ResourceIds) == 0 || slices.Contains(in.ResourceIds, t.ID)) &&
					(in.ScalableDimension == nil || *in.ScalableDimension == t.Dimension)
			})
		for i := range targets {
			out.ScalableTargets = append(out.ScalableTargets, targets[i].shown())
		}
		out.NextToken = next
		return err
	})
	return out, err
}

func (t *target) shown() api.ScalableTarget {
	return api.ScalableTarget{
		ServiceNamespace: &t.Namespace, ResourceId: &t.ID, ScalableDimension: &t.Dimension,
		MinCapacity: new(int32(t.Min)), MaxCapacity: new(int32(t.Max)), RoleARN: &t.Role,
		CreationTime: &t.Created, ScalableTargetARN: &t.ARN,
		SuspendedState: &api.SuspendedState{DynamicScalingInSuspended: &t.In, DynamicScalingOutSuspended: &t.Out,
			ScheduledScalingSuspended: &t.Scheduled},
	}
}

// DeregisterScalableTarget removes a scalable target with its policies and scheduled actions. The
// capacity stays as it is.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
func (s *Service) DeregisterScalableTarget(ctx context.Context, in *api.DeregisterScalableTargetRequest) (*api.DeregisterScalableTargetResponse, error) {
	r, err := resourceOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		t, found, err := targetOf(tx, r)
		if err != nil || !found {
			return orNotFound(err, "No scalable target found for %s", &r)
		}
		if err := override(tx, t.Pending, s.Clock()); err != nil { // nobody would see it through
			return err
		}
		for _, kind := range []string{"target", "policy", "action"} {
			over := store.Prefix("autoscaling", kind, r.Account, r.Region, r.Namespace, r.ID, r.Dimension)
			if err := tx.DeleteRange(over.Start, over.End); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeregisterScalableTargetResponse{}, nil
}

// orNotFound is err, or where there is none the error for what is not there.
func orNotFound(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return api.ObjectNotFoundException.New(format, args...)
}

// registered reads the scalable target that a policy or an action is to belong to.
func registered(r store.Reader, of resource) (target, error) {
	t, found, err := targetOf(r, of)
	if err != nil || !found {
		return t, orNotFound(err, "No scalable target registered for %s", &of)
	}
	return t, nil
}

// ofService is the range of a service's records of one kind.
func ofService(ctx context.Context, kind, namespace string) store.Range {
	in := scopeOf(ctx)
	return store.Prefix("autoscaling", kind, in.Account, in.Region, namespace)
}

// matches says whether a record belongs to the resource that a request names, if it names one.
func (r *resource) matches(id, dimension *string) bool {
	return (id == nil || *id == r.ID) && (dimension == nil || *dimension == r.Dimension)
}

// needsID refuses a dimension without a resource.
func needsID(id, dimension *string) error {
	if awsapi.Val(id) == "" && dimension != nil {
		return invalid("ResourceId must be specified when ScalableDimension is specified")
	}
	return nil
}
