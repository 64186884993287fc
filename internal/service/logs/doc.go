// Package logs is CloudWatch Logs: groups and streams, ingestion, reading, filtering, live tails,
// retention and subscriptions.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html
//
// It owns all that lies under "logs" in the store, and the queue of deliveries to subscriptions. It
// never decides who may call it, never runs a function itself (deliveries go through awsapi.Caller)
// and records no metrics: a metric filter can be tested but not created as long as the platform has
// no CloudWatch metrics to record to.
//
// # Storage
//
// Events lie in chunks: the events of one stream that arrived together and fall into the same ten
// seconds, a slot.
// A chunk is one value, so that many small events cost one write.
//
//	logs group <account> <region> <name>           the group, with its id
//	logs counter <group id>                        the group's bytes and its last chunk number
//	logs stream <group id> <name>                  the stream, with its id
//	logs recent <group id> <last event> <name>     the streams in order of their last event
//	logs chunk <group id> <first event> <number>   a chunk, in order of time over the whole group
//	logs index <group id> <stream id> <first event> <number>  the chunks of one stream
//	logs subscription <group id> <name>            a subscription filter
//	logs garbage <group id> <stream id>            a deleted stream whose chunks still lie there
//	logs policy <account> <region> <name>          a resource policy
//
// Chunks overlap in time, so a reader merges them. No chunk crosses a slot, so a reader that starts at
// an instant starts with that instant's slot and misses nothing. What is past its retention is a
// range of chunks at the front. Ids are never used twice: whoever creates a group of the same name
// again finds nothing of the old one.
//
// An event's place is its timestamp, its chunk's number and its index therein. The three make its
// event id, and the tokens of GetLogEvents and FilterLogEvents.
//
// # Writing
//
// Writers of one group queue up in its lane: one of them writes for all that wait, in one
// transaction. So the group's counters never conflict, and writers share a sync of the disk.
package logs
