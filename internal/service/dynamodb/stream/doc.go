// Package stream keeps what happens to the items of a table, for DynamoDB Streams: it writes a record in the
// transaction of each write, and reads them back in order.
//
// A stream has a few shards; all records of a partition key are in one. A record's number comes from the store (see
// store.Tx's Append), so that it grows with the commits: whoever has read a shard up to a number has missed nothing,
// and writes never wait for each other on account of the stream.
//
// # Keys in the store
//
//	("dynamodb", "stream", account, region, table, label)   a stream, as JSON
//	("dynamodb", "change", stream's id, shard, number)      a record of a shard
//	("dynamodb", "opened", stream's id, number)             no record of the stream has a lower number
//	("dynamodb", "closed", stream's id, number)             nor a higher one
//	("dynamodb", "trimmed", stream's id, shard)             the number of the last record that was removed
//
// It owns these keys. It knows items and the store, but no requests; what a client sees is made by package dynamodb.
package stream
