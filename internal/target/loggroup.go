package target

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cirro/internal/awsapi"
	logsapi "cirro/internal/awsapi/logs"

	"github.com/google/uuid"
)

// toLogGroup writes to a stream of the group that belongs to the day, and makes it where it is missing. A
// body of the form {"timestamp": …, "message": …} says both itself.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
func toLogGroup(s *Sender, ctx context.Context, a ARN, l *Letter) ([]byte, error) {
	group := strings.TrimSuffix(strings.TrimPrefix(a.Resource, "log-group:"), ":*")
	at := l.Time
	if at.IsZero() {
		at = s.now()
	}
	entry := logsapi.InputLogEvent{Timestamp: new(at.UnixMilli()), Message: new(string(l.Body))}
	if timestamp, message, ok := templated(l.Body); ok {
		entry.Timestamp, entry.Message = &timestamp, &message
	}
	stream := uuid.NewSHA1(uuid.NameSpaceURL, fmt.Appendf(nil, "%s/%s", l.Target, s.now().UTC().Format("2006-01-02"))).String()
	if l.LogStream != "" {
		stream = l.LogStream
	}
	put := func() error {
		_, err := s.Caller.Call(ctx, l.As, "logs", "PutLogEvents", &logsapi.PutLogEventsRequest{LogGroupName: &group, LogStreamName: &stream,
			LogEvents: []logsapi.InputLogEvent{entry}})
		return err
	}
	err := put()
	if !errors.Is(err, logsapi.ResourceNotFoundException) {
		return nil, err
	}
	_, err = s.Caller.Call(ctx, l.As, "logs", "CreateLogStream", &logsapi.CreateLogStreamRequest{LogGroupName: &group, LogStreamName: &stream})
	if err != nil && !errors.Is(err, logsapi.ResourceAlreadyExistsException) {
		return nil, err
	}
	return nil, put()
}

func templated(body []byte) (timestamp int64, message string, ok bool) {
	var t struct {
		Timestamp *json.Number
		Message   *string
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if d.Decode(&t) != nil || t.Timestamp == nil || t.Message == nil {
		return 0, "", false
	}
	n, err := t.Timestamp.Int64()
	return n, *t.Message, err == nil
}

// marshal is json.Marshal with errors that are nobody's fault but ours.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, awsapi.InternalFailure.New("%v", err)
	}
	return b, nil
}
