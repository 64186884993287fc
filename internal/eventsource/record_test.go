package eventsource

import (
	"testing"
	"time"

	streamsapi "cirro/internal/awsapi/dynamodbstreams"
	kinesisapi "cirro/internal/awsapi/kinesis"
)

func TestSeconds(t *testing.T) {
	for ms, want := range map[int64]string{0: "0.0", 1000: "1.0", 1545084650987: "1545084650.987", 1545084650980: "1545084650.98", 1545084650007: "1545084650.007", 10: "0.01"} {
		if b, err := seconds(time.UnixMilli(ms)).MarshalJSON(); err != nil || string(b) != want {
			t.Errorf("%d: %s, %v", ms, b, err)
		}
	}
}

// TestKinesisEvent has a record as Lambda has it, and as pipes have.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-kinesis.html
func TestKinesisEvent(t *testing.T) {
	for flat, want := range map[bool]string{
		false: `{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"k","sequenceNumber":"49","data":"aGk=","approximateArrivalTimestamp":1.5},` +
			`"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shard:49","eventName":"aws:kinesis:record","invokeIdentityArn":"role",` +
			`"awsRegion":"us-east-1","eventSourceARN":"` + streamARN + `"}`,
		true: `{"kinesisSchemaVersion":"1.0","partitionKey":"k","sequenceNumber":"49","data":"aGk=","approximateArrivalTimestamp":1.5,` +
			`"eventSource":"aws:kinesis","eventVersion":"1.0","eventID":"shard:49","eventName":"aws:kinesis:record","invokeIdentityArn":"role",` +
			`"awsRegion":"us-east-1","eventSourceARN":"` + streamARN + `"}`,
	} {
		p, err := New(Deps{}, streamSource(func(s *Source) { s.Flat, s.Role = flat, "role" }), newHands(well))
		if err != nil {
			t.Fatal(err)
		}
		r := (&kinesisAPI{p}).record("shard", &kinesisapi.Record{PartitionKey: new("k"), SequenceNumber: new("49"), Data: []byte("hi"),
			ApproximateArrivalTimestamp: new(time.UnixMilli(1500))})
		if string(r.Event) != want || r.ID != "49" || r.key != "k" {
			t.Errorf("got  %s\nwant %s", r.Event, want)
		}
		if !(&Source{Filters: []Filter{filterOf{"data", "hi"}}}).selects(r.Event, "data") {
			t.Error("the data is not what is filtered")
		}
	}
}

// TestTableEvent has all types of attributes.
func TestTableEvent(t *testing.T) {
	const arn = "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/2024"
	p, err := New(Deps{}, Source{ARN: arn}, newHands(well))
	if err != nil {
		t.Fatal(err)
	}
	value := func(s string) streamsapi.AttributeValue { return streamsapi.AttributeValue{S: &s} }
	r := (&dynamodbAPI{Poller: p, hash: "pk"}).record(&streamsapi.Record{
		EventID: new("id"), EventName: new("MODIFY"), EventVersion: new("1.1"),
		UserIdentity: &streamsapi.Identity{Type: new("Service"), PrincipalId: new("dynamodb.amazonaws.com")},
		Dynamodb: &streamsapi.StreamRecord{
			ApproximateCreationDateTime: new(time.Unix(7, 0)), SequenceNumber: new("12"), SizeBytes: new(int64(3)), StreamViewType: new("NEW_IMAGE"),
			Keys: map[string]streamsapi.AttributeValue{"pk": value("a")},
			NewImage: map[string]streamsapi.AttributeValue{
				"b": {B: []byte{}}, "bool": {BOOL: new(false)}, "bs": {BS: [][]byte{{1}}}, "l": {L: []streamsapi.AttributeValue{{NULL: new(true)}}},
				"m": {M: map[string]streamsapi.AttributeValue{"x": {NS: []string{"1"}}}}, "none": {L: []streamsapi.AttributeValue{}}, "n": {N: new("1")}, "ss": {SS: []string{"<"}}},
		}})
	want := `{"eventID":"id","eventName":"MODIFY","eventVersion":"1.1","eventSource":"aws:dynamodb","awsRegion":"us-east-1",` +
		`"dynamodb":{"ApproximateCreationDateTime":7.0,"Keys":{"pk":{"S":"a"}},"NewImage":{"b":{"B":""},"bool":{"BOOL":false},"bs":{"BS":["AQ=="]},` +
		`"l":{"L":[{"NULL":true}]},"m":{"M":{"x":{"NS":["1"]}}},"n":{"N":"1"},"none":{"L":[]},"ss":{"SS":["<"]}},` +
		`"SequenceNumber":"12","SizeBytes":3,"StreamViewType":"NEW_IMAGE"},` +
		`"userIdentity":{"type":"Service","principalId":"dynamodb.amazonaws.com"},"eventSourceARN":"` + arn + `"}`
	if string(r.Event) != want || r.ID != "12" || r.key != `{"S":"a"}` {
		t.Errorf("got  %s\nwant %s", r.Event, want)
	}
}

func FuzzLocate(f *testing.F) {
	for _, arn := range []string{"arn:aws:sqs:us-east-1:000000000000:q.fifo", streamARN, "arn:aws:dynamodb:us-east-1:000000000000:table/t/stream/l",
		"arn:aws:dynamodb:us-east-1:000000000000:table/t", "arn:aws:s3:::b", "::::::", ""} {
		f.Add(arn)
	}
	f.Fuzz(func(t *testing.T, arn string) {
		p, err := Locate(arn)
		if err == nil && (p.Resource == "" || p.Kind != SQS && p.Kind != Kinesis && p.Kind != DynamoDB) {
			t.Fatalf("%q: %+v", arn, p)
		}
	})
}
