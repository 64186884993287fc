package eventsource

import (
	"context"
	"errors"
	"slices"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodbstreams"
)

// streamsService is how DynamoDB Streams is called.
const streamsService = "streams.dynamodb"

// dynamodbAPI reads a stream of a table.
type dynamodbAPI struct {
	*Poller
	hash string // the table's partition key
}

func (d *dynamodbAPI) shards(ctx context.Context) (all []shard, err error) {
	in := &api.DescribeStreamInput{StreamArn: &d.source.ARN}
	for {
		out, err := call[api.DescribeStreamOutput](ctx, d.Poller, streamsService, "DescribeStream", in, 0)
		if err != nil {
			return nil, err
		}
		description := out.StreamDescription
		if description == nil {
			return all, nil
		}
		for _, k := range description.KeySchema {
			if awsapi.Val(k.KeyType) == api.KeyTypeHash {
				d.hash = awsapi.Val(k.AttributeName)
			}
		}
		for _, s := range description.Shards {
			sh := shard{id: awsapi.Val(s.ShardId), closed: s.SequenceNumberRange != nil && s.SequenceNumberRange.EndingSequenceNumber != nil}
			if s.ParentShardId != nil {
				sh.parents = []string{*s.ParentShardId}
			}
			all = append(all, sh)
		}
		if in.ExclusiveStartShardId = description.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			return all, nil
		}
	}
}

func (d *dynamodbAPI) iterator(ctx context.Context, shard string, at position) (string, error) {
	in := &api.GetShardIteratorInput{StreamArn: &d.source.ARN, ShardId: &shard, ShardIteratorType: &at.Type}
	if at.Type == afterSequence {
		in.SequenceNumber = &at.Sequence
	}
	if at.Type == atTimestamp {
		in.Timestamp = &at.Time
	}
	out, err := call[api.GetShardIteratorOutput](ctx, d.Poller, streamsService, "GetShardIterator", in, 0)
	if err != nil {
		return "", err
	}
	return awsapi.Val(out.ShardIterator), nil
}

func (d *dynamodbAPI) read(ctx context.Context, _, iterator string, wait time.Duration) ([]Record, string, error) {
	out, err := call[api.GetRecordsOutput](ctx, d.Poller, streamsService, "GetRecords", &api.GetRecordsInput{ShardIterator: &iterator}, wait)
	if err != nil {
		return nil, "", err
	}
	records := make([]Record, len(out.Records))
	for i := range out.Records {
		records[i] = d.record(&out.Records[i])
	}
	return records, awsapi.Val(out.NextShardIterator), nil
}

// tableRetention is how long a table's stream keeps its records.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Streams.html
const tableRetention = 24 * time.Hour

func (d *dynamodbAPI) retention(context.Context) (time.Duration, error) { return tableRetention, nil }

func (d *dynamodbAPI) lost(err error) loss {
	switch {
	case errors.Is(err, api.TrimmedDataAccessException):
		return lostRecords
	case errors.Is(err, api.ExpiredIteratorException):
		return lostIterator
	case errors.Is(err, api.ResourceNotFoundException):
		return lostShard
	}
	return lostNothing
}

// tableEvent is a change of a table as Lambda has it.
// https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html#events-sample-dynamodb
type tableEvent struct {
	ID        string        `json:"eventID"`
	Name      string        `json:"eventName"`
	Version   string        `json:"eventVersion"`
	Source    string        `json:"eventSource"`
	Region    string        `json:"awsRegion"`
	Change    tableChange   `json:"dynamodb"`
	Identity  *userIdentity `json:"userIdentity,omitempty"`
	SourceARN string        `json:"eventSourceARN"`
}

type userIdentity struct {
	Type      string `json:"type"`
	Principal string `json:"principalId"`
}

type tableChange struct {
	At       seconds              `json:"ApproximateCreationDateTime"`
	Keys     map[string]attribute `json:"Keys,omitempty"`
	NewImage map[string]attribute `json:"NewImage,omitempty"`
	OldImage map[string]attribute `json:"OldImage,omitempty"`
	Sequence string               `json:"SequenceNumber"`
	Size     int64                `json:"SizeBytes"`
	View     string               `json:"StreamViewType"`
}

func (d *dynamodbAPI) record(r *api.Record) Record {
	e := tableEvent{ID: awsapi.Val(r.EventID), Name: awsapi.Val(r.EventName), Version: awsapi.Val(r.EventVersion),
		Source: "aws:dynamodb", Region: d.place.Region, SourceARN: d.source.ARN}
	if r.UserIdentity != nil {
		e.Identity = &userIdentity{awsapi.Val(r.UserIdentity.Type), awsapi.Val(r.UserIdentity.PrincipalId)}
	}
	out := Record{}
	if c := r.Dynamodb; c != nil {
		e.Change = tableChange{seconds(awsapi.Val(c.ApproximateCreationDateTime)), attributes(c.Keys), attributes(c.NewImage),
			attributes(c.OldImage), awsapi.Val(c.SequenceNumber), awsapi.Val(c.SizeBytes), awsapi.Val(c.StreamViewType)}
		out.ID, out.Arrived = e.Change.Sequence, awsapi.Val(c.ApproximateCreationDateTime)
		out.key = string(encode(e.Change.Keys[d.hash]))
	}
	out.Event = encode(e)
	return out
}

// attribute is an AttributeValue as JSON has it.
type attribute struct {
	S    *string               `json:"S,omitempty"`
	N    *string               `json:"N,omitempty"`
	B    *[]byte               `json:"B,omitempty"`
	SS   []string              `json:"SS,omitempty"`
	NS   []string              `json:"NS,omitempty"`
	BS   [][]byte              `json:"BS,omitempty"`
	M    *map[string]attribute `json:"M,omitempty"`
	L    *[]attribute          `json:"L,omitempty"`
	Null *bool                 `json:"NULL,omitempty"`
	Bool *bool                 `json:"BOOL,omitempty"`
}

func attributes(m map[string]api.AttributeValue) map[string]attribute {
	if m == nil {
		return nil
	}
	out := make(map[string]attribute, len(m))
	for name, v := range m {
		out[name] = attributeOf(v)
	}
	return out
}

func attributeOf(v api.AttributeValue) attribute {
	a := attribute{S: v.S, N: v.N, SS: v.SS, NS: v.NS, BS: v.BS, Null: v.NULL, Bool: v.BOOL}
	if v.B != nil {
		a.B = &v.B
	}
	if v.M != nil {
		m := attributes(v.M)
		a.M = &m
	}
	if v.L != nil {
		list := make([]attribute, 0, len(v.L))
		for item := range slices.Values(v.L) {
			list = append(list, attributeOf(item))
		}
		a.L = &list
	}
	return a
}
