package logs

import (
	"context"
	"errors"
	"slices"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// CreateLogStream makes a stream.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogStream.html
func (s *Service) CreateLogStream(ctx context.Context, in *logs.CreateLogStreamRequest) (*logs.CreateLogStreamOutput, error) {
	err := s.change(ctx, keyOf(ctx, in.LogGroupName), 0, func(c *change) error {
		if c.group == nil {
			return errNoGroup
		}
		_, err := c.stream(*in.LogStreamName)
		if err == nil {
			return errStreamExists
		}
		if !errors.Is(err, errNoStream) {
			return err
		}
		_, err = c.createStream(*in.LogStreamName)
		return err
	})
	return &logs.CreateLogStreamOutput{}, err
}

// DeleteLogStream removes a stream with all its events.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DeleteLogStream.html
func (s *Service) DeleteLogStream(ctx context.Context, in *logs.DeleteLogStreamRequest) (*logs.DeleteLogStreamOutput, error) {
	k := keyOf(ctx, in.LogGroupName)
	var id int64
	err := s.change(ctx, k, 0, func(c *change) error {
		if c.group == nil {
			return errNoGroup
		}
		st, err := c.stream(*in.LogStreamName)
		if err != nil {
			return err
		}
		id = st.ID
		return c.deleteStream(st)
	})
	if err != nil {
		return nil, err
	}
	return &logs.DeleteLogStreamOutput{}, s.sweepStream(ctx, k, id)
}

// DescribeLogStreams lists streams by name or by their last event. Their stored bytes are zero, as
// AWS reports them since 2019.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_DescribeLogStreams.html
func (s *Service) DescribeLogStreams(ctx context.Context, in *logs.DescribeLogStreamsRequest) (*logs.DescribeLogStreamsResponse, error) {
	k, err := identify(ctx, in.LogGroupName, in.LogGroupIdentifier)
	if err != nil {
		return nil, err
	}
	byTime := awsapi.Val(in.OrderBy) == logs.OrderByLastEventTime
	if byTime && in.LogStreamNamePrefix != nil {
		return nil, invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
	}
	out := &logs.DescribeLogStreamsResponse{LogStreams: []logs.LogStream{}}
	err = s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err != nil {
			return err
		}
		var streams []stream
		if byTime {
			streams, out.NextToken, err = recentStreams(r, g.ID, awsapi.Val(in.Descending), in.NextToken, limit(in.Limit))
		} else {
			over := keysBeginning(awsapi.Val(in.LogStreamNamePrefix), kindStream, g.ID)
			over.Reverse = awsapi.Val(in.Descending)
			streams, out.NextToken, err = page[stream](r, kindStream, over, in.NextToken, limit(in.Limit), nil)
		}
		for i := range streams {
			out.LogStreams = append(out.LogStreams, describeStream(k, &streams[i]))
		}
		return err
	})
	return out, err
}

// recentStreams reads a page of streams in order of their last event.
func recentStreams(r store.Reader, group int64, descending bool, token *string, limit int) (streams []stream, next *string, err error) {
	over := keys(kindRecent, group)
	over.Reverse = descending
	if token != nil {
		after, err := parsePageToken(kindRecent, *token)
		if err != nil {
			return nil, nil, err
		}
		if descending {
			over.End = after
		} else {
			over.Start = append(after, 0)
		}
	}
	over.Limit = limit + 1
	var found [][]byte
	for kv, err := range r.Range(over) {
		if err != nil {
			return nil, nil, err
		}
		found = append(found, slices.Clone(kv.Key))
	}
	if len(found) > limit {
		found = found[:limit]
		next = pageToken(kindRecent, found[limit-1])
	}
	for _, k := range found {
		parts, err := store.Split(k)
		if err != nil {
			return nil, nil, err
		}
		name, _ := parts[len(parts)-1].(string)
		st, err := getStream(r, group, name)
		if err != nil {
			return nil, nil, err
		}
		streams = append(streams, *st)
	}
	return streams, next, nil
}

func describeStream(k groupKey, s *stream) logs.LogStream {
	d := logs.LogStream{
		LogStreamName: &s.Name,
		CreationTime:  &s.Created,
		Arn:           new(k.arn() + ":log-stream:" + s.Name),
		StoredBytes:   new(int64(0)),
	}
	if s.Ingested > 0 {
		d.LastIngestionTime = &s.Ingested
		d.UploadSequenceToken = new(sequenceToken)
	}
	if s.Events > 0 {
		d.FirstEventTimestamp = &s.First
		d.LastEventTimestamp = &s.Last
	}
	return d
}
