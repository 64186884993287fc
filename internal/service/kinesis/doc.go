// Package kinesis is Amazon Kinesis Data Streams: streams of records in shards.
//
// A record's place comes from the store (see store.Tx's Append): its number grows with the commits, so whoever has
// read a shard up to a number has missed nothing before it, and puts never wait for each other.
//
// # Keys in the store
//
//	("kinesis", "stream", account, region, name)   a stream with its shards, as JSON
//	("kinesis", "reshard", stream's id, number)    which shards were opened and closed at that number
//	("kinesis", "record", stream's id, shard, number)
//	("kinesis", "consumer", stream's id, name)     a consumer with enhanced fan-out, as JSON
//
// Resource policies, encryption and monitoring are kept and shown; policies are not enforced, all lies on the disk as it
// is, and on-demand streams have no throughput to adapt. It never delivers: consumers come for records.
//
// https://docs.aws.amazon.com/kinesis/latest/APIReference/Welcome.html
package kinesis
