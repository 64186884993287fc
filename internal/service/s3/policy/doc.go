// Package policy reads bucket policies and says what they allow and deny. It knows the language of policies; buckets,
// requests and who made them are its callers'.
//
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
package policy
