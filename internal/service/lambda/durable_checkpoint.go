package lambda

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"
)

// checkpointToken is good for one checkpoint of one invocation.
func (s *Service) checkpointToken(id string, at durable.Place) string {
	return s.sealed("checkpoint", id, at.Sequence, at.Invocation)
}

// placeOf is where a checkpoint token stands in an execution, whose id it returns.
func (s *Service) placeOf(arn, token string) (id string, at durable.Place, err error) {
	id, sequence, invocation, ok := s.unsealed("checkpoint", token)
	switch {
	case !ok:
		return "", at, refusal(durable.ErrToken)
	case id != executionID(arn):
		return "", at, invalid("Checkpoint token is not valid for the durable execution ARN")
	}
	return id, durable.Place{Invocation: invocation, Sequence: sequence}, nil
}

// CheckpointDurableExecution keeps what an execution has come to, before it answers.
// https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html
func (s *Service) CheckpointDurableExecution(ctx context.Context, in *api.CheckpointDurableExecutionRequest) (*api.CheckpointDurableExecutionResponse, error) {
	id, at, err := s.placeOf(*in.DurableExecutionArn, *in.CheckpointToken)
	if err != nil {
		return nil, err
	}
	targets, err := s.targetsOf(ctx, in.Updates)
	if err != nil {
		return nil, refusal(err)
	}
	var out *api.CheckpointDurableExecutionResponse
	err = s.stepDurable(context.WithoutCancel(ctx), id, func(tx store.Tx, st *durable.Step) error {
		st.Targets = targets.known
		st.Call = func(op *durable.Operation, t durable.Target) (string, error) {
			return s.call(tx, st.Execution, op, targets.functions[op.Function])
		}
		reply, err := st.Checkpoint(at, awsapi.Val(in.ClientToken), in.Updates)
		if err != nil {
			return err
		}
		out = &api.CheckpointDurableExecutionResponse{NewExecutionState: &api.CheckpointUpdatedExecutionState{Operations: []api.Operation{}}}
		if reply.Place != nil {
			out.CheckpointToken = new(s.checkpointToken(id, *reply.Place))
		}
		for _, op := range reply.Operations {
			out.NewExecutionState.Operations = append(out.NewExecutionState.Operations, op.View(""))
		}
		return nil
	})
	if errors.Is(err, errNoExecution) {
		err = durable.ErrToken
	}
	if err != nil {
		return nil, refusal(err)
	}
	return out, nil
}

// targets are the functions that updates invoke, by the names that they use.
type targets struct {
	known     map[string]durable.Target
	functions map[string]chainedTarget
}

type chainedTarget struct {
	*route
	*executable
}

// targetsOf finds the functions that updates invoke. What it refuses, the checkpoint is refused for; a function that is
// not there is none of that.
func (s *Service) targetsOf(ctx context.Context, updates []api.OperationUpdate) (t targets, err error) {
	in := scopeOf(ctx)
	for i := range updates {
		o := updates[i].ChainedInvokeOptions
		if *updates[i].Type != api.OperationTypeChainedInvoke || o == nil {
			continue
		}
		if o.TenantId != nil {
			return t, awsapi.NotImplemented.New("Cirro does not isolate the tenants of a function: leave TenantId out")
		}
		if t.known == nil {
			t = targets{map[string]durable.Target{}, map[string]chainedTarget{}}
		}
		ref, err := refer(in, *o.FunctionName, "")
		switch {
		case errors.Is(err, api.ResourceNotFoundException):
			return t, durable.Refusal("Cannot start a CHAINED_INVOKE on a function in another region.")
		case err != nil:
			return t, durable.Refusal("Invalid function ARN '" + *o.FunctionName + "'")
		case ref.Account != in.Account:
			return t, durable.Refusal("Cannot start a CHAINED_INVOKE on a function in another account.")
		}
		r, err := s.route(ctx, in, *o.FunctionName, "")
		if err == nil {
			err = r.durablyNamed("")
		}
		switch {
		case errors.Is(err, api.ResourceNotFoundException) || errors.Is(err, api.InvalidParameterValueException):
			t.known[*o.FunctionName] = durable.Target{Error: errorOf(err)}
			continue
		case err != nil:
			return t, err
		}
		e := r.pick()
		t.known[*o.FunctionName] = durable.Target{Version: e.Number, Durable: e.Durable != nil}
		t.functions[*o.FunctionName] = chainedTarget{r, e}
	}
	return t, nil
}

// call has a function invoked by an execution: one that is durable begins an execution of its own.
func (s *Service) call(tx store.Tx, x *durable.Execution, op *durable.Operation, t chainedTarget) (child string, err error) {
	if t.executable.Durable == nil {
		return "", message{Execution: x.ID, Operation: op.Number}.enqueue(tx, durableCalls, 0)
	}
	next := newExecution(t.executable, t.route.qualifier(), "")
	next.Parent = &durable.Link{Execution: x.ID, Operation: op.Number}
	next.Trace, next.Request = t.trace(s.Clock(), x.Trace), x.Request
	if op.Trace != "" {
		next.Trace = op.Trace
	}
	input := "{}"
	if op.Input != nil {
		input = *op.Input
	}
	return next.ARN(), s.beginDurable(tx, next, []byte(input))
}

// stateMarker is where the operations of a state go on; "" where they do not.
func stateMarker(next int) string {
	if next == 0 {
		return ""
	}
	return base64.StdEncoding.EncodeToString(strconv.AppendInt(nil, int64(next), 10))
}

// markedAt is the number that a marker stands for, 0 for none.
func markedAt(marker *string) (int, error) {
	if awsapi.Val(marker) == "" {
		return 0, nil
	}
	b, err := base64.StdEncoding.DecodeString(*marker)
	n, numberErr := strconv.Atoi(string(b))
	if err != nil || numberErr != nil || n < 1 {
		return 0, invalid("Invalid Marker")
	}
	return n, nil
}

// items is how many of something a page has.
func items(asked *int32) int {
	if n := awsapi.Val(asked); n > 0 {
		return min(int(n), mostItems)
	}
	return defaultItems
}

// GetDurableExecutionState tells a function what it needs of its execution, beyond what its event holds.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecutionState.html
func (s *Service) GetDurableExecutionState(ctx context.Context, in *api.GetDurableExecutionStateRequest) (*api.GetDurableExecutionStateResponse, error) {
	id, at, err := s.placeOf(*in.DurableExecutionArn, *in.CheckpointToken)
	if err != nil {
		return nil, err
	}
	from, err := markedAt(in.Marker)
	if err != nil {
		return nil, err
	}
	out := &api.GetDurableExecutionStateResponse{Operations: []api.Operation{}}
	err = s.durables.store.View(ctx, func(r store.Reader) error {
		x, found, err := store.GetRecord[durable.Execution](r, executionKey(id))
		if err != nil || !found {
			return orMissing(err, durable.ErrToken)
		}
		if err := x.Stands(at); err != nil {
			return err
		}
		input, err := r.Get(inputKey(id))
		if err != nil {
			return err
		}
		ops, next, err := ledger{Reader: r, id: id}.state(from, items(in.MaxItems), mostStateBytes)
		for _, op := range ops {
			out.Operations = append(out.Operations, op.View(string(input)))
		}
		out.NextMarker = text(stateMarker(next))
		return err
	})
	if err != nil {
		return nil, refusal(err)
	}
	return out, nil
}
