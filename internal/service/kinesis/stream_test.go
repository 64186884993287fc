package kinesis

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
)

func TestStreams(t *testing.T) {
	s := newStage(t)
	s.make("b", 2)
	_, err := s.CreateStream(s.ctx, &api.CreateStreamInput{StreamName: new("a"), StreamModeDetails: &api.StreamModeDetails{StreamMode: new("ON_DEMAND")}, Tags: map[string]string{"k": "v"}})
	s.must(err)
	d, err := s.DescribeStream(s.ctx, &api.DescribeStreamInput{StreamName: new("a"), Limit: new(int32(3))})
	s.must(err)
	if v := d.StreamDescription; *v.StreamModeDetails.StreamMode != "ON_DEMAND" || len(v.Shards) != 3 || !*v.HasMoreShards || *v.StreamARN != "arn:aws:kinesis:eu-west-1:123456789012:stream/a" {
		t.Errorf("described as %+v", v)
	}
	rest, err := s.DescribeStream(s.ctx, &api.DescribeStreamInput{StreamARN: d.StreamDescription.StreamARN, ExclusiveStartShardId: new(shardID(2))})
	s.must(err)
	if v := rest.StreamDescription; len(v.Shards) != 1 || *v.HasMoreShards || *v.Shards[0].HashKeyRange.EndingHashKey != "340282366920938463463374607431768211455" {
		t.Errorf("then as %+v", v)
	}
	limits, err := s.DescribeLimits(s.ctx, nil)
	s.must(err)
	if *limits.OpenShardCount != 2 || *limits.OnDemandStreamCount != 1 {
		t.Errorf("the limits are %+v", limits)
	}
	summary, err := s.DescribeStreamSummary(s.ctx, &api.DescribeStreamSummaryInput{StreamName: new("a")})
	s.must(err)
	byID, err := s.DescribeStreamSummary(s.ctx, &api.DescribeStreamSummaryInput{StreamId: summary.StreamDescriptionSummary.StreamId})
	s.must(err)
	if *byID.StreamDescriptionSummary.StreamName != "a" {
		t.Errorf("the id is that of %s", *byID.StreamDescriptionSummary.StreamName)
	}
	page, err := s.ListStreams(s.ctx, &api.ListStreamsInput{Limit: new(int32(1))})
	s.must(err)
	next, err := s.ListStreams(s.ctx, &api.ListStreamsInput{NextToken: page.NextToken})
	s.must(err)
	if fmt.Sprint(page.StreamNames, *page.HasMoreStreams, next.StreamNames, *next.HasMoreStreams) != "[a] true [b] false" {
		t.Errorf("listed %v, then %v", page.StreamNames, next.StreamNames)
	}
	token, err := s.ListShards(s.ctx, &api.ListShardsInput{StreamName: new("a"), MaxResults: new(int32(3))})
	s.must(err)
	last, err := s.ListShards(s.ctx, &api.ListShardsInput{NextToken: token.NextToken})
	s.must(err)
	if len(last.Shards) != 1 || last.NextToken != nil {
		t.Errorf("the second page has %d shards", len(last.Shards))
	}
	s.clock.Add(tokenLife + time.Second)
	_, err = s.ListShards(s.ctx, &api.ListShardsInput{NextToken: token.NextToken})
	s.fails(err, api.ExpiredNextTokenException, "")
}

func TestStreamRefusals(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	for _, c := range []struct {
		in      api.CreateStreamInput
		kind    *awsapi.ErrorType
		message string
	}{
		{api.CreateStreamInput{StreamName: new("s"), ShardCount: new(int32(1))}, api.ResourceInUseException, "Stream s under account 123456789012 already exists."},
		{api.CreateStreamInput{StreamName: new("t"), StreamModeDetails: &api.StreamModeDetails{StreamMode: new("PROVISIONED")}}, api.InvalidArgumentException, "ShardCount"},
		{api.CreateStreamInput{StreamName: new("t"), ShardCount: new(int32(1)), StreamModeDetails: &api.StreamModeDetails{StreamMode: new("ON_DEMAND")}}, api.InvalidArgumentException, "ShardCount"},
		{api.CreateStreamInput{StreamName: new("t"), ShardCount: new(int32(20001))}, api.LimitExceededException, "Limit: 20000."},
		{api.CreateStreamInput{StreamName: new("t"), ShardCount: new(int32(1)), MaxRecordSizeInKiB: new(int32(1))}, api.ValidationException, "maxRecordSizeInKiB"},
		{api.CreateStreamInput{StreamName: new("t"), ShardCount: new(int32(1)), RecordDistributionStrategy: new("AUTO")}, awsapi.NotImplemented, "AUTO"},
	} {
		_, err := s.CreateStream(s.ctx, &c.in)
		s.fails(err, c.kind, c.message)
	}
	put := func(in api.PutRecordInput) error {
		if in.StreamName == nil && in.StreamARN == nil {
			in.StreamName = new("s")
		}
		in.PartitionKey = new("k")
		_, err := s.PutRecord(s.ctx, &in)
		return err
	}
	s.fails(put(api.PutRecordInput{StreamName: new("t")}), api.ResourceNotFoundException, "Stream t under account 123456789012 not found.")
	s.fails(put(api.PutRecordInput{StreamARN: new("arn:aws:kinesis:eu-west-1:123456789012:stream/t"), StreamName: new("s")}), api.InvalidArgumentException, "StreamARN")
	s.fails(put(api.PutRecordInput{ExplicitHashKey: new("340282366920938463463374607431768211456")}), api.InvalidArgumentException,
		"Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was 340282366920938463463374607431768211456")
	s.fails(put(api.PutRecordInput{SequenceNumberForOrdering: new("7")}), api.InvalidArgumentException, "ExclusiveMinimumSequenceNumber 7 used in PutRecord on stream s under account 123456789012 is invalid.")
	s.fails(put(api.PutRecordInput{Data: make([]byte, 1<<20+1)}), api.ValidationException, "Member must have length less than or equal to 1048576")
	s.fails(put(api.PutRecordInput{DryRun: new(true)}), api.DryRunOperationException, "")
	s.are(s.all("s", 0))
	_, err := s.UpdateMaxRecordSize(s.ctx, &api.UpdateMaxRecordSizeInput{StreamARN: new("arn:aws:kinesis:eu-west-1:123456789012:stream/s"), MaxRecordSizeInKiB: new(int32(2048))})
	s.must(err)
	s.must(put(api.PutRecordInput{Data: make([]byte, 1<<20+1)}))
	_, err = s.PutRecords(s.ctx, &api.PutRecordsInput{StreamName: new("s"), Records: []api.PutRecordsRequestEntry{
		{Data: make([]byte, 6<<20), PartitionKey: new("k")}, {Data: make([]byte, 6<<20), PartitionKey: new("k")}}})
	s.fails(err, api.InvalidArgumentException, "Records size exceeds 10 MB limit")
}

func TestSettings(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	arn := "arn:aws:kinesis:eu-west-1:123456789012:stream/s"
	_, err := s.StartStreamEncryption(s.ctx, &api.StartStreamEncryptionInput{StreamName: new("s"), EncryptionType: new("KMS"), KeyId: new("key")})
	s.must(err)
	if p := s.put("s", "x"); awsapi.Val(p.EncryptionType) != "KMS" {
		t.Errorf("put with %v", p.EncryptionType)
	}
	m, err := s.EnableEnhancedMonitoring(s.ctx, &api.EnableEnhancedMonitoringInput{StreamName: new("s"), ShardLevelMetrics: []string{"ALL"}})
	s.must(err)
	if len(m.CurrentShardLevelMetrics) != 0 || len(m.DesiredShardLevelMetrics) != 7 {
		t.Errorf("monitored: %+v", m)
	}
	m, err = s.DisableEnhancedMonitoring(s.ctx, &api.DisableEnhancedMonitoringInput{StreamName: new("s"), ShardLevelMetrics: []string{"IncomingBytes"}})
	s.must(err)
	if len(m.CurrentShardLevelMetrics) != 7 || len(m.DesiredShardLevelMetrics) != 6 {
		t.Errorf("monitored: %+v", m)
	}
	_, err = s.UpdateStreamMode(s.ctx, &api.UpdateStreamModeInput{StreamARN: &arn, StreamModeDetails: &api.StreamModeDetails{StreamMode: new("ON_DEMAND")}})
	s.must(err)
	_, err = s.UpdateShardCount(s.ctx, &api.UpdateShardCountInput{StreamName: new("s"), TargetShardCount: new(int32(2)), ScalingType: new("UNIFORM_SCALING")})
	s.fails(err, api.ValidationException, "On-Demand")
	_, err = s.PutResourcePolicy(s.ctx, &api.PutResourcePolicyInput{ResourceARN: &arn, Policy: new(`{"Statement":[]}`)})
	s.must(err)
	p, err := s.GetResourcePolicy(s.ctx, &api.GetResourcePolicyInput{ResourceARN: &arn})
	s.must(err)
	if *p.Policy != `{"Statement":[]}` {
		t.Errorf("the policy is %s", *p.Policy)
	}
	_, err = s.DeleteResourcePolicy(s.ctx, &api.DeleteResourcePolicyInput{ResourceARN: &arn})
	s.must(err)
	_, err = s.DeleteResourcePolicy(s.ctx, &api.DeleteResourcePolicyInput{ResourceARN: &arn})
	s.fails(err, api.ResourceNotFoundException, "No resource policy found")
}

func TestTags(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	c, err := s.RegisterStreamConsumer(s.ctx, &api.RegisterStreamConsumerInput{StreamARN: new("arn:aws:kinesis:eu-west-1:123456789012:stream/s"), ConsumerName: new("c")})
	s.must(err)
	for _, arn := range []string{"arn:aws:kinesis:eu-west-1:123456789012:stream/s", *c.Consumer.ConsumerARN} {
		_, err := s.TagResource(s.ctx, &api.TagResourceInput{ResourceARN: &arn, Tags: map[string]string{"a": "1", "b": "2"}})
		s.must(err)
		_, err = s.UntagResource(s.ctx, &api.UntagResourceInput{ResourceARN: &arn, TagKeys: []string{"a"}})
		s.must(err)
		out, err := s.ListTagsForResource(s.ctx, &api.ListTagsForResourceInput{ResourceARN: &arn})
		s.must(err)
		if len(out.Tags) != 1 || *out.Tags[0].Key != "b" || *out.Tags[0].Value != "2" {
			t.Errorf("%s has %+v", arn, out.Tags)
		}
	}
}

// subscribe follows a shard and hands on what it is sent.
func (s *stage) subscribe(ctx context.Context, consumer *string) (<-chan *api.SubscribeToShardEvent, error) {
	out, err := s.SubscribeToShard(ctx, &api.SubscribeToShardInput{ConsumerARN: consumer, ShardId: new("0"), StartingPosition: &api.StartingPosition{Type: new("TRIM_HORIZON")}})
	if err != nil {
		return nil, err
	}
	events := make(chan *api.SubscribeToShardEvent)
	go func() {
		defer close(events)
		err := out.EventStream(func(event any) error {
			if e := event.(*api.SubscribeToShardEventStream); e.SubscribeToShardEvent != nil {
				events <- e.SubscribeToShardEvent
			}
			return nil
		})
		if err != nil {
			s.Error(err)
		}
	}()
	return events, nil
}

func TestSubscriptions(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	s.put("s", "a")
	arn := new("arn:aws:kinesis:eu-west-1:123456789012:stream/s")
	c, err := s.RegisterStreamConsumer(s.ctx, &api.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: new("c")})
	s.must(err)
	_, err = s.RegisterStreamConsumer(s.ctx, &api.RegisterStreamConsumerInput{StreamARN: arn, ConsumerName: new("c")})
	s.fails(err, api.ResourceInUseException, "Consumer c under stream s already exists for account 123456789012.")
	_, err = s.DeleteStream(s.ctx, &api.DeleteStreamInput{StreamName: new("s")})
	s.fails(err, api.ResourceInUseException, "")
	consumer := c.Consumer.ConsumerARN
	if !strings.HasPrefix(*consumer, *arn+"/consumer/c:") {
		t.Errorf("the consumer is %s", *consumer)
	}
	events, err := s.subscribe(s.ctx, consumer)
	s.must(err)
	next := func(want string) {
		t.Helper()
		for e := range events {
			if len(e.Records) > 0 {
				if string(e.Records[0].Data) != want || *e.ContinuationSequenceNumber != *e.Records[len(e.Records)-1].SequenceNumber {
					t.Errorf("sent %+v", e)
				}
				return
			}
		}
		t.Errorf("the subscription ended before %s", want)
	}
	next("a")
	_, err = s.subscribe(s.ctx, consumer)
	s.fails(err, api.ResourceInUseException, "Another active subscription exists for this consumer: "+*consumer)
	s.put("s", "b")
	next("b")
	s.clock.Add(takeOver)
	other, err := s.subscribe(s.ctx, consumer)
	s.must(err)
	for range events { // the first ends
	}
	events = other
	next("a")
	s.must(s.split("s", "0", half))
	var last *api.SubscribeToShardEvent
	for e := range events {
		last = e
	}
	if last == nil || len(last.ChildShards) != 2 || last.ContinuationSequenceNumber != nil {
		t.Errorf("the subscription ended with %+v", last)
	}
}

func TestSubscriptionsEndWithTheService(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	c, err := s.RegisterStreamConsumer(s.ctx, &api.RegisterStreamConsumerInput{StreamARN: new("arn:aws:kinesis:eu-west-1:123456789012:stream/s"), ConsumerName: new("c")})
	s.must(err)
	events, err := s.subscribe(s.ctx, c.Consumer.ConsumerARN)
	s.must(err)
	<-events
	s.EndReads()
	for range events {
	}
}
