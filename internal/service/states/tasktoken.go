package states

import (
	"context"
	"errors"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
)

// SendTaskSuccess gives the result of the task that a token names.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
func (s *Service) SendTaskSuccess(ctx context.Context, in *api.SendTaskSuccessInput) (*api.SendTaskSuccessOutput, error) {
	v, err := document.Decode([]byte(*in.Output))
	if err != nil {
		return nil, api.InvalidOutput.New("Invalid Output: '%v'", err)
	}
	if len(*in.Output) > document.MaxSize { // the model counts characters
		return nil, api.InvalidOutput.New("Invalid Output: 'The output is larger than %d bytes'", document.MaxSize)
	}
	return &api.SendTaskSuccessOutput{}, answered(s.engine.Answer(ctx, *in.TaskToken, string(document.Encode(v)), nil))
}

// SendTaskFailure says that the task that a token names has failed.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskFailure.html
func (s *Service) SendTaskFailure(ctx context.Context, in *api.SendTaskFailureInput) (*api.SendTaskFailureOutput, error) {
	failure := &asl.Failure{Error: awsapi.Val(in.Error), Cause: awsapi.Val(in.Cause)}
	return &api.SendTaskFailureOutput{}, answered(s.engine.Answer(ctx, *in.TaskToken, "", failure))
}

// SendTaskHeartbeat says that the task that a token names is still under way.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskHeartbeat.html
func (s *Service) SendTaskHeartbeat(ctx context.Context, in *api.SendTaskHeartbeatInput) (*api.SendTaskHeartbeatOutput, error) {
	return &api.SendTaskHeartbeatOutput{}, answered(s.engine.Beat(ctx, *in.TaskToken))
}

// answered is the engine's error as the API has it.
func answered(err error) error {
	switch {
	case errors.Is(err, engine.ErrToken):
		return api.InvalidToken.New("Invalid Token: 'Invalid token'")
	case errors.Is(err, engine.ErrLate), errors.Is(err, engine.ErrNoRun):
		return api.TaskTimedOut.New("Task Timed Out: 'Provided task does not exist anymore'")
	}
	return err
}
