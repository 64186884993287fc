package s3

import (
	"errors"
	"fmt"
	"time"

	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"

	"google.golang.org/protobuf/encoding/protowire"
)

// Limits of uploads in parts.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const (
	maxParts  = 10_000
	minPart   = 5 << 20 // of all parts but the last
	maxObject = 50 << 40
)

// upload is an upload in parts: what its object will be, apart from its body.
type upload struct {
	version
	Initiated time.Time
	Initiator string // an account
}

// uploadOf reads an upload's record, or answers NoSuchUpload.
func (s *Service) uploadOf(r store.Reader, b *bucket, key, id string) (*upload, error) {
	raw, err := r.Get(uploadKey(b.ID, key, id))
	if errors.Is(err, store.ErrNotFound) {
		return nil, api.NoSuchUpload.New("The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.").
			With("UploadId", id)
	}
	if err != nil {
		return nil, err
	}
	return decodeUpload(raw)
}

// The numbers of an upload's fields in its binary form. They are for good.
const (
	uploadVersion protowire.Number = iota + 1
	uploadInitiated
	uploadInitiator
)

func (u *upload) encode() []byte {
	b := appendText(nil, uploadVersion, string(u.version.encode(nil)))
	b = appendTime(b, uploadInitiated, u.Initiated)
	return appendText(b, uploadInitiator, u.Initiator)
}

func decodeUpload(raw []byte) (*upload, error) {
	u := &upload{}
	err := fields(raw, func(n protowire.Number, i int64) {
		if n == uploadInitiated {
			u.Initiated = time.UnixMilli(i).UTC()
		}
	}, func(n protowire.Number, s []byte) error {
		switch n {
		case uploadVersion:
			return u.version.decode(s)
		case uploadInitiator:
			u.Initiator = string(s)
		}
		return nil
	})
	return u, err
}

// partsUploaded walks the parts of an upload from a number on.
func partsUploaded(r store.Reader, id string, from int, visit func(p part) bool) error {
	over := store.Prefix("s3", "part", id)
	over.Start = partKey(id, from)
	for kv, err := range r.Range(over) {
		if err != nil {
			return err
		}
		p, err := decodePart(kv.Value)
		if err != nil {
			return fmt.Errorf("%w: %q", err, kv.Key)
		}
		if !visit(p) {
			break
		}
	}
	return nil
}

// endUpload removes an upload with all its parts.
func (s *Service) endUpload(tx store.Tx, bucketID, key, id string) error {
	var dropped error
	err := partsUploaded(tx, id, 0, func(p part) bool {
		dropped = s.dropBody(tx, p.Body)
		return dropped == nil
	})
	if err = errors.Join(err, dropped); err != nil {
		return err
	}
	return s.forgetUpload(tx, bucketID, key, id)
}

// forgetUpload removes the records of an upload and its parts, whose bodies are taken care of.
func (s *Service) forgetUpload(tx store.Tx, bucketID, key, id string) error {
	over := store.Prefix("s3", "part", id)
	if err := tx.DeleteRange(over.Start, over.End); err != nil {
		return err
	}
	return tx.Delete(uploadKey(bucketID, key, id))
}
