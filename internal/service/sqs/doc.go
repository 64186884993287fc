// Package sqs is Amazon SQS: queues, a thin layer over the store's durable queues.
//
// It owns what a queue is set to, what a message says besides its body, and SQS's rules. Order, leases,
// deduplication, delays and the way to the dead letters are the store's. It never keeps a message itself.
// Queues' policies, tags and encryption settings are kept and shown; policies are not enforced, and all that
// is stored lies on the disk as it is.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
package sqs
