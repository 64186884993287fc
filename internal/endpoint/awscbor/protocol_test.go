package awscbor_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"cirro/internal/awsapi/kinesis"
	"cirro/internal/endpoint"
)

// streams has one stream.
type streams struct {
	kinesis.Unimplemented
	t *testing.T
}

var made = time.UnixMilli(1_800_000_000_123).UTC()

func (s streams) GetShardIterator(_ context.Context, in *kinesis.GetShardIteratorInput) (*kinesis.GetShardIteratorOutput, error) {
	if *in.StreamName != "s" {
		return nil, kinesis.ResourceNotFoundException.New("Stream %s not found.", *in.StreamName)
	}
	if !in.Timestamp.Equal(made) {
		s.t.Errorf("the time is %v", in.Timestamp)
	}
	return &kinesis.GetShardIteratorOutput{ShardIterator: new("i")}, nil
}

func (s streams) GetRecords(_ context.Context, in *kinesis.GetRecordsInput) (*kinesis.GetRecordsOutput, error) {
	return &kinesis.GetRecordsOutput{Records: []kinesis.Record{{Data: []byte{0, 0xff}, PartitionKey: in.ShardIterator, ApproximateArrivalTimestamp: &made}}}, nil
}

func (s streams) DeleteStream(context.Context, *kinesis.DeleteStreamInput) (*kinesis.DeleteStreamOutput, error) {
	return nil, nil
}

// As AWS's SDK for Java asks and is answered.
func TestCalls(t *testing.T) {
	e := endpoint.New(endpoint.Options{})
	e.Register(&kinesis.Service, streams{t: t})
	call := func(operation string, in map[string]any) (status int, out map[string]any) {
		body, err := cbor.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("POST", "/", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/x-amz-cbor-1.1")
		r.Header.Set("X-Amz-Target", "Kinesis_20131202."+operation)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Type"); got != "application/x-amz-cbor-1.1" {
			t.Errorf("%s is answered in %s", operation, got)
		}
		if w.Body.Len() > 0 {
			if err := cbor.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatalf("%s is answered with %x: %v", operation, w.Body, err)
			}
		}
		return w.Code, out
	}
	at := cbor.Tag{Number: 1, Content: made.UnixMilli()}
	iterator := map[string]any{"StreamName": "s", "ShardId": "0", "ShardIteratorType": "AT_TIMESTAMP", "Timestamp": at}
	if status, out := call("GetShardIterator", iterator); status != 200 || out["ShardIterator"] != "i" {
		t.Errorf("%d: %v", status, out)
	}
	iterator["StreamName"] = "t"
	if status, out := call("GetShardIterator", iterator); status != 400 || out["__type"] != "ResourceNotFoundException" || out["message"] != "Stream t not found." {
		t.Errorf("%d: %v", status, out)
	}
	status, out := call("GetRecords", map[string]any{"ShardIterator": "k"})
	record := out["Records"].([]any)[0].(map[any]any)
	if status != 200 || !bytes.Equal(record["Data"].([]byte), []byte{0, 0xff}) || record["PartitionKey"] != "k" || record["ApproximateArrivalTimestamp"].(time.Time).Unix() != made.UnixMilli() {
		t.Errorf("%d: %v", status, out)
	}
	if status, out := call("DeleteStream", map[string]any{"StreamName": "s"}); status != 200 || out != nil {
		t.Errorf("%d: %v", status, out)
	}
	if status, out := call("Nothing", nil); status != 400 || out["__type"] != "UnknownOperationException" {
		t.Errorf("%d: %v", status, out)
	}
}
