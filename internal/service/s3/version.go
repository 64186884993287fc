package s3

import (
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// nullVersion is the id of a version that was made while its bucket had no versioning, or had it suspended.
const nullVersion = "null"

// version is one version of an object, or a delete marker.
type version struct {
	ID       string
	Order    int64 // among the versions of a key: greater is newer
	Marker   bool  // a delete marker, which has nothing below but Modified
	Modified time.Time
	Size     int64
	ETag     string // without quotes
	Body     body
	Parts    int    // that it was uploaded in; 0 for one that was not uploaded in parts
	Upload   string // the multipart upload that it came by

	Class       string // of storage; "" for STANDARD
	ContentType string
	Headers     []pair // Cache-Control and the like, by the names below
	Metadata    []pair // of the user, in the order of their names
	Checksum    checksum

	Encryption string // AES256 or aws:kms; "" for AES256
	KMSKey     string
	KMSContext string
	BucketKey  bool
	Customer   customerKey

	Tags        []pair
	LockMode    string // GOVERNANCE or COMPLIANCE; "" for none
	RetainUntil time.Time
	LegalHold   string    // ON or OFF; "" for never set
	ACL         []byte    // as the ACL's file writes it; nil for private
	Owner       string    // an account; "" for the bucket's
	Restored    time.Time // until when what is archived can be read
}

// The names in a version's Headers.
const (
	cacheControl       = "Cache-Control"
	contentDisposition = "Content-Disposition"
	contentEncoding    = "Content-Encoding"
	contentLanguage    = "Content-Language"
	expires            = "Expires"
	websiteRedirect    = "x-amz-website-redirect-location"
)

// pair is a name with its value.
type pair struct{ Name, Value string }

// checksum is what a client can compare a body with.
type checksum struct {
	Algorithm string // CRC32, ...; "" for none
	Type      string // FULL_OBJECT or COMPOSITE
	Value     string // base64, and "-N" where it is composite of N parts
}

// customerKey is what is remembered of a key that the customer keeps: never the key.
type customerKey struct {
	MD5   string // base64; "" where there is none
	Nonce []byte // that the body is encrypted with
}

// kind is where a body is.
type kind uint8

const (
	empty   kind = iota // nowhere: it has no bytes
	inStore             // under bodyKey
	inBlobs             // in the blob store, under blobKey
	inParts             // parts, listed under partsKey
)

// body says where bytes are.
type body struct {
	Kind kind
	ID   string
}

// header returns the value of a version's header, or nil.
func (v *version) header(name string) *string {
	for i := range v.Headers {
		if v.Headers[i].Name == name {
			return &v.Headers[i].Value
		}
	}
	return nil
}

// The numbers of a version's fields in its binary form. They are for good.
const (
	fieldID protowire.Number = iota + 1
	fieldOrder
	fieldMarker
	fieldModified
	fieldSize
	fieldETag
	fieldBodyKind
	fieldBodyID
	fieldParts
	fieldUpload
	fieldClass
	fieldContentType
	fieldHeader
	fieldMetadata
	fieldChecksumAlgorithm
	fieldChecksumType
	fieldChecksumValue
	fieldEncryption
	fieldKMSKey
	fieldKMSContext
	fieldBucketKey
	fieldCustomerMD5
	fieldCustomerNonce
	fieldTag
	fieldLockMode
	fieldRetainUntil
	fieldLegalHold
	fieldACL
	fieldOwner
	fieldRestored
)

// encode appends a version's binary form, which is that of a protocol buffer: what is absent takes no room,
// and what a later release adds an older one skips.
func (v *version) encode(b []byte) []byte {
	b = appendText(b, fieldID, v.ID)
	b = appendNumber(b, fieldOrder, v.Order)
	b = appendFlag(b, fieldMarker, v.Marker)
	b = appendTime(b, fieldModified, v.Modified)
	b = appendNumber(b, fieldSize, v.Size)
	b = appendText(b, fieldETag, v.ETag)
	b = appendNumber(b, fieldBodyKind, int64(v.Body.Kind))
	b = appendText(b, fieldBodyID, v.Body.ID)
	b = appendNumber(b, fieldParts, int64(v.Parts))
	b = appendText(b, fieldUpload, v.Upload)
	b = appendText(b, fieldClass, v.Class)
	b = appendText(b, fieldContentType, v.ContentType)
	b = appendPairs(b, fieldHeader, v.Headers)
	b = appendPairs(b, fieldMetadata, v.Metadata)
	b = appendText(b, fieldChecksumAlgorithm, v.Checksum.Algorithm)
	b = appendText(b, fieldChecksumType, v.Checksum.Type)
	b = appendText(b, fieldChecksumValue, v.Checksum.Value)
	b = appendText(b, fieldEncryption, v.Encryption)
	b = appendText(b, fieldKMSKey, v.KMSKey)
	b = appendText(b, fieldKMSContext, v.KMSContext)
	b = appendFlag(b, fieldBucketKey, v.BucketKey)
	b = appendText(b, fieldCustomerMD5, v.Customer.MD5)
	b = appendText(b, fieldCustomerNonce, string(v.Customer.Nonce))
	b = appendPairs(b, fieldTag, v.Tags)
	b = appendText(b, fieldLockMode, v.LockMode)
	b = appendTime(b, fieldRetainUntil, v.RetainUntil)
	b = appendText(b, fieldLegalHold, v.LegalHold)
	b = appendText(b, fieldACL, string(v.ACL))
	b = appendText(b, fieldOwner, v.Owner)
	return appendTime(b, fieldRestored, v.Restored)
}

func appendText(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendNumber(b []byte, n protowire.Number, i int64) []byte {
	if i == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), protowire.EncodeZigZag(i))
}

func appendFlag(b []byte, n protowire.Number, set bool) []byte {
	if !set {
		return b
	}
	return appendNumber(b, n, 1)
}

// appendTime appends a time, to the millisecond.
func appendTime(b []byte, n protowire.Number, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendNumber(b, n, t.UnixMilli())
}

func appendPairs(b []byte, n protowire.Number, pairs []pair) []byte {
	for _, p := range pairs {
		b = protowire.AppendTag(b, n, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(protowire.SizeBytes(len(p.Name))+len(p.Value)))
		b = protowire.AppendString(b, p.Name)
		b = append(b, p.Value...)
	}
	return b
}

var errRecord = errors.New("s3: a record cannot be read")

// decodeVersion reads a version's binary form.
func decodeVersion(b []byte) (*version, error) {
	v := &version{}
	return v, v.decode(b)
}

func (v *version) decode(b []byte) error { return fields(b, v.setNumber, v.setText) }

// fields walks the fields of a record's binary form.
func fields(b []byte, number func(protowire.Number, int64), text func(protowire.Number, []byte) error) error {
	for len(b) > 0 {
		n, t, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errRecord
		}
		b = b[size:]
		switch t {
		case protowire.VarintType:
			i, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return errRecord
			}
			b = b[size:]
			number(n, protowire.DecodeZigZag(i))
		case protowire.BytesType:
			s, size := protowire.ConsumeBytes(b)
			if size < 0 {
				return errRecord
			}
			b = b[size:]
			if err := text(n, s); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: field %d has type %d", errRecord, n, t)
		}
	}
	return nil
}

func (v *version) setNumber(n protowire.Number, i int64) {
	switch n {
	case fieldOrder:
		v.Order = i
	case fieldMarker:
		v.Marker = true
	case fieldModified:
		v.Modified = time.UnixMilli(i).UTC()
	case fieldSize:
		v.Size = i
	case fieldBodyKind:
		v.Body.Kind = kind(i)
	case fieldParts:
		v.Parts = int(i)
	case fieldBucketKey:
		v.BucketKey = true
	case fieldRetainUntil:
		v.RetainUntil = time.UnixMilli(i).UTC()
	case fieldRestored:
		v.Restored = time.UnixMilli(i).UTC()
	}
}

func (v *version) setText(n protowire.Number, s []byte) error {
	switch n {
	case fieldID:
		v.ID = string(s)
	case fieldETag:
		v.ETag = string(s)
	case fieldBodyID:
		v.Body.ID = string(s)
	case fieldUpload:
		v.Upload = string(s)
	case fieldClass:
		v.Class = string(s)
	case fieldContentType:
		v.ContentType = string(s)
	case fieldHeader:
		return addPair(&v.Headers, s)
	case fieldMetadata:
		return addPair(&v.Metadata, s)
	case fieldChecksumAlgorithm:
		v.Checksum.Algorithm = string(s)
	case fieldChecksumType:
		v.Checksum.Type = string(s)
	case fieldChecksumValue:
		v.Checksum.Value = string(s)
	case fieldEncryption:
		v.Encryption = string(s)
	case fieldKMSKey:
		v.KMSKey = string(s)
	case fieldKMSContext:
		v.KMSContext = string(s)
	case fieldCustomerMD5:
		v.Customer.MD5 = string(s)
	case fieldCustomerNonce:
		v.Customer.Nonce = append([]byte(nil), s...)
	case fieldTag:
		return addPair(&v.Tags, s)
	case fieldLockMode:
		v.LockMode = string(s)
	case fieldLegalHold:
		v.LegalHold = string(s)
	case fieldACL:
		v.ACL = append([]byte(nil), s...)
	case fieldOwner:
		v.Owner = string(s)
	}
	return nil
}

func addPair(pairs *[]pair, b []byte) error {
	name, size := protowire.ConsumeString(b)
	if size < 0 {
		return errRecord
	}
	*pairs = append(*pairs, pair{name, string(b[size:])})
	return nil
}
