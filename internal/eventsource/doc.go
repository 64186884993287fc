// Package eventsource polls the sources of events, SQS queues and the streams of Kinesis and DynamoDB, and
// hands what it finds to a handler in batches: Lambda's event source mappings and EventBridge's pipes.
//
// It owns when to read and what becomes of a record: batching, filters, order, retries, and how far a stream
// has been handled (its checkpoints, below the key "eventsource"). It reads through awsapi.Caller, as the
// principal whose source it is, and knows nothing of what a handler does. Records are handled at least once.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
package eventsource
