package pipes

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/pipes"
	"cirro/internal/eventsource"
	"cirro/internal/target"
	"cirro/internal/target/jsonpath"
)

// sendEach sends items one by one: at once, or in their order to a target that keeps one. Where they are the
// batch's records, those that failed are named; else the batch did.
func (h *handler) sendEach(ctx context.Context, b *eventsource.Batch, items []item) eventsource.Outcome {
	errs := make([]error, len(items))
	if strings.HasSuffix(h.to.Resource, ".fifo") || h.to.Service == "kinesis" {
		for i := range items {
			if _, errs[i] = h.sender.Send(ctx, h.letter(b, i, items[i])); errs[i] != nil {
				for n := i + 1; n < len(items); n++ {
					errs[n] = errs[i] // it must not overtake
				}
				break
			}
		}
	} else {
		var all sync.WaitGroup
		for i := range items {
			all.Go(func() { _, errs[i] = h.sender.Send(ctx, h.letter(b, i, items[i])) })
		}
		all.Wait()
	}
	var o eventsource.Outcome
	for i, err := range errs {
		switch {
		case err == nil:
			continue
		case len(items) != len(b.Records):
			return outcome(err)
		}
		o.Failed = append(o.Failed, b.Records[i].ID)
		h.Log.Warn("pipes: a record did not reach the target", "pipe", h.pipe.arn(), "record", b.Records[i].ID, "error", err)
	}
	if len(o.Failed) == len(items) {
		return outcome(errs[0])
	}
	return o
}

// letter is what the target gets of an item. Parameters that are paths are looked up in the item.
func (h *handler) letter(b *eventsource.Batch, i int, from item) *target.Letter {
	l := &target.Letter{Target: h.pipe.Target, Body: h.pipe.render(h.between, from, h.Clock()), As: h.pipe.session(), Region: h.pipe.Region}
	if len(b.Records) > i {
		l.TraceID = b.Records[i].Trace
	}
	t := awsapi.Val(h.pipe.To)
	seen := from.opened()
	switch {
	case h.to.Service == "sqs" && t.SqsQueueParameters != nil:
		l.Group, l.Dedup = resolved(t.SqsQueueParameters.MessageGroupId, seen), resolved(t.SqsQueueParameters.MessageDeduplicationId, seen)
	case h.to.Service == "kinesis" && t.KinesisStreamParameters != nil:
		l.PartitionKey = resolved(t.KinesisStreamParameters.PartitionKey, seen)
	case h.to.Service == "events":
		l.Source, l.DetailType, l.Time = "Pipe "+h.pipe.Name, "Event from "+h.kind(), h.Clock()
		h.address(l, t.EventBridgeEventBusParameters, seen)
		if !isObject(l.Body) {
			l.Body = encode(map[string]json.RawMessage{"body": item(l.Body).json()}) // a detail is an object
		}
	case h.to.Service == "logs" && t.CloudWatchLogsParameters != nil:
		l.Time, l.LogStream = moment(resolved(t.CloudWatchLogsParameters.Timestamp, seen)), resolved(t.CloudWatchLogsParameters.LogStreamName, seen)
	}
	return l
}

// kind names the service of the source.
func (h *handler) kind() string {
	from, _ := target.ParseARN(h.pipe.Source)
	return "aws:" + from.Service
}

// address sets what an event says besides its detail.
func (h *handler) address(l *target.Letter, p *api.PipeTargetEventBridgeEventBusParameters, seen []byte) {
	if p == nil {
		return
	}
	if p.Source != nil {
		l.Source = resolved(p.Source, seen)
	}
	if p.DetailType != nil {
		l.DetailType = resolved(p.DetailType, seen)
	}
	for i := range p.Resources {
		l.Resources = append(l.Resources, resolved(&p.Resources[i], seen))
	}
	if at := moment(resolved(p.Time, seen)); !at.IsZero() {
		l.Time = at
	}
}

func isObject(b []byte) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal(b, &object) == nil && object != nil
}

// resolved is a parameter's value: what stands at its path, where it is one.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-event-target.html#pipes-targets-dynamic-parms
func resolved(parameter *string, seen []byte) string {
	text := awsapi.Val(parameter)
	if !strings.HasPrefix(text, "$.") {
		return text
	}
	path, err := jsonpath.Parse(text)
	if err != nil {
		return text
	}
	v, ok := path.Find(seen)
	if !ok {
		return ""
	}
	return bareText(v)
}

// moment reads a time: ISO 8601, or milliseconds since 1970; zero where it is neither.
func moment(text string) time.Time {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at
	}
	if ms, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.UnixMilli(ms)
	}
	return time.Time{}
}
