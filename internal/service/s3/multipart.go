package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

// CreateMultipartUpload begins an upload in parts.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html
func (s *Service) CreateMultipartUpload(ctx context.Context, in *api.CreateMultipartUploadRequest) (*api.CreateMultipartUploadOutput, error) {
	q := awsapi.RequestOf(ctx)
	u := &upload{Initiated: s.Clock().UTC(), Initiator: q.Account()}
	d := &description{in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage,
		in.WebsiteRedirectLocation, in.Expires, in.Metadata}
	err := checkKey(*in.Key)
	if err == nil {
		err = d.describe(&u.version)
	}
	if err == nil {
		u.Class, err = storageClass(in.StorageClass)
	}
	if err == nil {
		u.Checksum, err = uploadChecksum(in.ChecksumAlgorithm, in.ChecksumType)
	}
	if err != nil {
		return nil, err
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	if k != nil {
		u.Customer.MD5 = k.md5
	}
	w := &wishes{ACL: in.ACL, GrantFullControl: in.GrantFullControl, GrantRead: in.GrantRead, GrantReadACP: in.GrantReadACP,
		GrantWriteACP: in.GrantWriteACP, Tagging: in.Tagging, LockMode: in.ObjectLockMode, LegalHold: in.ObjectLockLegalHoldStatus,
		RetainUntil: in.ObjectLockRetainUntilDate, Encryption: in.ServerSideEncryption, KMSKey: in.SSEKMSKeyId,
		KMSContext: in.SSEKMSEncryptionContext, BucketKey: in.BucketKeyEnabled}
	id := newID(s.Clock())
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.access(ctx, tx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutObject", *in.Key)
		if err != nil {
			return err
		}
		if err := s.fulfil(ctx, tx, b, *in.Key, &u.version, w); err != nil {
			return err
		}
		return tx.Set(uploadKey(b.ID, *in.Key, id), u.encode())
	})
	if err != nil {
		return nil, err
	}
	out := &api.CreateMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, UploadId: &id, ServerSideEncryption: u.encryption(),
		SSEKMSKeyId: u.kmsKey(), SSEKMSEncryptionContext: u.kmsContext(), BucketKeyEnabled: u.bucketKey(),
		ChecksumAlgorithm: optional(u.Checksum.Algorithm), ChecksumType: optional(u.Checksum.Type)}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = k.answers()
	return out, nil
}

// uploadChecksum is the checksum that an upload is to have: none where the request names no algorithm.
func uploadChecksum(algorithm, kind *string) (checksum, error) {
	if algorithm == nil {
		if kind != nil {
			return checksum{}, invalidRequest.New("The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return checksum{}, nil
	}
	name := strings.ToUpper(*algorithm)
	if err := checkAlgorithm(name); err != nil {
		return checksum{}, err
	}
	t, err := typeFor(name, awsapi.Val(kind))
	return checksum{Algorithm: name, Type: t}, err
}

// algorithm is that of the checksums of an upload's parts.
func (u *upload) algorithm() string {
	if u.Checksum.Algorithm == "" {
		return defaultAlgorithm
	}
	return u.Checksum.Algorithm
}

// checkPartNumber checks a part's number.
func checkPartNumber(n *int32) error {
	if awsapi.Val(n) < 1 || *n > maxParts {
		return invalidArgument.New("Part number must be an integer between 1 and 10000, inclusive").
			With("ArgumentName", "partNumber").With("ArgumentValue", itoa(int(awsapi.Val(n))))
	}
	return nil
}

// destination is the upload that a part is for.
type destination struct {
	bucket, key, id string
	owner           *string
	number          *int32
	customer        *customer
}

// begin looks at the upload before a part's body is read.
func (s *Service) beginPart(ctx context.Context, to *destination) (u *upload, err error) {
	if err := checkPartNumber(to.number); err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, to.bucket, to.owner, "s3:PutObject", to.key)
		if err != nil {
			return err
		}
		u, err = s.uploadOf(r, b, to.key, to.id)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case (u.Customer.MD5 == "") != (to.customer == nil):
		return nil, invalidRequest.New("The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate encryption parameters.")
	case to.customer != nil && to.customer.md5 != u.Customer.MD5:
		return nil, invalidRequest.New("The provided encryption parameters did not match the ones used originally.")
	}
	return u, nil
}

// putPart adds a part that was received to its upload.
func (s *Service) putPart(ctx context.Context, to *destination, p *part, got *received) error {
	p.Number, p.Size, p.ETag, p.Body = int(*to.number), got.size, hex.EncodeToString(got.md5), got.body
	p.Modified = s.Clock().UTC().Truncate(time.Second)
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.bucketOf(tx, to.bucket)
		if err != nil {
			return err
		}
		if _, err := s.uploadOf(tx, b, to.key, to.id); err != nil {
			return err
		}
		at := partKey(to.id, p.Number)
		if raw, err := tx.Get(at); err == nil {
			old, err := decodePart(raw)
			if err != nil {
				return err
			}
			if err := s.dropBody(tx, old.Body); err != nil {
				return err
			}
		}
		if err := got.land(tx); err != nil {
			return err
		}
		return tx.Set(at, p.encode(nil))
	})
	s.settle(got, err)
	return err
}

// UploadPart adds a part to an upload, or replaces it.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html
func (s *Service) UploadPart(ctx context.Context, in *api.UploadPartRequest) (*api.UploadPartOutput, error) {
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	to := &destination{*in.Bucket, *in.Key, awsapi.Val(in.UploadId), in.ExpectedBucketOwner, in.PartNumber, k}
	u, err := s.beginPart(ctx, to)
	if err != nil {
		return nil, err
	}
	p := &part{Nonce: k.newNonce()}
	got, err := s.receive(ctx, reception{in.Body, in.ContentLength, u.algorithm(), k.stream(p.Nonce, 0)})
	if err != nil {
		return nil, err
	}
	p.Sum = got.sum.Value
	given, ok := got.givenSum()
	if ok && u.Checksum.Algorithm != "" && given.Algorithm != u.Checksum.Algorithm {
		err = sumMismatch(u.Checksum.Algorithm, given.Algorithm)
	} else if !ok && u.Checksum.Type == api.ChecksumTypeComposite {
		err = sumMismatch(u.Checksum.Algorithm, "null")
	}
	if err != nil {
		s.settle(got, err)
		return nil, err
	}
	if err := s.putPart(ctx, to, p, got); err != nil {
		return nil, err
	}
	told := given
	if u.Checksum.Algorithm != "" || !ok {
		told = got.sum
	}
	out := &api.UploadPartOutput{ETag: new(quoted(p.ETag)), ServerSideEncryption: u.encryption(), SSEKMSKeyId: u.kmsKey(),
		BucketKeyEnabled: u.bucketKey(), ChecksumCRC32: told.crc32(), ChecksumCRC32C: told.crc32c(), ChecksumCRC64NVME: told.crc64nvme(),
		ChecksumSHA1: told.sha1(), ChecksumSHA256: told.sha256()}
	out.SSECustomerAlgorithm, out.SSECustomerKeyMD5 = k.answers()
	return out, nil
}

func sumMismatch(want, got string) error {
	return invalidRequest.New("Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
		strings.ToLower(want), strings.ToLower(got))
}

// AbortMultipartUpload ends an upload and removes its parts.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html
func (s *Service) AbortMultipartUpload(ctx context.Context, in *api.AbortMultipartUploadRequest) (*api.AbortMultipartUploadOutput, error) {
	if in.IfMatchInitiatedTime != nil {
		return nil, unsupportedHeader("x-amz-if-match-initiated-time")
	}
	return &api.AbortMultipartUploadOutput{}, s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.access(ctx, tx, *in.Bucket, in.ExpectedBucketOwner, "s3:AbortMultipartUpload", *in.Key)
		if err != nil {
			return err
		}
		if _, err := s.uploadOf(tx, b, *in.Key, awsapi.Val(in.UploadId)); err != nil {
			return err
		}
		return s.endUpload(tx, b.ID, *in.Key, *in.UploadId)
	})
}

// CompleteMultipartUpload makes the object that an upload's parts are. Their bodies stay where they are: the object refers to
// them.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func (s *Service) CompleteMultipartUpload(ctx context.Context, in *api.CompleteMultipartUploadRequest) (*api.CompleteMultipartUploadOutput, error) {
	if in.MultipartUpload == nil || len(in.MultipartUpload.Parts) == 0 {
		return nil, malformedXML.New("The XML you provided was not well-formed or did not validate against our published schema")
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	v := &version{}
	c := &creation{bucket: *in.Bucket, key: *in.Key, owner: in.ExpectedBucketOwner, event: "ObjectCreated:CompleteMultipartUpload",
		version: v, match: in.IfMatch, noneMatch: in.IfNoneMatch}
	var again *version // that an earlier request has made of the same upload
	c.before = func(tx store.Tx, b *bucket, cur *version) (err error) {
		again = nil
		u, err := s.uploadOf(tx, b, c.key, awsapi.Val(in.UploadId))
		if err != nil && cur != nil && cur.Upload == awsapi.Val(in.UploadId) && cur.Upload != "" {
			again = cur
			return errDone
		}
		if err != nil {
			return err
		}
		if k != nil {
			if err := k.opens(u.Customer); err != nil {
				return err
			}
		}
		return s.assemble(tx, b, in, u, v)
	}
	b, expiration, err := s.create(ctx, c, nil)
	if again != nil {
		v, err = again, nil
	}
	if err != nil {
		return nil, err
	}
	return &api.CompleteMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, ETag: new(quoted(v.ETag)), VersionId: b.writtenID(v),
		Location: new(awsapi.RequestOf(ctx).Endpoint + "/" + b.Name + "/" + escapeKey(c.key)), Expiration: expiration,
		ServerSideEncryption: v.encryption(), SSEKMSKeyId: v.kmsKey(), BucketKeyEnabled: v.bucketKey(),
		ChecksumCRC32: v.Checksum.crc32(), ChecksumCRC32C: v.Checksum.crc32c(), ChecksumCRC64NVME: v.Checksum.crc64nvme(),
		ChecksumSHA1: v.Checksum.sha1(), ChecksumSHA256: v.Checksum.sha256(), ChecksumType: v.Checksum.kind()}, nil
}

// assemble makes of an upload the version that it is complete, in a transaction: parts that are not asked for are removed.
func (s *Service) assemble(tx store.Tx, b *bucket, in *api.CompleteMultipartUploadRequest, u *upload, v *version) error {
	id := *in.UploadId
	had := map[int]part{}
	err := partsUploaded(tx, id, 0, func(p part) bool { had[p.Number] = p; return true })
	if err != nil {
		return err
	}
	parts, err := u.choose(had, in.MultipartUpload.Parts, id)
	if err != nil {
		return err
	}
	*v = u.version
	v.Upload, v.Parts, v.Body = id, len(parts), body{inParts, id}
	digests := md5.New()
	for i := range parts {
		v.Size += parts[i].Size
		raw, err := hex.DecodeString(parts[i].ETag)
		if err != nil {
			return fmt.Errorf("s3: the ETag of part %d of upload %s: %w", parts[i].Number, id, err)
		}
		digests.Write(raw)
	}
	v.ETag = fmt.Sprintf("%x-%d", digests.Sum(nil), len(parts))
	if v.Size > maxObject {
		return entityTooLarge.New("Your proposed upload exceeds the maximum allowed size").With("MaxSizeAllowed", fmt.Sprint(int64(maxObject)))
	}
	if in.MpuObjectSize != nil && *in.MpuObjectSize != v.Size {
		return invalidRequest.New("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *in.MpuObjectSize, v.Size)
	}
	if v.Checksum, err = u.combine(parts); err != nil {
		return err
	}
	if err := checkWhole(in, v.Checksum); err != nil {
		return err
	}
	for _, p := range had {
		if err := s.dropBody(tx, p.Body); err != nil {
			return err
		}
	}
	if err := s.forgetUpload(tx, b.ID, *in.Key, id); err != nil {
		return err
	}
	return tx.Set(partsKey(id), encodeParts(parts))
}

// choose finds the parts that a request asks for, and takes them out of those that there are.
func (u *upload) choose(had map[int]part, asked []api.CompletedPart, id string) ([]part, error) {
	for i := 1; i < len(asked); i++ {
		if awsapi.Val(asked[i].PartNumber) <= awsapi.Val(asked[i-1].PartNumber) {
			return nil, invalidPartOrder.New("The list of parts was not in ascending order. Parts must be ordered by part number.").With("UploadId", id)
		}
	}
	parts := make([]part, 0, len(asked))
	for i := range asked {
		a := &asked[i]
		n := int(awsapi.Val(a.PartNumber))
		p, ok := had[n]
		sums := checksumsIn{a.ChecksumCRC32, a.ChecksumCRC32C, a.ChecksumCRC64NVME, a.ChecksumSHA1, a.ChecksumSHA256}
		algorithm, sum, err := sums.chosen()
		if err != nil {
			return nil, err
		}
		if !ok || strings.Trim(awsapi.Val(a.ETag), `"`) != p.ETag || sum != "" && algorithm == u.algorithm() && sum != p.Sum {
			return nil, invalidPart.New("One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
				With("UploadId", id).With("PartNumber", itoa(n)).With("ETag", strings.Trim(awsapi.Val(a.ETag), `"`))
		}
		if sum == "" && u.Checksum.Type == api.ChecksumTypeComposite {
			return nil, invalidRequest.New("The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
				strings.ToLower(u.Checksum.Algorithm), n)
		}
		if p.Size < minPart && i < len(asked)-1 {
			return nil, entityTooSmall.New("Your proposed upload is smaller than the minimum allowed size").
				With("ETag", p.ETag).With("MinSizeAllowed", itoa(minPart)).With("PartNumber", itoa(n)).With("ProposedSize", fmt.Sprint(p.Size))
		}
		parts = append(parts, p)
	}
	for i := range parts {
		delete(had, parts[i].Number)
	}
	return parts, nil
}

// combine makes the checksum of an object from those of its parts.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func (u *upload) combine(parts []part) (checksum, error) {
	sum := checksum{u.algorithm(), u.Checksum.Type, ""}
	if sum.Type == "" {
		sum.Type = api.ChecksumTypeFullObject
	}
	all := newSum(sum.Algorithm)
	var whole []byte
	for i := range parts {
		raw, err := base64.StdEncoding.DecodeString(parts[i].Sum)
		if err != nil || len(raw) != all.Size() {
			return sum, fmt.Errorf("s3: the checksum of part %d is %q", parts[i].Number, parts[i].Sum)
		}
		switch {
		case sum.Type == api.ChecksumTypeComposite:
			all.Write(raw)
		case i == 0:
			whole = raw
		default:
			whole = combineCRC(sum.Algorithm, whole, raw, parts[i].Size)
		}
	}
	if sum.Type == api.ChecksumTypeComposite {
		sum.Value = fmt.Sprintf("%s-%d", all.text(), len(parts))
	} else {
		sum.Value = base64.StdEncoding.EncodeToString(whole)
	}
	return sum, nil
}

// checkWhole compares the checksum of an object with what the request says.
func checkWhole(in *api.CompleteMultipartUploadRequest, sum checksum) error {
	if in.ChecksumType != nil && *in.ChecksumType != sum.Type {
		return invalidRequest.New("The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", sum.Type)
	}
	sums := checksumsIn{in.ChecksumCRC32, in.ChecksumCRC32C, in.ChecksumCRC64NVME, in.ChecksumSHA1, in.ChecksumSHA256}
	algorithm, value, err := sums.chosen()
	switch {
	case err != nil || algorithm == "":
		return err
	case algorithm != sum.Algorithm:
		return sumMismatch(sum.Algorithm, algorithm)
	case value != sum.Value && value != strings.SplitN(sum.Value, "-", 2)[0]:
		return badDigest.New("The %s you specified did not match the calculated checksum.", strings.ToLower(algorithm))
	}
	return nil
}
