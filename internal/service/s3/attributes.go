package s3

import (
	"context"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
)

// GetObjectAttributes tells what it is asked of an object.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
func (s *Service) GetObjectAttributes(ctx context.Context, in *api.GetObjectAttributesRequest) (*api.GetObjectAttributesOutput, error) {
	for _, name := range in.ObjectAttributes {
		if !slices.Contains(attributes, name) {
			return nil, invalidArgument.New("Invalid attribute name specified.").With("ArgumentName", "x-amz-object-attributes").With("ArgumentValue", name)
		}
	}
	p, err := newPage(nil, nil, nil, in.MaxParts, "x-amz-max-parts")
	if err != nil {
		return nil, err
	}
	k, err := customerOf(in.SSECustomerAlgorithm, in.SSECustomerKey, in.SSECustomerKeyMD5)
	if err != nil {
		return nil, err
	}
	o, err := s.open(ctx, selection{bucket: *in.Bucket, key: *in.Key, action: "s3:GetObjectAttributes", owner: in.ExpectedBucketOwner,
		versionID: in.VersionId, customer: k})
	if err != nil {
		return nil, err
	}
	out := &api.GetObjectAttributesOutput{LastModified: &o.Modified, VersionId: o.bucket.shownID(o.version)}
	for _, name := range in.ObjectAttributes {
		switch name {
		case api.ObjectAttributesETag:
			out.ETag = &o.ETag
		case api.ObjectAttributesStorageClass:
			out.StorageClass = o.class()
		case api.ObjectAttributesObjectSize:
			out.ObjectSize = &o.Size
		case api.ObjectAttributesChecksum:
			sum := o.Checksum
			out.Checksum = &api.Checksum{ChecksumCRC32: sum.crc32(), ChecksumCRC32C: sum.crc32c(), ChecksumCRC64NVME: sum.crc64nvme(),
				ChecksumSHA1: sum.sha1(), ChecksumSHA256: sum.sha256(), ChecksumType: sum.kind()}
		case api.ObjectAttributesObjectParts:
			out.ObjectParts = o.tellParts(p.max, int(awsapi.Val(in.PartNumberMarker)))
		}
	}
	return out, nil
}

var attributes = []string{api.ObjectAttributesETag, api.ObjectAttributesChecksum, api.ObjectAttributesObjectParts,
	api.ObjectAttributesStorageClass, api.ObjectAttributesObjectSize}

// tellParts lists a page of the parts that an object was uploaded in; nil where it came as one.
func (o *opened) tellParts(most, after int) *api.GetObjectAttributesParts {
	if o.Body.Kind != inParts {
		return nil
	}
	out := &api.GetObjectAttributesParts{TotalPartsCount: new(int32(len(o.parts))), PartNumberMarker: new(int32(after)),
		NextPartNumberMarker: new(int32(0)), MaxParts: new(int32(most)), IsTruncated: new(false)}
	for i := range o.parts {
		p := &o.parts[i]
		if p.Number <= after {
			continue
		}
		if len(out.Parts) == most {
			out.IsTruncated = new(true)
			break
		}
		sum := checksum{Algorithm: o.Checksum.Algorithm, Value: p.Sum}
		out.Parts = append(out.Parts, api.ObjectPart{PartNumber: new(int32(p.Number)), Size: &p.Size, ChecksumCRC32: sum.crc32(), ChecksumCRC32C: sum.crc32c(),
			ChecksumCRC64NVME: sum.crc64nvme(), ChecksumSHA1: sum.sha1(), ChecksumSHA256: sum.sha256()})
		out.NextPartNumberMarker = new(int32(p.Number))
	}
	return out
}
