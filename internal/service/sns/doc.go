// Package sns is Amazon SNS: topics, and what is published to them on its way to subscribers.
//
// https://docs.aws.amazon.com/sns/latest/api/welcome.html
package sns
