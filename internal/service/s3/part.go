package s3

import (
	"fmt"
	"time"

	"cirro/internal/store"

	"google.golang.org/protobuf/encoding/protowire"
)

// part is a part of an upload, and then of the object that the upload became.
type part struct {
	Number   int
	Size     int64
	ETag     string // without quotes
	Body     body
	Modified time.Time
	Sum      string // its checksum, of the upload's algorithm
	Nonce    []byte // that the body is encrypted with, where a customer keeps the key
}

// The numbers of a part's fields in its binary form. They are for good.
const (
	partNumber protowire.Number = iota + 1
	partSize
	partETag
	partBodyKind
	partBodyID
	partModified
	partSum
	partNonce
)

func (p *part) encode(b []byte) []byte {
	b = appendNumber(b, partNumber, int64(p.Number))
	b = appendNumber(b, partSize, p.Size)
	b = appendText(b, partETag, p.ETag)
	b = appendNumber(b, partBodyKind, int64(p.Body.Kind))
	b = appendText(b, partBodyID, p.Body.ID)
	b = appendTime(b, partModified, p.Modified)
	b = appendText(b, partSum, p.Sum)
	return appendText(b, partNonce, string(p.Nonce))
}

func decodePart(b []byte) (part, error) {
	p := part{}
	err := fields(b, func(n protowire.Number, i int64) {
		switch n {
		case partNumber:
			p.Number = int(i)
		case partSize:
			p.Size = i
		case partBodyKind:
			p.Body.Kind = kind(i)
		case partModified:
			p.Modified = time.UnixMilli(i).UTC()
		}
	}, func(n protowire.Number, s []byte) error {
		switch n {
		case partETag:
			p.ETag = string(s)
		case partBodyID:
			p.Body.ID = string(s)
		case partSum:
			p.Sum = string(s)
		case partNonce:
			p.Nonce = append([]byte(nil), s...)
		}
		return nil
	})
	return p, err
}

// encodeParts is the list of an object's parts in binary form.
func encodeParts(parts []part) []byte {
	var b, one []byte
	for i := range parts {
		one = parts[i].encode(one[:0])
		b = protowire.AppendBytes(b, one)
	}
	return b
}

func decodeParts(b []byte) ([]part, error) {
	var parts []part
	for len(b) > 0 {
		one, size := protowire.ConsumeBytes(b)
		if size < 0 {
			return nil, errRecord
		}
		p, err := decodePart(one)
		if err != nil {
			return nil, err
		}
		parts, b = append(parts, p), b[size:]
	}
	return parts, nil
}

// partsOf reads the list of the parts that a body is made of.
func partsOf(r store.Reader, id string) ([]part, error) {
	raw, err := r.Get(partsKey(id))
	if err != nil {
		return nil, fmt.Errorf("s3: parts %s: %w", id, err)
	}
	return decodeParts(raw)
}
