package sns

import (
	"context"

	lambdaapi "cirro/internal/awsapi/lambda"
)

// invoke hands a message to a function, which runs later: its failures are the function's to retry.
func (s *Service) invoke(ctx context.Context, sub *subscription, d *delivery, p *papers) error {
	target, _ := parseResource(sub.Endpoint)
	m, err := p.signed(sub.Protocol)
	if err != nil {
		return err
	}
	ctx, who := s.asService(ctx, sub.Topic, target.Region, d.TraceID)
	_, err = s.Caller.Call(ctx, who, "lambda", "Invoke", &lambdaapi.InvocationRequest{
		FunctionName: &sub.Endpoint, InvocationType: new(lambdaapi.InvocationTypeEvent), Payload: m.lambdaEvent(sub)})
	return err
}
