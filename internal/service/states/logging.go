package states

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	logsapi "cirro/internal/awsapi/logs"
	api "cirro/internal/awsapi/states"
	"cirro/internal/courier"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
	"github.com/google/uuid"
)

// logAttempts is how often events are tried to be logged: a group that is gone takes none.
const logAttempts = 5

// logOf is what an execution logs by its machine's configuration; nil for nothing.
func logOf(c *api.LoggingConfiguration) *engine.Logging {
	if c == nil || awsapi.Val(c.Level) == "" || *c.Level == api.LogLevelOff || len(c.Destinations) == 0 || c.Destinations[0].CloudWatchLogsLogGroup == nil {
		return nil
	}
	return &engine.Logging{Group: awsapi.Val(c.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn), Level: *c.Level, Data: awsapi.Val(c.IncludeExecutionData)}
}

// checkLogging says what is wrong with a logging configuration.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_LoggingConfiguration.html
func checkLogging(c *api.LoggingConfiguration) error {
	if c == nil || c.Level == nil || *c.Level == api.LogLevelOff {
		return nil
	}
	if len(c.Destinations) != 1 || c.Destinations[0].CloudWatchLogsLogGroup == nil {
		return api.InvalidLoggingConfiguration.New("Invalid Logging Configuration: Must specify exactly one Log Destination.")
	}
	if arn := awsapi.Val(c.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn); !strings.HasPrefix(arn, "arn:") || !strings.HasSuffix(arn, ":*") || !strings.Contains(arn, ":log-group:") {
		return api.InvalidLoggingConfiguration.New("Invalid Logging Configuration: Log Destination is not a valid log group ARN: '%s'", arn)
	}
	return nil
}

// log carries events to their log groups.
func (s *Service) log(ctx context.Context) {
	c := courier.Courier{Store: s.Store, Queue: engine.LogQueue, AtOnce: 16, Handle: s.logSome, Log: s.Log}
	c.Run(ctx)
}

func (s *Service) logSome(ctx context.Context, m store.Message) courier.Verdict {
	var l engine.Logged
	if err := cbor.Unmarshal(m.Body, &l); err != nil {
		s.Log.Error("states: events to log cannot be read and are dropped", "error", err)
		return courier.Verdict{}
	}
	err := s.logEvents(ctx, &l)
	switch {
	case err == nil:
		return courier.Verdict{}
	case ctx.Err() != nil:
		return courier.Again(0)
	case m.Deliveries < logAttempts && courier.Passing(err):
		return courier.Again(courier.Backoff{Shortest: time.Second, Longest: time.Minute}.After(m.Deliveries))
	}
	s.Log.Warn("states: events are not logged", "execution", l.Execution, "group", l.Log.Group, "error", err)
	return courier.Verdict{}
}

// logEvents puts events into a stream of their group.
// https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
func (s *Service) logEvents(ctx context.Context, l *engine.Logged) error {
	var lines []logsapi.InputLogEvent
	for i := range l.Events {
		if e := &l.Events[i]; wantsLog(l.Log.Level, e.Type) {
			lines = append(lines, logsapi.InputLogEvent{Timestamp: new(e.Time.UnixMilli()), Message: new(logLine(l, e))})
		}
	}
	if len(lines) == 0 {
		return nil
	}
	parts := strings.SplitN(l.Log.Group, ":", 7) // arn:aws:logs:region:account:log-group:name:*
	if len(parts) < 7 {
		return api.InvalidLoggingConfiguration.New("%s is no log group", l.Log.Group)
	}
	group := strings.TrimSuffix(parts[6], ":*")
	p := awsapi.Principal{Account: parts[4], Service: "states.amazonaws.com", SourceARN: l.Machine}
	ctx = awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: parts[3], Principal: p, Time: s.Clock()})
	stream, err := s.logStream(ctx, p, l, group)
	if err != nil {
		return err
	}
	_, err = s.Caller.Call(ctx, p, "logs", "PutLogEvents", &logsapi.PutLogEventsRequest{LogGroupName: &group, LogStreamName: &stream, LogEvents: lines})
	return err
}

// logStream is the stream of a day, made with the first event.
func (s *Service) logStream(ctx context.Context, p awsapi.Principal, l *engine.Logged, group string) (string, error) {
	day := s.Clock().UTC().Format("2006-01-02")
	key := l.Log.Group + " " + l.Machine + " " + day
	if name, ok := s.streams.Load(key); ok {
		return name.(string), nil
	}
	machine := l.Machine[strings.LastIndexByte(l.Machine, ':')+1:]
	name := fmt.Sprintf("states/%s/%s/%s", strings.ReplaceAll(machine, "/", "_"), s.Clock().UTC().Format("2006-01-02-15-04"), uuid.NewString()[:8])
	_, err := s.Caller.Call(ctx, p, "logs", "CreateLogStream", &logsapi.CreateLogStreamRequest{LogGroupName: &group, LogStreamName: &name})
	if err != nil && !errors.Is(err, logsapi.ResourceAlreadyExistsException) {
		return "", err
	}
	s.streams.Store(key, name)
	return name, nil
}

// wantsLog reports whether events of a type are logged at a level.
// https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html#cloudwatch-log-level
func wantsLog(level, kind string) bool {
	bad := strings.HasSuffix(kind, "Failed") || strings.HasSuffix(kind, "TimedOut") || strings.HasSuffix(kind, "Aborted")
	switch level {
	case api.LogLevelAll:
		return true
	case api.LogLevelError:
		return bad
	}
	return bad && strings.HasPrefix(kind, "Execution")
}

// logLine is an event as a log has it.
func logLine(l *engine.Logged, e *engine.Event) string {
	details := document.NewObject()
	set := func(name, v string) {
		if v != "" {
			details.Set(name, v)
		}
	}
	data := func(name, v string) {
		if v != "" && l.Log.Data {
			details.Set(name, v)
			details.Set(name+"Details", document.NewObject("truncated", false))
		}
	}
	scheduled := e.ResourceType != "" && e.Type == "TaskScheduled"
	if scheduled && l.Log.Data {
		set("parameters", e.Input)
	} else if !scheduled {
		data("input", e.Input)
	}
	data("output", e.Output)
	if e.Type != "ExecutionStarted" {
		set("name", e.Name)
	}
	for _, field := range []struct{ name, value string }{{"error", e.Error}, {"cause", e.Cause}, {"resource", e.Resource}, {"resourceType", e.ResourceType},
		{"region", e.Region}, {"roleArn", e.Role}} {
		set(field.name, field.value)
	}
	if strings.HasPrefix(e.Type, "MapIteration") {
		details.Set("index", e.Index)
	}
	if e.Type == "MapStateStarted" {
		details.Set("length", e.Length)
	}
	line := document.NewObject("id", strconv.FormatInt(e.ID, 10), "type", e.Type, "details", details, "previous_event_id", strconv.FormatInt(e.Previous, 10),
		"event_timestamp", strconv.FormatInt(e.Time.UnixMilli(), 10), "execution_arn", l.Execution)
	return string(document.Encode(line))
}
