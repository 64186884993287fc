package validate

import (
	"slices"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/markup"
)

// s3 is S3's dialect: of a document that does not keep to its schema it says that alone, and what headers hold it checks
// in words of its own.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var s3 = dialect{err: awsapi.ValidationException, documents: true, leaves: map[string]bool{"StorageClass": true, "ACL": true,
	"ServerSideEncryption": true, "ObjectLockMode": true, "ObjectLockLegalHoldStatus": true, "ChecksumAlgorithm": true, "ObjectOwnership": true, "NotificationConfiguration": true}}

// malformed is the answer where the document in the body fails; nil where it does not.
func (c *checker) malformed() error {
	f := c.op.InputPlan().PayloadField()
	if f == nil || !slices.ContainsFunc(c.failures, func(failed failure) bool { return failed.member == f.Name }) {
		return nil
	}
	return markup.MalformedXML.New("The XML you provided was not well-formed or did not validate against our published schema")
}
