package lambda

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/service/lambda/durable"
	"cirro/internal/store"
)

// GetDurableExecution describes an execution.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecution.html
func (s *Service) GetDurableExecution(ctx context.Context, in *api.GetDurableExecutionRequest) (*api.GetDurableExecutionResponse, error) {
	var out *api.GetDurableExecutionResponse
	err := s.durables.store.View(ctx, func(r store.Reader) error {
		x, err := execution(ctx, r, *in.DurableExecutionArn)
		if err != nil {
			return err
		}
		out = &api.GetDurableExecutionResponse{DurableExecutionArn: in.DurableExecutionArn, DurableExecutionName: &x.Name,
			FunctionArn: new(x.FunctionARN()), Version: &x.Version, Status: &x.Status, StartTimestamp: &x.Start,
			DurableConfig: (&durability{x.Timeout, x.Retention}).shown(), ExecutionDataIncluded: new(data(in.IncludeExecutionData))}
		if !x.End.IsZero() {
			out.EndTimestamp = &x.End
		}
		if x.Trace != "" {
			out.TraceHeader = &api.TraceHeader{XAmznTraceId: &x.Trace}
		}
		if !*out.ExecutionDataIncluded {
			return nil
		}
		input, err := r.Get(inputKey(x.ID))
		if err != nil {
			return err
		}
		out.InputPayload, out.Error = new(string(input)), x.Error
		out.Result, err = outputOf(r, x)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// data reports whether payloads are to be shown, as they are where nothing is said.
func data(include *bool) bool { return include == nil || *include }

// GetDurableExecutionHistory lists what has happened in an execution.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetDurableExecutionHistory.html
func (s *Service) GetDurableExecutionHistory(ctx context.Context, in *api.GetDurableExecutionHistoryRequest) (*api.GetDurableExecutionHistoryResponse, error) {
	at, err := markedAt(in.Marker)
	if err != nil {
		return nil, err
	}
	out := &api.GetDurableExecutionHistoryResponse{Events: []api.Event{}}
	err = s.durables.store.View(ctx, func(r store.Reader) error {
		x, err := execution(ctx, r, *in.DurableExecutionArn)
		if err != nil {
			return err
		}
		sight := durable.Sight{Data: data(in.IncludeExecutionData)}
		if sight.Data {
			input, err := r.Get(inputKey(x.ID))
			if err != nil {
				return err
			}
			sight.Input = new(string(input))
			if sight.Result, err = outputOf(r, x); err != nil {
				return err
			}
		}
		var next int
		out.Events, next, err = history(r, x.ID, at, items(in.MaxItems), awsapi.Val(in.ReverseOrder), sight)
		out.NextMarker = text(stateMarker(next))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// history reads events from a number on, or, where it is 0, from the first; next is where to go on, 0 for nowhere.
func history(r store.Reader, id string, at, limit int, reverse bool, sight durable.Sight) (events []api.Event, next int, err error) {
	over := store.Prefix("durable", "event", id)
	over.Reverse = reverse
	switch {
	case at > 0 && reverse:
		over.End = durableEventKey(id, at+1)
	case at > 0:
		over.Start = durableEventKey(id, at)
	}
	events = []api.Event{}
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, 0, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return nil, 0, err
		}
		n := int(parts[3].(int64))
		if len(events) == limit {
			return events, n, nil
		}
		var e durable.Event
		if err := json.Unmarshal(kv.Value, &e); err != nil {
			return nil, 0, err
		}
		events = append(events, e.View(n, sight))
	}
	return events, 0, nil
}

// StopDurableExecution ends an execution. One that has ended stays as it is.
// https://docs.aws.amazon.com/lambda/latest/api/API_StopDurableExecution.html
func (s *Service) StopDurableExecution(ctx context.Context, in *api.StopDurableExecutionRequest) (*api.StopDurableExecutionResponse, error) {
	var id string
	err := s.durables.store.View(ctx, func(r store.Reader) error {
		x, err := execution(ctx, r, *in.DurableExecutionArn)
		if err == nil {
			id = x.ID
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &api.StopDurableExecutionResponse{}
	err = s.stepDurable(context.WithoutCancel(ctx), id, func(_ store.Tx, st *durable.Step) error {
		if err := st.Stop(in.Error); err != nil {
			return err
		}
		out.StopTimestamp = new(st.End)
		return nil
	})
	if errors.Is(err, errNoExecution) {
		err = noExecution()
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// ListDurableExecutionsByFunction lists a function's executions, the latest first.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListDurableExecutionsByFunction.html
func (s *Service) ListDurableExecutionsByFunction(ctx context.Context, in *api.ListDurableExecutionsByFunctionRequest) (
	*api.ListDurableExecutionsByFunctionResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	out := &api.ListDurableExecutionsByFunctionResponse{DurableExecutions: []api.Execution{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		t, err := lookup(ctx, r, *in.FunctionName, awsapi.Val(in.Qualifier))
		if err != nil {
			return err
		}
		f := executionFilter{in: in}
		if ref.Qualifier != "" {
			f.version = t.Number
		}
		over, err := executionsOver(ref, in)
		if err != nil {
			return err
		}
		out.DurableExecutions, out.NextMarker, err = f.page(r, over)
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// executionsOver is the range of a function's executions that a request asks for.
func executionsOver(ref reference, in *api.ListDurableExecutionsByFunctionRequest) (store.Range, error) {
	of := []any{"durable", "of", ref.Account, ref.Region, ref.Name}
	over := store.Prefix(of...)
	whole := over
	over.Reverse = !awsapi.Val(in.ReverseOrder)
	if t := in.StartedAfter; t != nil {
		over.Start = store.Key(append(of, t.UnixNano()+1)...)
	}
	if t := in.StartedBefore; t != nil {
		over.End = store.Key(append(of, t.UnixNano())...)
	}
	if bytes.Compare(over.Start, over.End) > 0 {
		over.End = over.Start
	}
	if marker := awsapi.Val(in.Marker); marker != "" {
		after, err := base64.RawURLEncoding.DecodeString(marker)
		if err != nil || bytes.Compare(after, whole.Start) < 0 || bytes.Compare(after, whole.End) >= 0 {
			return over, invalid("Invalid Marker")
		}
		over = over.After(after)
	}
	return over, nil
}

// executionFilter is which executions are listed.
type executionFilter struct {
	in      *api.ListDurableExecutionsByFunctionRequest
	version string // "" for all
}

func (f *executionFilter) wants(x *durable.Execution) bool {
	return (f.version == "" || x.Version == f.version) &&
		(f.in.DurableExecutionName == nil || x.Name == *f.in.DurableExecutionName) &&
		(len(f.in.Statuses) == 0 || slices.Contains(f.in.Statuses, x.Status))
}

// page reads one page of the executions of a range.
func (f *executionFilter) page(r store.Reader, over store.Range) (list []api.Execution, marker *string, err error) {
	list = []api.Execution{}
	var last []byte
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, nil, err
		}
		parts, err := store.Split(kv.Key)
		if err != nil {
			return nil, nil, err
		}
		x, found, err := store.GetRecord[durable.Execution](r, executionKey(parts[6].(string)))
		if err != nil {
			return nil, nil, err
		}
		if !found || !f.wants(&x) {
			continue
		}
		if len(list) == items(f.in.MaxItems) {
			return list, new(base64.RawURLEncoding.EncodeToString(last)), nil
		}
		list, last = append(list, executionView(&x)), bytes.Clone(kv.Key)
	}
	return list, nil, nil
}

func executionView(x *durable.Execution) api.Execution {
	v := api.Execution{DurableExecutionArn: new(x.ARN()), DurableExecutionName: &x.Name, FunctionArn: new(x.FunctionARN()),
		Status: &x.Status, StartTimestamp: &x.Start}
	if x.End != (time.Time{}) {
		v.EndTimestamp = &x.End
	}
	return v
}
