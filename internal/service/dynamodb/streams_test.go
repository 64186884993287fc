package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodbstreams"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/stream"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// streamsBench is a stream with the API over it, and a clock to set.
type streamsBench struct {
	*testing.T
	*Streams
	ctx    context.Context
	owner  stream.Owner
	ahead  time.Duration // of the real time
	stream *stream.Stream
	arn    string
}

func newStreamsBench(t *testing.T, shards int) *streamsBench {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	b := &streamsBench{T: t, owner: stream.Owner{Account: "000000000000", Region: "eu-west-1"}}
	b.Streams = NewStreams(StreamsDeps{Store: st, Clock: func() time.Time { return time.Now().Add(b.ahead) }})
	b.ctx = awsapi.WithRequest(t.Context(), &awsapi.Request{Region: b.owner.Region, Principal: awsapi.RootPrincipal(b.owner.Account, "")})
	b.stream = b.open("music", shards)
	b.arn = b.stream.ARN(b.owner)
	return b
}

func (b *streamsBench) open(table string, shards int) (s *stream.Stream) {
	b.Helper()
	b.update(func(tx store.Tx) (err error) {
		s, err = stream.Open(tx, b.owner, stream.Stream{Table: table, View: stream.NewAndOldImages, Keys: []string{"id"}, Shards: shards}, b.Clock())
		return err
	})
	return s
}

func (b *streamsBench) update(f func(tx store.Tx) error) {
	b.Helper()
	b.must(b.Store.Update(b.ctx, f))
}

func (b *streamsBench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// insert writes the records of new items.
func (b *streamsBench) insert(ids ...string) {
	b.Helper()
	for _, id := range ids {
		b.update(func(tx store.Tx) error { return b.stream.Append(tx, nil, item.Item{"id": item.String(id)}, false) })
	}
}

func (b *streamsBench) iterator(in api.GetShardIteratorInput) string {
	b.Helper()
	in.StreamArn, in.ShardId = &b.arn, new(b.stream.ShardID(0))
	out, err := b.GetShardIterator(b.ctx, &in)
	b.must(err)
	return *out.ShardIterator
}

func (b *streamsBench) from(kind string) string {
	b.Helper()
	return b.iterator(api.GetShardIteratorInput{ShardIteratorType: &kind})
}

// reads checks which items the records from an iterator on are of, and returns the next one.
func (b *streamsBench) reads(iterator string, want ...string) *api.GetRecordsOutput {
	b.Helper()
	out, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &iterator})
	b.must(err)
	var got []string
	for _, r := range out.Records {
		got = append(got, *r.Dynamodb.Keys["id"].S)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		b.Errorf("read %q, not %q", got, want)
	}
	return out
}

// fails checks an error's type and a part of its message.
func fails(t *testing.T, err error, kind *awsapi.ErrorType, part string) {
	t.Helper()
	var e *awsapi.Error
	if !errors.As(err, &e) || !errors.Is(err, kind) || !strings.Contains(e.Message, part) {
		t.Errorf("the error is %v, not %s: …%s…", err, kind.Code, part)
	}
}

func TestIterators(t *testing.T) {
	b := newStreamsBench(t, 1)
	b.insert("a", "b", "c")
	latest := b.from(api.ShardIteratorTypeLatest)
	out := b.reads(b.from(api.ShardIteratorTypeTrimHorizon), "a", "b", "c")
	second := out.Records[1].Dynamodb.SequenceNumber
	b.reads(b.iterator(api.GetShardIteratorInput{ShardIteratorType: new(api.ShardIteratorTypeAtSequenceNumber), SequenceNumber: second}), "b", "c")
	b.reads(b.iterator(api.GetShardIteratorInput{ShardIteratorType: new(api.ShardIteratorTypeAfterSequenceNumber), SequenceNumber: second}), "c")
	b.reads(b.iterator(api.GetShardIteratorInput{ShardIteratorType: new(api.ShardIteratorTypeAtTimestamp), Timestamp: new(time.Now().Add(-time.Hour))}), "a", "b", "c")
	b.reads(b.iterator(api.GetShardIteratorInput{ShardIteratorType: new(api.ShardIteratorTypeAtTimestamp), Timestamp: new(time.Now().Add(time.Hour))}))
	d, err := b.DescribeStream(b.ctx, &api.DescribeStreamInput{StreamArn: &b.arn})
	b.must(err)
	start := d.StreamDescription.Shards[0].SequenceNumberRange.StartingSequenceNumber
	b.reads(b.iterator(api.GetShardIteratorInput{ShardIteratorType: new(api.ShardIteratorTypeAtSequenceNumber), SequenceNumber: start}), "a", "b", "c")
	next := b.reads(*out.NextShardIterator)
	b.reads(latest)
	b.insert("d", "e")
	b.reads(latest, "d", "e")
	b.reads(*next.NextShardIterator, "d", "e")
}

func TestRecords(t *testing.T) {
	b := newStreamsBench(t, 1)
	whole := item.Item{"id": item.Int(101), "Message": item.String("New item!")}
	changed := item.Item{"id": item.Int(101), "Message": item.String("This item has changed"), "deep": item.Map(item.Item{
		"list": item.List(item.Null(), item.Boolean(false), item.Bytes([]byte{1}), item.Set(item.NS, "1", "2"))})}
	b.update(func(tx store.Tx) error {
		return errors.Join(b.stream.Append(tx, nil, whole, false), b.stream.Append(tx, whole, changed, false), b.stream.Append(tx, changed, nil, true))
	})
	iterator := b.from(api.ShardIteratorTypeTrimHorizon)
	out, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &iterator})
	b.must(err)
	if len(out.Records) != 3 {
		t.Fatalf("%d records", len(out.Records))
	}
	for i, event := range []string{"INSERT", "MODIFY", "REMOVE"} {
		r := out.Records[i]
		if *r.EventName != event || *r.EventVersion != "1.1" || *r.EventSource != "aws:dynamodb" || *r.AwsRegion != "eu-west-1" || len(*r.EventID) != 32 {
			t.Errorf("record %d: %s, %s, %s, %s, %s", i, *r.EventName, *r.EventVersion, *r.EventSource, *r.AwsRegion, *r.EventID)
		}
		d := r.Dynamodb
		if *d.Keys["id"].N != "101" || d.ApproximateCreationDateTime.Nanosecond() != 0 || *d.StreamViewType != "NEW_AND_OLD_IMAGES" {
			t.Errorf("record %d: %+v", i, d)
		}
		if (r.UserIdentity != nil) != (i == 2) {
			t.Errorf("record %d: identity %+v", i, r.UserIdentity)
		}
	}
	// As in https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
	if size := *out.Records[0].Dynamodb.SizeBytes; size != 26 {
		t.Errorf("the first record has %d bytes", size)
	}
	if id := out.Records[2].UserIdentity; *id.PrincipalId != "dynamodb.amazonaws.com" || *id.Type != "Service" {
		t.Errorf("the identity is %+v", id)
	}
	list := out.Records[1].Dynamodb.NewImage["deep"].M["list"].L
	if len(list) != 4 || !*list[0].NULL || *list[1].BOOL || len(list[2].B) != 1 || len(list[3].NS) != 2 {
		t.Errorf("the list is %+v", list)
	}
	again, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &iterator, Limit: new(int32(1))})
	b.must(err)
	if len(again.Records) != 1 || *again.Records[0].EventID != *out.Records[0].EventID || *out.Records[1].EventID == *out.Records[0].EventID {
		t.Errorf("read again: %d records", len(again.Records))
	}
}

func TestRecordsOfManyBytes(t *testing.T) {
	b := newStreamsBench(t, 1)
	const each, n = 300 << 10, 7
	for i := range n {
		b.update(func(tx store.Tx) error {
			return b.stream.Append(tx, nil, item.Item{"id": item.String(fmt.Sprint(i)), "v": item.Bytes(make([]byte, each))}, false)
		})
	}
	iterator := new(b.from(api.ShardIteratorTypeTrimHorizon))
	read := 0
	for read < n {
		out, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: iterator})
		b.must(err)
		if len(out.Records) == 0 || len(out.Records) > maxRecordBytes/each {
			t.Fatalf("%d records at once", len(out.Records))
		}
		read += len(out.Records)
		iterator = out.NextShardIterator
	}
}

func TestTrimmedRecords(t *testing.T) {
	for _, swept := range []bool{false, true} {
		b := newStreamsBench(t, 1)
		b.insert("a", "b")
		old := b.from(api.ShardIteratorTypeTrimHorizon)
		out := b.reads(old, "a", "b")
		latest := b.from(api.ShardIteratorTypeLatest)
		first := out.Records[0].Dynamodb.SequenceNumber
		b.Retention, b.ahead = time.Minute, 2*time.Minute
		if swept {
			b.must(b.Trim(b.ctx))
		}
		_, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &old})
		fails(t, err, api.TrimmedDataAccessException, "has been trimmed")
		_, err = b.GetShardIterator(b.ctx, &api.GetShardIteratorInput{StreamArn: &b.arn, ShardId: new(b.stream.ShardID(0)),
			ShardIteratorType: new(api.ShardIteratorTypeAtSequenceNumber), SequenceNumber: first})
		fails(t, err, api.TrimmedDataAccessException, "has been trimmed")
		// Who has read all has missed nothing.
		horizon := b.from(api.ShardIteratorTypeTrimHorizon)
		b.reads(latest)
		b.reads(*out.NextShardIterator)
		b.Retention = time.Hour
		b.insert("c")
		b.reads(horizon, "c")
	}
}

func TestExpiredIterator(t *testing.T) {
	b := newStreamsBench(t, 1)
	b.insert("a")
	iterator := b.from(api.ShardIteratorTypeTrimHorizon)
	b.ahead = 14 * time.Minute
	b.reads(iterator, "a")
	b.ahead = 16 * time.Minute
	_, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &iterator})
	fails(t, err, api.ExpiredIteratorException, "Iterator expired")
}

func TestDisabledStream(t *testing.T) {
	b := newStreamsBench(t, 1)
	b.insert("a", "b")
	iterator := b.from(api.ShardIteratorTypeTrimHorizon)
	b.update(func(tx store.Tx) error { return stream.Close(tx, b.owner, b.stream, b.Clock()) })
	out, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &iterator, Limit: new(int32(1))})
	b.must(err)
	if len(out.Records) != 1 || out.NextShardIterator == nil {
		t.Fatalf("%+v", out)
	}
	if last := b.reads(*out.NextShardIterator, "b"); last.NextShardIterator != nil {
		t.Error("an iterator beyond the end")
	}
	d, err := b.DescribeStream(b.ctx, &api.DescribeStreamInput{StreamArn: &b.arn})
	b.must(err)
	shard := d.StreamDescription.Shards[0].SequenceNumberRange
	if *d.StreamDescription.StreamStatus != "DISABLED" || shard.EndingSequenceNumber == nil || *shard.EndingSequenceNumber <= *shard.StartingSequenceNumber {
		t.Errorf("%s, %+v", *d.StreamDescription.StreamStatus, shard)
	}
	b.ahead = 25 * time.Hour
	_, err = b.DescribeStream(b.ctx, &api.DescribeStreamInput{StreamArn: &b.arn})
	fails(t, err, api.ResourceNotFoundException, "Requested resource not found: Stream: "+b.arn+" not found")
}

func TestDescribeStream(t *testing.T) {
	b := newStreamsBench(t, 3)
	b.open("other", 1)
	var ids []string
	in := &api.DescribeStreamInput{StreamArn: &b.arn, Limit: new(int32(2))}
	for {
		out, err := b.DescribeStream(b.ctx, in)
		b.must(err)
		d := out.StreamDescription
		if *d.StreamArn != b.arn || *d.StreamStatus != "ENABLED" || *d.TableName != "music" || *d.StreamLabel != b.stream.Label || len(d.KeySchema) != 1 {
			t.Errorf("%+v", d)
		}
		for _, s := range d.Shards {
			if ids = append(ids, *s.ShardId); s.SequenceNumberRange.EndingSequenceNumber != nil || s.ParentShardId != nil {
				t.Errorf("%+v", s)
			}
		}
		if in.ExclusiveStartShardId = d.LastEvaluatedShardId; in.ExclusiveStartShardId == nil {
			break
		}
	}
	if len(ids) != 3 || ids[0] == ids[1] {
		t.Errorf("shards %q", ids)
	}
	out, err := b.DescribeStream(b.ctx, &api.DescribeStreamInput{StreamArn: &b.arn,
		ShardFilter: &api.ShardFilter{Type: new(api.ShardFilterTypeChildShards), ShardId: &ids[0]}})
	if err != nil || len(out.StreamDescription.Shards) != 0 {
		t.Errorf("child shards: %+v, %v", out, err)
	}
}

func TestListStreams(t *testing.T) {
	b := newStreamsBench(t, 1)
	b.open("another", 1)
	b.open("zebra", 1)
	var tables []string
	in := &api.ListStreamsInput{Limit: new(int32(1))}
	for {
		out, err := b.ListStreams(b.ctx, in)
		b.must(err)
		for _, s := range out.Streams {
			tables = append(tables, *s.TableName)
		}
		if in.ExclusiveStartStreamArn = out.LastEvaluatedStreamArn; in.ExclusiveStartStreamArn == nil {
			break
		}
	}
	if fmt.Sprint(tables) != "[another music zebra]" {
		t.Errorf("%q", tables)
	}
	out, err := b.ListStreams(b.ctx, &api.ListStreamsInput{TableName: new("music")})
	if err != nil || len(out.Streams) != 1 || *out.Streams[0].StreamArn != b.arn {
		t.Errorf("%+v, %v", out, err)
	}
	if out, err = b.ListStreams(b.ctx, &api.ListStreamsInput{TableName: new("none")}); err != nil || out.Streams == nil || len(out.Streams) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestStreamErrors(t *testing.T) {
	b := newStreamsBench(t, 1)
	shard := b.stream.ShardID(0)
	unknown := strings.Replace(b.arn, "music", "nothing", 1)
	for _, c := range []struct {
		in   api.GetShardIteratorInput
		kind *awsapi.ErrorType
		part string
	}{
		{api.GetShardIteratorInput{StreamArn: &unknown, ShardId: &shard, ShardIteratorType: new("LATEST")}, api.ResourceNotFoundException, "Requested resource not found: Stream: " + unknown + " not found"},
		{api.GetShardIteratorInput{StreamArn: new("arn:aws:dynamodb:eu-west-1:000000000000:table/music"), ShardId: &shard, ShardIteratorType: new("LATEST")}, awsapi.ValidationException, "Invalid StreamArn"},
		{api.GetShardIteratorInput{StreamArn: &b.arn, ShardId: new(shard + "x"), ShardIteratorType: new("LATEST")}, api.ResourceNotFoundException, "Requested resource not found: Shard"},
		{api.GetShardIteratorInput{StreamArn: &b.arn, ShardId: &shard, ShardIteratorType: new("AT_SEQUENCE_NUMBER")}, awsapi.ValidationException, "Sequence number must be provided"},
		{api.GetShardIteratorInput{StreamArn: &b.arn, ShardId: &shard, ShardIteratorType: new("LATEST"), SequenceNumber: new(stream.Sequence(5))}, awsapi.ValidationException, "must not be provided"},
		{api.GetShardIteratorInput{StreamArn: &b.arn, ShardId: &shard, ShardIteratorType: new("AT_TIMESTAMP")}, awsapi.ValidationException, "Timestamp must be provided"},
		{api.GetShardIteratorInput{StreamArn: &b.arn, ShardId: &shard, ShardIteratorType: new("AFTER_SEQUENCE_NUMBER"), SequenceNumber: new(stream.Sequence(0))}, awsapi.ValidationException, "Invalid SequenceNumber"},
	} {
		_, err := b.GetShardIterator(b.ctx, &c.in)
		fails(t, err, c.kind, c.part)
	}
	for _, bad := range []string{"x", b.arn + "|1|", b.arn + "|1|AAAA====", b.arn + "|1|/////////////////w=="} {
		_, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: &bad})
		fails(t, err, awsapi.ValidationException, "Invalid ShardIterator")
	}
	_, err := b.GetRecords(b.ctx, &api.GetRecordsInput{ShardIterator: new(b.from("LATEST")), Limit: new(int32(1001))})
	fails(t, err, awsapi.ValidationException, "Limit should be less than or equal to 1000")
}

// FuzzIterator reads any text: refused, or an iterator that is written as the same.
func FuzzIterator(f *testing.F) {
	f.Add(iterator{arn: "arn:aws:dynamodb:r:a:table/t/stream/l", shard: 3, after: 1 << 40, made: time.UnixMilli(1e12)}.String())
	f.Add("a|1|AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		it, ok := parseIterator(text)
		if !ok {
			return
		}
		if again, ok := parseIterator(it.String()); !ok || again != it {
			t.Errorf("%+v became %+v", it, again)
		}
	})
}
