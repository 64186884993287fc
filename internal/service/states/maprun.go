package states

import (
	"context"
	"errors"
	"strings"

	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// mapRun finds the map run that an ARN names.
func mapRun(r store.Reader, arn string) (*engine.MapRun, error) {
	res, err := parseARN(arn, "mapRun")
	if err != nil {
		return nil, err
	}
	_, id := res.split()
	m, err := engine.FindMapRun(r, id)
	if errors.Is(err, engine.ErrNoMapRun) || err == nil && m.ARN != arn {
		return nil, api.ResourceNotFound.New("Resource not found: '%s'", arn).With("resourceName", arn)
	}
	return m, err
}

// DescribeMapRun tells how a map run stands.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeMapRun.html
func (s *Service) DescribeMapRun(ctx context.Context, in *api.DescribeMapRunInput) (out *api.DescribeMapRunOutput, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		m, err := mapRun(r, *in.MapRunArn)
		if err != nil {
			return err
		}
		parent, err := engine.Find(r, m.Parent.Run)
		if err != nil {
			return err
		}
		out = &api.DescribeMapRunOutput{MapRunArn: &m.ARN, ExecutionArn: &parent.ARN, Status: &m.Status, StartDate: &m.Started,
			MaxConcurrency: new(int32(m.MaxConcurrency)), ToleratedFailureCount: &m.ToleratedCount,
			ToleratedFailurePercentage: new(float32(m.ToleratedPercent)), RedriveCount: new(int32(m.Redrives))}
		if !m.Stopped.IsZero() {
			out.StopDate = &m.Stopped
		}
		if m.Redrives > 0 {
			out.RedriveDate = &m.Redriven
		}
		c, i := &m.Executed, &m.Items
		zero := new(int64(0))
		total := func(c *engine.Counts, pending int64) *int64 {
			return new(c.Running + c.Succeeded + c.Unwell() + pending)
		}
		out.ExecutionCounts = &api.MapRunExecutionCounts{Pending: zero, Running: &c.Running, Succeeded: &c.Succeeded, Failed: &c.Failed, TimedOut: &c.TimedOut,
			Aborted: &c.Aborted, Total: total(c, m.Pending), ResultsWritten: &m.Written, FailuresNotRedrivable: &m.NotRedrivable, PendingRedrive: &m.Pending}
		out.ItemCounts = &api.MapRunItemCounts{Pending: zero, Running: &i.Running, Succeeded: &i.Succeeded, Failed: &i.Failed, TimedOut: &i.TimedOut,
			Aborted: &i.Aborted, Total: total(i, m.PendingItems), ResultsWritten: &m.Written, FailuresNotRedrivable: &m.LostItems, PendingRedrive: &m.PendingItems}
		return nil
	})
	return out, err
}

// ListMapRuns lists the map runs of an execution.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListMapRuns.html
func (s *Service) ListMapRuns(ctx context.Context, in *api.ListMapRunsInput) (*api.ListMapRunsOutput, error) {
	out := &api.ListMapRunsOutput{MapRuns: []api.MapRunListItem{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		run, err := execution(r, *in.ExecutionArn)
		if err != nil {
			return err
		}
		_, limit, err := pageOf(store.Range{}, nil, in.MaxResults)
		if err != nil {
			return err
		}
		from, err := numberOf(in.NextToken)
		if err != nil {
			return err
		}
		ids, err := engine.MapRuns(r, run.ID)
		if err != nil {
			return err
		}
		for i, id := range ids[min(from, int64(len(ids))):] {
			if i == limit {
				out.NextToken = new(textOfNumber(from + int64(i)))
				break
			}
			m, err := engine.FindMapRun(r, id)
			if err != nil {
				return err
			}
			item := api.MapRunListItem{ExecutionArn: &run.ARN, MapRunArn: &m.ARN, StateMachineArn: &m.Run.Machine, StartDate: &m.Started}
			if !m.Stopped.IsZero() {
				item.StopDate = &m.Stopped
			}
			out.MapRuns = append(out.MapRuns, item)
		}
		return nil
	})
	return out, err
}

// UpdateMapRun changes the bounds of a map run while it runs.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateMapRun.html
func (s *Service) UpdateMapRun(ctx context.Context, in *api.UpdateMapRunInput) (*api.UpdateMapRunOutput, error) {
	if in.MaxConcurrency == nil && in.ToleratedFailureCount == nil && in.ToleratedFailurePercentage == nil {
		return nil, api.ValidationException.New("At least one of MaxConcurrency, ToleratedFailureCount and ToleratedFailurePercentage must be specified")
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		m, err := mapRun(tx, *in.MapRunArn)
		if err != nil {
			return err
		}
		var concurrency *int64
		if in.MaxConcurrency != nil {
			concurrency = new(int64(*in.MaxConcurrency))
		}
		var percent *float64
		if in.ToleratedFailurePercentage != nil {
			percent = new(float64(*in.ToleratedFailurePercentage))
		}
		return s.engine.Tune(tx, m.ID, concurrency, in.ToleratedFailureCount, percent)
	})
	return &api.UpdateMapRunOutput{}, err
}

// expressChild finds an express execution of a map run by its ARN, which ends with the map run's id; nil for any other.
func expressChild(r store.Reader, arn string) (found *engine.Child, err error) {
	res, err := parseARN(arn, "execution", "express")
	if err != nil || res.Kind != "express" {
		return nil, err
	}
	id := arn[strings.LastIndexByte(arn, ':')+1:]
	err = engine.Children(r, id, 0, func(c *engine.Child) (bool, error) {
		if c.Run.ARN == arn {
			found = c
		}
		return found == nil, nil
	})
	if found != nil && found.Run.Status == "" {
		found.Run.Status = engine.Running
	}
	return found, err
}
