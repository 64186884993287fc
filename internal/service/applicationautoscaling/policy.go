package applicationautoscaling

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/applicationautoscaling"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// PutScalingPolicy makes or changes a target tracking policy over the utilisation of provisioned
// concurrency, the one kind that needs no CloudWatch.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_PutScalingPolicy.html
func (s *Service) PutScalingPolicy(ctx context.Context, in *api.PutScalingPolicyRequest) (*api.PutScalingPolicyResponse, error) {
	r, err := resourceOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	var p policy
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := registered(tx, r); err != nil {
			return err
		}
		p = policy{resource: r, Name: *in.PolicyName}
		before, found, err := store.GetRecord[policy](tx, p.key())
		if err != nil {
			return err
		}
		if found {
			p = before
		} else {
			p.create(s)
		}
		if err := p.change(in, found); err != nil {
			return err
		}
		if err := p.checkOnly(tx); err != nil {
			return err
		}
		return store.SetRecord(tx, p.key(), p)
	})
	if err != nil {
		return nil, err
	}
	s.soon()
	return &api.PutScalingPolicyResponse{PolicyARN: &p.ARN, Alarms: p.alarms()}, nil
}

// create names a new policy and its alarms.
func (p *policy) create(s *Service) {
	p.ARN, p.Created = p.arn("scalingPolicy", uuid.NewString(), "policyName", p.Name), s.Clock()
	p.High = "TargetTracking-" + p.ID + "-AlarmHigh-" + uuid.NewString()
	p.Low = "TargetTracking-" + p.ID + "-AlarmLow-" + uuid.NewString()
}

// The least and the greatest target that the metric, a share of the whole, can have.
// https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html#managing-provisioned-concurency
const (
	minTarget = 0.1
	maxTarget = 0.9
)

// change takes over what a request gives, or says what of it is not there.
func (p *policy) change(in *api.PutScalingPolicyRequest, found bool) error {
	kind := awsapi.Val(in.PolicyType)
	if kind == "" && !found {
		kind = api.PolicyTypeStepScaling // AWS's default
	}
	if kind != "" && kind != api.PolicyTypeTargetTrackingScaling {
		return awsapi.NotImplemented.New("Cirro does not implement the policy type %s, which needs CloudWatch: "+
			"there is TargetTrackingScaling", kind)
	}
	c := in.TargetTrackingScalingPolicyConfiguration
	if c == nil {
		if found {
			return nil
		}
		return invalid("TargetTrackingScalingPolicyConfiguration must be specified for the policy type TargetTrackingScaling")
	}
	if err := checkMetric(c); err != nil {
		return err
	}
	if *c.TargetValue < minTarget || *c.TargetValue > maxTarget {
		return invalid("TargetValue must be between %v and %v for %s", minTarget, maxTarget,
			api.MetricTypeLambdaProvisionedConcurrencyUtilization)
	}
	if awsapi.Val(c.ScaleInCooldown) < 0 || awsapi.Val(c.ScaleOutCooldown) < 0 {
		return invalid("Cooldown must be greater than or equal to 0")
	}
	p.Target, p.OutCooldown, p.InCooldown, p.NoScaleIn = *c.TargetValue, c.ScaleOutCooldown, c.ScaleInCooldown, c.DisableScaleIn
	p.Above, p.Below = 0, 0
	return nil
}

// checkMetric refuses every metric but the utilisation of provisioned concurrency.
func checkMetric(c *api.TargetTrackingScalingPolicyConfiguration) error {
	switch {
	case c.CustomizedMetricSpecification != nil && c.PredefinedMetricSpecification != nil:
		return invalid("Only one of PredefinedMetricSpecification and CustomizedMetricSpecification can be specified")
	case c.CustomizedMetricSpecification != nil:
		return awsapi.NotImplemented.New("Cirro does not implement CustomizedMetricSpecification, which needs CloudWatch: "+
			"there is the predefined metric %s", api.MetricTypeLambdaProvisionedConcurrencyUtilization)
	case c.PredefinedMetricSpecification == nil:
		return invalid("A PredefinedMetricSpecification or a CustomizedMetricSpecification must be specified")
	case *c.PredefinedMetricSpecification.PredefinedMetricType != api.MetricTypeLambdaProvisionedConcurrencyUtilization:
		return invalid("Predefined metric type %s is not supported for the service namespace lambda",
			*c.PredefinedMetricSpecification.PredefinedMetricType)
	}
	return nil
}

// checkOnly refuses a second policy over the one metric that there is.
func (p *policy) checkOnly(r store.Reader) error {
	over := store.Prefix("autoscaling", "policy", p.Account, p.Region, p.Namespace, p.ID, p.Dimension)
	for other, err := range store.Records[policy](r, over) {
		if err != nil {
			return err
		}
		if other.Name != p.Name {
			return invalid("Only one TargetTrackingScaling policy for a given metric specification is allowed.")
		}
	}
	return nil
}

// alarms are what the policy is woken by. They are evaluated here, and are no CloudWatch alarms yet.
func (p *policy) alarms() []api.Alarm {
	var alarms []api.Alarm
	for _, name := range []string{p.High, p.Low} {
		alarms = append(alarms, api.Alarm{AlarmName: &name, AlarmARN: new("arn:aws:cloudwatch:" + p.Region + ":" + p.Account + ":alarm:" + name)})
	}
	return alarms
}

// DescribeScalingPolicies lists the policies of a service, or of one resource.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalingPolicies.html
func (s *Service) DescribeScalingPolicies(ctx context.Context, in *api.DescribeScalingPoliciesRequest) (
	out *api.DescribeScalingPoliciesResponse, err error,
) {
	if err := needsID(in.ResourceId, in.ScalableDimension); err != nil {
		return nil, err
	}
	out = &api.DescribeScalingPoliciesResponse{ScalingPolicies: []api.ScalingPolicy{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		policies, next, err := page(r, "policy", ofService(ctx, "policy", *in.ServiceNamespace), in.NextToken, in.MaxResults, policyPage,
			func(p *policy) bool {
				return p.matches(in.ResourceId, in.ScalableDimension) && (len(in.PolicyNames) == 0 || slices.Contains(in.PolicyNames, p.Name))
			})
		for i := range policies {
			out.ScalingPolicies = append(out.ScalingPolicies, policies[i].shown())
		}
		out.NextToken = next
		return err
	})
	return out, err
}

func (p *policy) shown() api.ScalingPolicy {
	return api.ScalingPolicy{
		PolicyARN: &p.ARN, PolicyName: &p.Name, ServiceNamespace: &p.Namespace, ResourceId: &p.ID, ScalableDimension: &p.Dimension,
		PolicyType: new(api.PolicyTypeTargetTrackingScaling), CreationTime: &p.Created, Alarms: p.alarms(),
		TargetTrackingScalingPolicyConfiguration: &api.TargetTrackingScalingPolicyConfiguration{
			TargetValue: &p.Target, ScaleOutCooldown: p.OutCooldown, ScaleInCooldown: p.InCooldown, DisableScaleIn: p.NoScaleIn,
			PredefinedMetricSpecification: &api.PredefinedMetricSpecification{
				PredefinedMetricType: new(api.MetricTypeLambdaProvisionedConcurrencyUtilization)},
		},
	}
}

// DeleteScalingPolicy deletes a policy.
// https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeleteScalingPolicy.html
func (s *Service) DeleteScalingPolicy(ctx context.Context, in *api.DeleteScalingPolicyRequest) (*api.DeleteScalingPolicyResponse, error) {
	r, err := resourceOf(ctx, in.ServiceNamespace, in.ResourceId, in.ScalableDimension)
	if err != nil {
		return nil, err
	}
	p := policy{resource: r, Name: *in.PolicyName}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, found, err := store.GetRecord[policy](tx, p.key()); err != nil || !found {
			return orNotFound(err, "No scaling policy found for %s, policy name: %s", &r, p.Name)
		}
		return tx.Delete(p.key())
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteScalingPolicyResponse{}, nil
}
