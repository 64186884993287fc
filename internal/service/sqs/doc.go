// Package sqs is Amazon SQS: queues, a thin layer over the store's durable queues.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/Welcome.html
package sqs
