package dynamodb

import (
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
)

// checkEncryption checks a specification of encryption.
func checkEncryption(spec *api.SSESpecification) error {
	if spec == nil {
		return nil
	}
	enabled, kind := awsapi.Val(spec.Enabled), awsapi.Val(spec.SSEType)
	switch {
	case !enabled && spec.SSEType != nil:
		return wrong("SSEType can not be specified if Enabled is false")
	case !enabled && spec.KMSMasterKeyId != nil:
		return wrong("KMSMasterKeyId can not be specified if Enabled is false")
	case kind == api.SSETypeAes256:
		return wrong("SSEType AES256 is not supported")
	case spec.KMSMasterKeyId != nil && spec.SSEType == nil:
		return wrong("SSEType KMS is required if KMSMasterKeyId is specified")
	}
	return nil
}

// describeEncryption is what the description says of the key. Cirro has no KMS: it keeps what was asked for, and
// encrypts nothing itself (see docs/dynamodb.md).
func describeEncryption(ref table.Ref, spec *api.SSESpecification) *api.SSEDescription {
	if spec == nil || !awsapi.Val(spec.Enabled) {
		return nil
	}
	key := awsapi.Val(spec.KMSMasterKeyId)
	if key == "" {
		key = "alias/aws/dynamodb"
	}
	if !strings.HasPrefix(key, "arn:") {
		if !strings.HasPrefix(key, "alias/") {
			key = "key/" + key
		}
		key = "arn:aws:kms:" + ref.Region + ":" + ref.Account + ":" + key
	}
	return &api.SSEDescription{Status: new(api.SSEStatusEnabled), SSEType: new(api.SSETypeKms), KMSMasterKeyArn: &key}
}

func updateEncryption(r *table.Record, spec *api.SSESpecification) error {
	if err := checkEncryption(spec); err != nil {
		return err
	}
	d := describeEncryption(r.Ref, spec)
	if d == nil && r.API.SSEDescription == nil {
		return wrong("Table is already encrypted by default")
	}
	if d != nil && r.API.SSEDescription != nil && *d.KMSMasterKeyArn == *r.API.SSEDescription.KMSMasterKeyArn {
		return wrong("Table is already encrypted with given KMSMasterKeyId. Use KMSMasterKeyId parameter if you want to change Master Key")
	}
	r.API.SSEDescription = d
	return nil
}
