package applicationautoscaling

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
)

// capacity is what a resource has.
type capacity struct {
	gone   bool // the function is not there
	wanted int  // environments
	status string
	reason string
}

// capacityOf asks Lambda what a resource has.
func (s *Service) capacityOf(ctx context.Context, r *resource) (capacity, error) {
	name, qualifier := r.function()
	answer, err := s.call(ctx, r, "GetProvisionedConcurrencyConfig",
		&lambdaapi.GetProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &qualifier})
	switch {
	case errors.Is(err, lambdaapi.ProvisionedConcurrencyConfigNotFoundException):
		return capacity{status: lambdaapi.ProvisionedConcurrencyStatusEnumReady}, nil
	case errors.Is(err, lambdaapi.ResourceNotFoundException):
		return capacity{gone: true}, nil
	case err != nil:
		return capacity{}, err
	}
	out := answer.(*lambdaapi.GetProvisionedConcurrencyConfigResponse)
	return capacity{wanted: int(awsapi.Val(out.RequestedProvisionedConcurrentExecutions)),
		status: awsapi.Val(out.Status), reason: awsapi.Val(out.StatusReason)}, nil
}

// setCapacity tells Lambda what a resource is to have.
func (s *Service) setCapacity(ctx context.Context, r *resource, n int) error {
	name, qualifier := r.function()
	if n == 0 {
		_, err := s.call(ctx, r, "DeleteProvisionedConcurrencyConfig",
			&lambdaapi.DeleteProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &qualifier})
		return err
	}
	_, err := s.call(ctx, r, "PutProvisionedConcurrencyConfig", &lambdaapi.PutProvisionedConcurrencyConfigRequest{
		FunctionName: &name, Qualifier: &qualifier, ProvisionedConcurrentExecutions: new(int32(n))})
	return err
}

// call calls Lambda in the role that AWS has for it.
func (s *Service) call(ctx context.Context, r *resource, operation string, in any) (any, error) {
	p := awsapi.Principal{
		Account: r.Account,
		ARN: "arn:aws:sts::" + r.Account + ":assumed-role/AWSServiceRoleForApplicationAutoScaling_LambdaConcurrency/" +
			"AutoScaling-ManageLambdaConcurrency",
		Service: "lambda.application-autoscaling.amazonaws.com",
	}
	ctx = awsapi.WithRequest(ctx, &awsapi.Request{Region: r.Region, Principal: p, Time: s.Clock()})
	return s.Caller.Call(ctx, p, "lambda", operation, in)
}
