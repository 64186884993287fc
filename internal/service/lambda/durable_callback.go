package lambda

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"
)

// callbackID names the callback of an operation to whoever is to answer it.
func (s *Service) callbackID(execution string, operation int) string {
	return s.sealed("callback", execution, int64(operation), "")
}

// SendDurableExecutionCallbackSuccess answers a callback.
// https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackSuccess.html
func (s *Service) SendDurableExecutionCallbackSuccess(ctx context.Context, in *api.SendDurableExecutionCallbackSuccessRequest) (
	*api.SendDurableExecutionCallbackSuccessResponse, error,
) {
	var result *string
	if in.Result != nil {
		result = new(string(in.Result))
	}
	return &api.SendDurableExecutionCallbackSuccessResponse{}, s.onCallback(ctx, *in.CallbackId, func(st *durable.Step, n int) error {
		return st.Callback(n, *in.CallbackId, result, nil)
	})
}

// SendDurableExecutionCallbackFailure answers a callback with an error.
// https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackFailure.html
func (s *Service) SendDurableExecutionCallbackFailure(ctx context.Context, in *api.SendDurableExecutionCallbackFailureRequest) (
	*api.SendDurableExecutionCallbackFailureResponse, error,
) {
	failure := in.Error
	if failure == nil {
		failure = &api.ErrorObject{}
	}
	return &api.SendDurableExecutionCallbackFailureResponse{}, s.onCallback(ctx, *in.CallbackId, func(st *durable.Step, n int) error {
		return st.Callback(n, *in.CallbackId, nil, failure)
	})
}

// SendDurableExecutionCallbackHeartbeat says that the answer to a callback is still to come.
// https://docs.aws.amazon.com/lambda/latest/api/API_SendDurableExecutionCallbackHeartbeat.html
func (s *Service) SendDurableExecutionCallbackHeartbeat(ctx context.Context, in *api.SendDurableExecutionCallbackHeartbeatRequest) (
	*api.SendDurableExecutionCallbackHeartbeatResponse, error,
) {
	return &api.SendDurableExecutionCallbackHeartbeatResponse{}, s.onCallback(ctx, *in.CallbackId, func(st *durable.Step, n int) error {
		return st.Heartbeat(n, *in.CallbackId)
	})
}

// onCallback changes the execution that waits for a callback.
func (s *Service) onCallback(ctx context.Context, id string, f func(*durable.Step, int) error) error {
	execution, n, _, ok := s.unsealed("callback", id)
	if !ok {
		return invalid("Invalid callback id")
	}
	account := awsapi.RequestOf(ctx).Account()
	err := s.stepDurable(context.WithoutCancel(ctx), execution, func(_ store.Tx, st *durable.Step) error {
		if st.Account != account {
			return durable.ErrLate
		}
		return f(st, int(n))
	})
	if errors.Is(err, durable.ErrLate) || errors.Is(err, errNoExecution) {
		return api.CallbackTimeoutException.New("The callback is either timed out or already completed").With("Type", "User")
	}
	return err
}
