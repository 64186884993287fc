package states

import (
	"context"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// DescribeExecution tells how an execution stands; of express ones, those of map runs alone.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html
func (s *Service) DescribeExecution(ctx context.Context, in *api.DescribeExecutionInput) (out *api.DescribeExecutionOutput, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		c, err := expressChild(r, *in.ExecutionArn)
		if err != nil {
			return err
		}
		if c != nil {
			out = describe(c.Run, c.Input, c.Output, s.Clock())
			return nil
		}
		run, err := execution(r, *in.ExecutionArn)
		if err != nil {
			return err
		}
		out, err = described(r, run, s.Clock())
		return err
	})
	if err == nil && awsapi.Val(in.IncludedData) == api.IncludedDataMetadataOnly {
		out.Input, out.Output, out.InputDetails, out.OutputDetails, out.Error, out.Cause = nil, nil, nil, nil, nil, nil
	}
	return out, err
}

// getter is what is read of a store.
type getter interface {
	Get(key []byte) ([]byte, error)
}

// described is an execution as the API has it.
func described(r getter, run *engine.Run, now time.Time) (*api.DescribeExecutionOutput, error) {
	input, err := engine.Input(r, run.ID)
	if err != nil {
		return nil, err
	}
	output, err := engine.Output(r, run.ID)
	if err != nil {
		return nil, err
	}
	return describe(run, input, output, now), nil
}

func describe(run *engine.Run, input, output string, now time.Time) *api.DescribeExecutionOutput {
	out := &api.DescribeExecutionOutput{ExecutionArn: &run.ARN, StateMachineArn: &run.Machine, Name: &run.Name, Status: &run.Status,
		StartDate: &run.Started, Input: &input, InputDetails: included(), RedriveCount: new(int32(run.Redrives)), TraceHeader: some(run.Trace),
		StateMachineVersionArn: some(run.Version), StateMachineAliasArn: some(run.Alias), MapRunArn: some(run.MapRun)}
	if !run.Stopped.IsZero() {
		out.StopDate = &run.Stopped
	}
	if run.Redrives > 0 {
		out.RedriveDate = &run.Redriven
	}
	out.RedriveStatus, out.RedriveStatusReason = redriveStatus(run, now)
	if run.Status == engine.Succeeded {
		out.Output, out.OutputDetails = &output, included()
	}
	if run.HasError {
		out.Error, out.Cause = some(run.Error), some(run.Cause)
	}
	return out
}

// redriveStatus says whether an execution can be redriven, or why not.
func redriveStatus(run *engine.Run, now time.Time) (status, reason *string) {
	why := engine.NotRedrivable(run, now)
	switch {
	case why != "":
		return new(api.ExecutionRedriveStatusNotRedrivable), &why
	case run.MapRun != "":
		return new(api.ExecutionRedriveStatusRedrivableByMapRun), nil
	}
	return new(api.ExecutionRedriveStatusRedrivable), nil
}
