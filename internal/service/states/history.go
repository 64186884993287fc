package states

import (
	"context"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// GetExecutionHistory lists the events of an execution.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
func (s *Service) GetExecutionHistory(ctx context.Context, in *api.GetExecutionHistoryInput) (*api.GetExecutionHistoryOutput, error) {
	limit := 100
	if in.MaxResults != nil && *in.MaxResults > 0 {
		limit = int(*in.MaxResults)
	}
	from, err := numberOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	data := in.IncludeExecutionData == nil || *in.IncludeExecutionData
	out := &api.GetExecutionHistoryOutput{Events: []api.HistoryEvent{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		run, err := execution(r, *in.ExecutionArn)
		if err != nil {
			return err
		}
		return engine.History(r, run.ID, from, awsapi.Val(in.ReverseOrder), func(e engine.Event) bool {
			if len(out.Events) == limit {
				out.NextToken = new(textOfNumber(e.ID))
				return false
			}
			out.Events = append(out.Events, historyEvent(&e, data))
			return true
		})
	})
	return out, err
}

// historyEvent is an event as the API has it. Without data, inputs, outputs, errors' causes and variables are
// left out.
func historyEvent(e *engine.Event, data bool) api.HistoryEvent {
	v := view{e, data}
	h := api.HistoryEvent{Timestamp: &e.Time, Type: &e.Type, Id: &e.ID, PreviousEventId: &e.Previous}
	switch {
	case strings.HasSuffix(e.Type, "StateEntered"):
		h.StateEnteredEventDetails = &api.StateEnteredEventDetails{Name: &e.Name, Input: v.text(e.Input), InputDetails: v.details()}
	case strings.HasSuffix(e.Type, "StateExited"):
		d := &api.StateExitedEventDetails{Name: &e.Name, Output: v.text(e.Output), OutputDetails: v.details()}
		if len(e.Assigned) > 0 && data {
			d.AssignedVariables, d.AssignedVariablesDetails = e.Assigned, &api.AssignedVariablesDetails{Truncated: new(false)}
		}
		h.StateExitedEventDetails = d
	case strings.HasPrefix(e.Type, "Execution"):
		v.execution(&h)
	case strings.HasPrefix(e.Type, "LambdaFunction"):
		v.function(&h)
	case strings.HasPrefix(e.Type, "Task"):
		v.task(&h)
	case strings.HasPrefix(e.Type, "Activity"):
		v.activity(&h)
	case strings.HasPrefix(e.Type, "Map"):
		v.mapped(&h)
	case e.Type == api.HistoryEventTypeEvaluationFailed:
		h.EvaluationFailedEventDetails = &api.EvaluationFailedEventDetails{State: &e.Name, Error: v.error(), Cause: v.cause(), Location: &e.Location}
	}
	return h
}

// view is an event with or without its data.
type view struct {
	*engine.Event
	data bool
}

func (v view) text(s string) *string {
	if !v.data {
		return nil
	}
	return &s
}

func (v view) details() *api.HistoryEventExecutionDataDetails {
	if !v.data {
		return nil
	}
	return &api.HistoryEventExecutionDataDetails{Truncated: new(false)}
}

func (v view) error() *string {
	if v.Error == "" {
		return nil
	}
	return &v.Error
}

func (v view) cause() *string {
	if v.Cause == "" || !v.data {
		return nil
	}
	return &v.Cause
}

func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func seconds(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

func (v view) credentials() *api.TaskCredentials {
	if v.Role == "" {
		return nil
	}
	return &api.TaskCredentials{RoleArn: &v.Role}
}

func (v view) execution(h *api.HistoryEvent) {
	switch v.Type {
	case api.HistoryEventTypeExecutionStarted:
		h.ExecutionStartedEventDetails = &api.ExecutionStartedEventDetails{Input: v.text(v.Input), InputDetails: v.details(), RoleArn: &v.Role,
			StateMachineAliasArn: some(v.ARN), StateMachineVersionArn: some(v.Name)}
	case api.HistoryEventTypeExecutionSucceeded:
		h.ExecutionSucceededEventDetails = &api.ExecutionSucceededEventDetails{Output: v.text(v.Output), OutputDetails: v.details()}
	case api.HistoryEventTypeExecutionFailed:
		h.ExecutionFailedEventDetails = &api.ExecutionFailedEventDetails{Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeExecutionAborted:
		h.ExecutionAbortedEventDetails = &api.ExecutionAbortedEventDetails{Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeExecutionTimedOut:
		h.ExecutionTimedOutEventDetails = &api.ExecutionTimedOutEventDetails{Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeExecutionRedriven:
		h.ExecutionRedrivenEventDetails = &api.ExecutionRedrivenEventDetails{RedriveCount: new(int32(v.Count))}
	}
}

func (v view) function(h *api.HistoryEvent) {
	switch v.Type {
	case api.HistoryEventTypeLambdaFunctionScheduled:
		h.LambdaFunctionScheduledEventDetails = &api.LambdaFunctionScheduledEventDetails{Resource: &v.Resource, Input: v.text(v.Input),
			InputDetails: v.details(), TimeoutInSeconds: seconds(v.Timeout), TaskCredentials: v.credentials()}
	case api.HistoryEventTypeLambdaFunctionSucceeded:
		h.LambdaFunctionSucceededEventDetails = &api.LambdaFunctionSucceededEventDetails{Output: v.text(v.Output), OutputDetails: v.details()}
	case api.HistoryEventTypeLambdaFunctionFailed:
		h.LambdaFunctionFailedEventDetails = &api.LambdaFunctionFailedEventDetails{Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeLambdaFunctionTimedOut:
		h.LambdaFunctionTimedOutEventDetails = &api.LambdaFunctionTimedOutEventDetails{Error: v.error(), Cause: v.cause()}
	}
}

func (v view) task(h *api.HistoryEvent) {
	switch v.Type {
	case api.HistoryEventTypeTaskScheduled:
		h.TaskScheduledEventDetails = &api.TaskScheduledEventDetails{ResourceType: &v.ResourceType, Resource: &v.Resource, Region: &v.Region,
			Parameters: v.text(v.Input), TimeoutInSeconds: seconds(v.Timeout), HeartbeatInSeconds: seconds(v.Heartbeat), TaskCredentials: v.credentials()}
	case api.HistoryEventTypeTaskStarted:
		h.TaskStartedEventDetails = &api.TaskStartedEventDetails{ResourceType: &v.ResourceType, Resource: &v.Resource}
	case api.HistoryEventTypeTaskSubmitted:
		h.TaskSubmittedEventDetails = &api.TaskSubmittedEventDetails{ResourceType: &v.ResourceType, Resource: &v.Resource, Output: v.text(v.Output), OutputDetails: v.details()}
	case api.HistoryEventTypeTaskSucceeded:
		h.TaskSucceededEventDetails = &api.TaskSucceededEventDetails{ResourceType: &v.ResourceType, Resource: &v.Resource, Output: v.text(v.Output), OutputDetails: v.details()}
	case api.HistoryEventTypeTaskFailed:
		h.TaskFailedEventDetails = &api.TaskFailedEventDetails{ResourceType: &v.ResourceType, Resource: &v.Resource, Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeTaskTimedOut:
		h.TaskTimedOutEventDetails = &api.TaskTimedOutEventDetails{ResourceType: &v.ResourceType, Resource: &v.Resource, Error: v.error(), Cause: v.cause()}
	}
}

func (v view) activity(h *api.HistoryEvent) {
	switch v.Type {
	case api.HistoryEventTypeActivityScheduled:
		h.ActivityScheduledEventDetails = &api.ActivityScheduledEventDetails{Resource: &v.Resource, Input: v.text(v.Input), InputDetails: v.details(),
			TimeoutInSeconds: seconds(v.Timeout), HeartbeatInSeconds: seconds(v.Heartbeat)}
	case api.HistoryEventTypeActivityStarted:
		h.ActivityStartedEventDetails = &api.ActivityStartedEventDetails{WorkerName: some(v.Name)}
	case api.HistoryEventTypeActivitySucceeded:
		h.ActivitySucceededEventDetails = &api.ActivitySucceededEventDetails{Output: v.text(v.Output), OutputDetails: v.details()}
	case api.HistoryEventTypeActivityFailed:
		h.ActivityFailedEventDetails = &api.ActivityFailedEventDetails{Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeActivityTimedOut:
		h.ActivityTimedOutEventDetails = &api.ActivityTimedOutEventDetails{Error: v.error(), Cause: v.cause()}
	}
}

func (v view) mapped(h *api.HistoryEvent) {
	iteration := &api.MapIterationEventDetails{Name: &v.Name, Index: new(int32(v.Index))}
	switch v.Type {
	case api.HistoryEventTypeMapStateStarted:
		h.MapStateStartedEventDetails = &api.MapStateStartedEventDetails{Length: new(int32(v.Length))}
	case api.HistoryEventTypeMapIterationStarted:
		h.MapIterationStartedEventDetails = iteration
	case api.HistoryEventTypeMapIterationSucceeded:
		h.MapIterationSucceededEventDetails = iteration
	case api.HistoryEventTypeMapIterationFailed:
		h.MapIterationFailedEventDetails = iteration
	case api.HistoryEventTypeMapIterationAborted:
		h.MapIterationAbortedEventDetails = iteration
	case api.HistoryEventTypeMapRunStarted:
		h.MapRunStartedEventDetails = &api.MapRunStartedEventDetails{MapRunArn: &v.ARN}
	case api.HistoryEventTypeMapRunFailed:
		h.MapRunFailedEventDetails = &api.MapRunFailedEventDetails{Error: v.error(), Cause: v.cause()}
	case api.HistoryEventTypeMapRunRedriven:
		h.MapRunRedrivenEventDetails = &api.MapRunRedrivenEventDetails{MapRunArn: &v.ARN, RedriveCount: new(int32(v.Count))}
	}
}
