package logs

import (
	"context"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// TestMetricFilter says which messages a pattern matches, and what it extracts of them. Events are
// counted from 1.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_TestMetricFilter.html
func (s *Service) TestMetricFilter(_ context.Context, in *logs.TestMetricFilterRequest) (*logs.TestMetricFilterResponse, error) {
	p, err := s.patterns.compile(*in.FilterPattern)
	if err != nil {
		return nil, err
	}
	out := &logs.TestMetricFilterResponse{Matches: []logs.MetricFilterMatchRecord{}}
	for i := range in.LogEventMessages {
		values, ok := p.Extract(in.LogEventMessages[i])
		if ok {
			out.Matches = append(out.Matches, logs.MetricFilterMatchRecord{
				EventNumber: new(int64(i + 1)), EventMessage: &in.LogEventMessages[i], ExtractedValues: values,
			})
		}
	}
	return out, nil
}

// PutMetricFilter is refused: there are no metrics that a filter could record to, and a filter that
// records nothing would only pretend.
func (s *Service) PutMetricFilter(context.Context, *logs.PutMetricFilterRequest) (*logs.PutMetricFilterOutput, error) {
	return nil, awsapi.NotImplemented.New("Cirro does not implement logs.PutMetricFilter: it has no CloudWatch metrics yet that a filter could record to (TestMetricFilter works)")
}

// DescribeMetricFilters lists none, as none can be made.
func (s *Service) DescribeMetricFilters(ctx context.Context, in *logs.DescribeMetricFiltersRequest) (*logs.DescribeMetricFiltersResponse, error) {
	if in.NextToken != nil {
		return nil, errToken
	}
	out := &logs.DescribeMetricFiltersResponse{MetricFilters: []logs.MetricFilter{}}
	if in.LogGroupName == nil {
		return out, nil
	}
	return out, s.store.View(ctx, func(r store.Reader) error {
		_, err := getGroup(r, keyOf(ctx, in.LogGroupName))
		return err
	})
}

// DeleteMetricFilter finds none.
func (s *Service) DeleteMetricFilter(ctx context.Context, in *logs.DeleteMetricFilterRequest) (*logs.DeleteMetricFilterOutput, error) {
	return nil, s.store.View(ctx, func(r store.Reader) error {
		if _, err := getGroup(r, keyOf(ctx, in.LogGroupName)); err != nil {
			return err
		}
		return logs.ResourceNotFoundException.New("The specified metric filter does not exist.")
	})
}
