package kinesis

import (
	"bytes"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	api "cirro/internal/awsapi/kinesis"
)

func TestIterators(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	latest := s.iterator("s", 0, "LATEST", nil)
	first := s.put("s", "a")
	s.clock.Add(time.Second)
	second := s.put("s", "b")
	s.are(s.all("s", 0), "a", "b")
	out := s.get(latest)
	s.are(out, "a", "b")
	s.are(s.get(out.NextShardIterator))
	if r := out.Records[1]; *r.SequenceNumber != *second.SequenceNumber || *r.PartitionKey != "k" || !r.ApproximateArrivalTimestamp.Equal(s.clock.Now()) {
		t.Errorf("read %+v", r)
	}
	s.are(s.get(s.iterator("s", 0, "AT_SEQUENCE_NUMBER", first.SequenceNumber)), "a", "b")
	s.are(s.get(s.iterator("s", 0, "AFTER_SEQUENCE_NUMBER", first.SequenceNumber)), "b")
	s.are(s.get(s.iterator("s", 0, "LATEST", nil)))
	at, err := s.GetShardIterator(s.ctx, &api.GetShardIteratorInput{StreamName: new("s"), ShardId: new("0"), ShardIteratorType: new("AT_TIMESTAMP"), Timestamp: new(s.clock.Now())})
	s.must(err)
	s.are(s.get(at.ShardIterator), "b")
	s.clock.Add(iteratorLife + 1)
	_, err = s.GetRecords(s.ctx, &api.GetRecordsInput{ShardIterator: latest})
	s.fails(err, api.ExpiredIteratorException, "Iterator expired. The iterator was created at time Fri Jan 15 08:00:00 UTC 2027 while right now it is Fri Jan 15 08:05:01 UTC 2027 which is further in the future than the tolerated delay of 300000 milliseconds.")
}

func TestHowFarBehind(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	for range 3 {
		s.put("s", "x")
		s.clock.Add(time.Second)
	}
	out, err := s.GetRecords(s.ctx, &api.GetRecordsInput{ShardIterator: s.iterator("s", 0, "TRIM_HORIZON", nil), Limit: new(int32(1))})
	s.must(err)
	if *out.MillisBehindLatest != 2000 || len(out.Records) != 1 {
		t.Errorf("%d ms behind", *out.MillisBehindLatest)
	}
	if rest := s.get(out.NextShardIterator); *rest.MillisBehindLatest != 0 || len(rest.Records) != 2 {
		t.Errorf("%d ms behind with %d records", *rest.MillisBehindLatest, len(rest.Records))
	}
}

func TestIteratorRefusals(t *testing.T) {
	s := newStage(t)
	s.make("s", 2)
	s.make("other", 1)
	mine, foreign := s.put("s", "x").SequenceNumber, s.put("other", "x").SequenceNumber
	for _, c := range []struct {
		shard, kind string
		sequence    *string
		at          *time.Time
		message     string
	}{
		{"0", "TRIM_HORIZON", mine, nil, "Request specified TRIM_HORIZON and also a StartingSequenceNumber."},
		{"0", "AT_SEQUENCE_NUMBER", nil, nil, "Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber."},
		{"0", "AT_SEQUENCE_NUMBER", new("5"), nil, "StartingSequenceNumber 5 used in GetShardIterator on shard shardId-000000000000 in stream s under account 123456789012 is invalid."},
		{"0", "AT_SEQUENCE_NUMBER", foreign, nil, "is invalid because it did not come from this stream."},
		{"1", "AT_SEQUENCE_NUMBER", mine, nil, "Invalid StartingSequenceNumber. It encodes shardId-000000000000, while it was used in a call to a shard with shardId-000000000001"},
		{"0", "AT_TIMESTAMP", nil, nil, "Must specify timestamp parameter"},
		{"0", "AT_TIMESTAMP", nil, new(s.clock.Now().Add(time.Hour)), "cannot be greater than the currentTimestampInMillis"},
	} {
		_, err := s.GetShardIterator(s.ctx, &api.GetShardIteratorInput{StreamName: new("s"), ShardId: &c.shard, ShardIteratorType: &c.kind, StartingSequenceNumber: c.sequence, Timestamp: c.at})
		s.fails(err, api.InvalidArgumentException, c.message)
	}
	_, err := s.GetShardIterator(s.ctx, &api.GetShardIteratorInput{StreamName: new("s"), ShardId: new("shardId-000000000002"), ShardIteratorType: new("LATEST")})
	s.fails(err, api.ResourceNotFoundException, "Could not find shard shardId-000000000002 in stream s under account 123456789012.")
	it := s.iterator("other", 0, "LATEST", nil)
	_, err = s.DeleteStream(s.ctx, &api.DeleteStreamInput{StreamName: new("other")})
	s.must(err)
	s.make("other", 1)
	_, err = s.GetRecords(s.ctx, &api.GetRecordsInput{ShardIterator: it})
	s.fails(err, api.ResourceNotFoundException, "does not exist")
	s.are(s.all("other", 0))
}

// A reader within the platform waits for the first record, and wakes when it comes.
func TestReadersWait(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	at := s.iterator("s", 0, "LATEST", nil)
	got := make(chan *api.GetRecordsOutput)
	read := func() {
		out, err := s.GetRecords(requestContext(s.ctx, time.Hour), &api.GetRecordsInput{ShardIterator: at})
		if err != nil {
			t.Error(err)
			out = new(api.GetRecordsOutput)
		}
		got <- out
	}
	go read()
	s.put("s", "x")
	s.are(<-got, "x")
	at = s.iterator("s", 0, "LATEST", nil)
	go read()
	s.EndReads()
	s.are(<-got)
}

func TestRetention(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	s.put("s", "old")
	s.clock.Add(20 * time.Hour)
	s.put("s", "young")
	_, err := s.IncreaseStreamRetentionPeriod(s.ctx, &api.IncreaseStreamRetentionPeriodInput{StreamName: new("s"), RetentionPeriodHours: new(int32(48))})
	s.must(err)
	s.clock.Add(10 * time.Hour)
	s.are(s.all("s", 0), "old", "young")
	_, err = s.DecreaseStreamRetentionPeriod(s.ctx, &api.DecreaseStreamRetentionPeriodInput{StreamName: new("s"), RetentionPeriodHours: new(int32(24))})
	s.must(err)
	s.are(s.all("s", 0), "young")
	s.must(s.trimAll(t.Context()))
	_, err = s.IncreaseStreamRetentionPeriod(s.ctx, &api.IncreaseStreamRetentionPeriodInput{StreamName: new("s"), RetentionPeriodHours: new(int32(48))})
	s.must(err)
	s.are(s.all("s", 0), "young") // the other is really gone
	for hours, message := range map[int32]string{
		23:   "Minimum allowed retention period is 24 hours. Requested retention period (23 hours) is too short.",
		8761: "Maximum allowed retention period is 8760 hours. Requested retention period (8761 hours) is too long.",
		30:   "Requested retention period (30 hours) for stream s can not be shorter than existing retention period (48 hours). Use DecreaseRetentionPeriod API.",
	} {
		_, err := s.IncreaseStreamRetentionPeriod(s.ctx, &api.IncreaseStreamRetentionPeriodInput{StreamName: new("s"), RetentionPeriodHours: &hours})
		s.fails(err, api.InvalidArgumentException, message)
	}
}

func TestThrottling(t *testing.T) {
	s := newStage(t, func(d *Deps) { d.Throttle = true })
	s.make("s", 1)
	batch := &api.PutRecordsInput{StreamName: new("s")}
	for range 500 {
		batch.Records = append(batch.Records, api.PutRecordsRequestEntry{Data: []byte("x"), PartitionKey: new("k")})
	}
	for _, failed := range []int32{0, 0, 500} {
		out, err := s.PutRecords(s.ctx, batch)
		s.must(err)
		if *out.FailedRecordCount != failed {
			t.Errorf("%d failed, not %d", *out.FailedRecordCount, failed)
		}
		if failed > 0 && *out.Records[0].ErrorCode != "ProvisionedThroughputExceededException" {
			t.Errorf("failed with %s", *out.Records[0].ErrorCode)
		}
	}
	s.clock.Add(time.Second)
	s.put("s", strings.Repeat("x", 1<<20))
	_, err := s.PutRecord(s.ctx, &api.PutRecordInput{StreamName: new("s"), Data: []byte("x"), PartitionKey: new("k")})
	s.fails(err, api.ProvisionedThroughputExceededException, "Rate exceeded for shard shardId-000000000000 in stream s under account 123456789012.")
}

func TestSequenceNumbers(t *testing.T) {
	a, b := &stream{mark: 1}, &stream{mark: 1 << 31}
	last := new(big.Int)
	for _, c := range []struct {
		of     *stream
		shard  int
		number int64
		end    bool
	}{{a, 0, 0, false}, {b, 0, 0, false}, {a, 1, 0, false}, {a, 1, 0, true}, {a, 0, 1, false}, {a, 1 << 20, 1, true}, {b, 7, 1 << 62, true}} {
		text := c.of.sequenceOf(c.shard, c.number, c.end)
		n, _ := new(big.Int).SetString(text, 10)
		if len(text) != 56 || n.Cmp(last) <= 0 {
			t.Errorf("%s after %s", text, last)
		}
		last = n
		if p, ok := parseSequence(text); !ok || p != (place{c.number, c.shard, c.of.mark}) {
			t.Errorf("%s says %+v", text, p)
		}
	}
}

// What a binary search finds is what looking at all finds.
func TestLastBefore(t *testing.T) {
	s := newStage(t)
	s.make("s", 1)
	random := rand.New(rand.NewPCG(1, 2))
	var times []time.Time
	for i := range 60 {
		if random.IntN(3) > 0 {
			s.clock.Add(time.Second)
		}
		times = append(times, s.clock.Now())
		s.put("s", string(rune('A'+i)))
		if random.IntN(4) == 0 {
			s.make("filler"+string(rune('A'+i)), 1) // takes numbers
		}
	}
	for at := times[0].Add(-time.Second); !at.After(s.clock.Now()); at = at.Add(time.Second) {
		want := ""
		for i, when := range times {
			if !when.Before(at) {
				want += string(rune('A' + i))
			}
		}
		it, err := s.GetShardIterator(s.ctx, &api.GetShardIteratorInput{StreamName: new("s"), ShardId: new("0"), ShardIteratorType: new("AT_TIMESTAMP"), Timestamp: &at})
		s.must(err)
		got := ""
		for _, r := range s.get(it.ShardIterator).Records {
			got += string(r.Data)
		}
		if got != want {
			t.Errorf("from %v on: %s, not %s", at, got, want)
		}
	}
}

func TestEntryEncoding(t *testing.T) {
	e := entry{at: time.UnixMilli(1_800_000_000_123), key: "k", data: []byte("data")}
	if got, err := decodeEntry(e.encode()); err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("%+v came back as %+v: %v", e, got, err)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add((&entry{at: time.UnixMilli(1), key: "k", data: []byte("d")}).encode())
	f.Add([]byte{entryVersion})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := decodeEntry(b)
		if err != nil {
			return
		}
		if again, err := decodeEntry(e.encode()); err != nil || again.key != e.key || !bytes.Equal(again.data, e.data) {
			t.Errorf("%+v came back as %+v: %v", e, again, err)
		}
	})
}

func FuzzParseIterator(f *testing.F) {
	f.Add(iterator{stream: "i", name: "n", shard: 3, after: 9, made: time.UnixMilli(5)}.String())
	f.Add("AAAAAAAAAAE=")
	f.Fuzz(func(t *testing.T, text string) {
		it, ok := parseIterator(text)
		if !ok {
			return
		}
		if again, ok := parseIterator(it.String()); !ok || again != it {
			t.Errorf("%+v came back as %+v", it, again)
		}
	})
}

func FuzzParseSequence(f *testing.F) {
	f.Add((&stream{mark: 7}).sequence(3, 9))
	f.Add("0")
	f.Add(strings.Repeat("9", 56))
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := parseSequence(text)
		if !ok {
			return
		}
		if again, ok := parseSequence((&stream{mark: p.mark}).sequence(p.shard, p.number)); !ok || again != p {
			t.Errorf("%+v came back as %+v", p, again)
		}
	})
}

func FuzzParseShardToken(f *testing.F) {
	f.Add(shardToken{Account: account, Region: region, Name: "s", After: "shardId-000000000000"}.String())
	f.Add("e30=")
	f.Fuzz(func(t *testing.T, text string) {
		if token, ok := parseShardToken(text); ok && token.Name == "" {
			t.Errorf("%+v", token)
		}
	})
}
