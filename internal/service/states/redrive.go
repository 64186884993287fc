package states

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
)

// RedriveExecution goes on with an execution that did not end well.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
func (s *Service) RedriveExecution(ctx context.Context, in *api.RedriveExecutionInput) (*api.RedriveExecutionOutput, error) {
	run, err := s.runBy(ctx, *in.ExecutionArn)
	if err != nil {
		return nil, err
	}
	if run.MapRun != "" {
		return nil, api.ExecutionNotRedrivable.New("Execution is redriven by its Map Run: redrive the execution that began it")
	}
	at, err := s.engine.Redrive(ctx, run.ID, awsapi.Val(in.ClientToken))
	if errors.Is(err, engine.ErrLate) {
		if run, err = s.runBy(ctx, *in.ExecutionArn); err == nil {
			err = api.ExecutionNotRedrivable.New("%s", engine.NotRedrivable(run, s.Clock()))
		}
	}
	if err != nil {
		return nil, err
	}
	return &api.RedriveExecutionOutput{RedriveDate: &at}, nil
}
