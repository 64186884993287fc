package dynamodb

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"time"

	api "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/stream"
)

// streamRecord is a record as a client sees it.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_Record.html
func streamRecord(s *stream.Stream, r *stream.Record, o stream.Owner) api.Record {
	out := api.Record{
		EventID:      new(eventID(s, r)),
		EventName:    new(r.Event.String()),
		EventVersion: new("1.1"),
		EventSource:  new("aws:dynamodb"),
		AwsRegion:    new(o.Region),
		Dynamodb: &api.StreamRecord{
			ApproximateCreationDateTime: new(r.At.Truncate(time.Second)),
			Keys:                        streamItem(r.Keys),
			NewImage:                    streamItem(r.New),
			OldImage:                    streamItem(r.Old),
			SequenceNumber:              new(stream.Sequence(r.Number)),
			SizeBytes:                   new(int64(r.Size())),
			StreamViewType:              new(s.View),
		},
	}
	if r.Expired {
		// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/time-to-live-ttl-streams.html
		out.UserIdentity = &api.Identity{PrincipalId: new("dynamodb.amazonaws.com"), Type: new("Service")}
	}
	return out
}

// eventID is the same whenever the record is read.
func eventID(s *stream.Stream, r *stream.Record) string {
	sum := md5.Sum(fmt.Append(nil, s.ID, r.Number))
	return hex.EncodeToString(sum[:])
}

// streamItem is an item in the shapes of the Streams API, which are not those of DynamoDB itself to the compiler.
func streamItem(it item.Item) map[string]api.AttributeValue {
	if it == nil {
		return nil
	}
	out := make(map[string]api.AttributeValue, len(it))
	for name, v := range it {
		out[name] = streamValue(v)
	}
	return out
}

func streamValue(v item.Value) api.AttributeValue {
	switch v.Kind {
	case item.M:
		return api.AttributeValue{M: streamItem(v.Map)}
	case item.L:
		list := make([]api.AttributeValue, len(v.List))
		for i := range v.List {
			list[i] = streamValue(v.List[i])
		}
		return api.AttributeValue{L: list}
	}
	a := v.API() // of one level
	return api.AttributeValue{S: a.S, N: a.N, B: a.B, SS: a.SS, NS: a.NS, BS: a.BS, NULL: a.NULL, BOOL: a.BOOL}
}
