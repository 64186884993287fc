// Package kinesis is Amazon Kinesis Data Streams: streams of records in shards.
//
// https://docs.aws.amazon.com/kinesis/latest/APIReference/Welcome.html
package kinesis
