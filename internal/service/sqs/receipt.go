package sqs

import (
	"encoding/base64"
	"encoding/binary"
	"time"

	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// receipt is what a receipt handle says: which lease of which message, of which queue, when it was given and until
// when.
type receipt struct {
	queue    string // the record's ID
	received time.Time
	until    time.Time
	id       string
	token    string
}

const receiptVersion = 1

func (r receipt) String() string {
	b := make([]byte, 0, 1+5*binary.MaxVarintLen64+len(r.queue)+len(r.id)+len(r.token))
	b = append(b, receiptVersion)
	b = binary.AppendUvarint(b, uint64(r.received.UnixMilli()))
	b = binary.AppendUvarint(b, uint64(r.until.UnixMilli()))
	for _, s := range [...]string{r.queue, r.id, r.token} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func parseReceipt(handle string) (receipt, bool) {
	b, err := base64.StdEncoding.DecodeString(handle)
	if err != nil {
		return receipt{}, false
	}
	r := reader{rest: b}
	if v := r.take(1); r.bad || v[0] != receiptVersion {
		return receipt{}, false
	}
	out := receipt{received: time.UnixMilli(int64(r.number())), until: time.UnixMilli(int64(r.number())), queue: string(r.counted()), id: string(r.counted()), token: string(r.counted())}
	return out, !r.bad && len(r.rest) == 0
}

// lease is the lease that a handle of the queue's names.
func (q *queue) lease(handle string) (store.Lease, receipt, error) {
	r, ok := parseReceipt(handle)
	if !ok || r.queue != q.record.ID {
		return store.Lease{}, r, api.ReceiptHandleIsInvalid.New("The input receipt handle \"%s\" is not a valid receipt handle.", handle)
	}
	return store.Lease{Queue: q.messages, ID: r.id, Token: r.token}, r, nil
}
