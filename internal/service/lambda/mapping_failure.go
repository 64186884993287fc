package lambda

import (
	"encoding/json"
	"net/http"

	"cirro/internal/eventsource"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// discardedBatch is the record of a stream's records that were given up.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
type discardedBatch struct {
	RequestContext  outcomeRequest   `json:"requestContext"`
	ResponseContext *outcomeResponse `json:"responseContext,omitempty"`
	Version         string           `json:"version"`
	Timestamp       string           `json:"timestamp"`
	Kinesis         *batchInfo       `json:"KinesisBatchInfo,omitempty"`
	DynamoDB        *batchInfo       `json:"DDBStreamBatchInfo,omitempty"`
	Payload         string           `json:"payload,omitempty"` // to a bucket alone: the event
}

type batchInfo struct {
	Shard  string `json:"shardId"`
	First  string `json:"startSequenceNumber"`
	Last   string `json:"endSequenceNumber"`
	Oldest string `json:"approximateArrivalOfFirstRecord"`
	Newest string `json:"approximateArrivalOfLastRecord"`
	Size   int    `json:"batchSize"`
	Stream string `json:"streamArn"`
}

// instant is a time as Lambda's records have it.
const instant = "2006-01-02T15:04:05.000Z"

// Discard sends the record of what is given up on its way.
func (h *mappingHandler) Discard(tx store.Tx, d *eventsource.Discarded) error {
	m := h.mapping
	if m.OnFailure == "" {
		return nil
	}
	out := delivery{scope: m.scope, Function: m.Function, FunctionARN: m.functionARN(), Role: h.role,
		Condition: ending(d.Reason), Target: m.OnFailure, Source: &deliverySource{UUID: m.UUID, Shard: d.Shard}, At: h.Clock()}
	out.RequestID = uuid.NewString()
	rec := discardedBatch{Version: "1.0", Timestamp: h.Clock().UTC().Format(instant)}
	if a, ok := d.Note.(*attempted); ok {
		out.RequestID = a.Request
		rec.ResponseContext = &outcomeResponse{http.StatusOK, a.Version, a.FunctionError}
	}
	rec.RequestContext = outcomeRequest{out.RequestID, m.functionARN(), out.Condition, d.Attempts}
	first, last := &d.Records[0], &d.Records[len(d.Records)-1]
	info := &batchInfo{d.Shard, first.ID, last.ID, first.Arrived.UTC().Format(instant), last.Arrived.UTC().Format(instant),
		len(d.Records), m.Source}
	if m.kind() == eventsource.Kinesis {
		rec.Kinesis = info
	} else {
		rec.DynamoDB = info
	}
	if out.toBucket() {
		rec.Payload = string(h.payload(&eventsource.Batch{Records: d.Records, Shard: d.Shard}))
	}
	body, err := json.Marshal(rec)
	if err != nil {
		panic(err) // strings and numbers
	}
	out.Body = string(body)
	_, err = tx.Enqueue(deliveryQueue, store.NewMessage{Body: out.encode()})
	return err
}
