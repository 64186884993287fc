// Package pebble is the embedded store: both primitives of package store on one Pebble database in a
// directory that one process has at a time.
//
// # Transactions
//
// They are serializable by optimistic concurrency. A transaction reads from a snapshot and records
// what it read; its writes wait in an overlay. A commit goes to the committer, one goroutine that
// checks in turn that nothing read was written since (see optimistic.History), puts the writes of all that wait
// into one batch and applies it. It does not wait for the disk: the publisher, a second goroutine,
// does, and then answers the callers, in the order of the commits. So commits share a sync, and the
// next batch forms meanwhile.
//
// An applied batch can be read before it is durable. A View that touches such a key waits until it
// is; so does an Update that ends without writing. All that read between two commits share a snapshot.
//
// What a transaction appends becomes a write like any other when the committer gives it its number: in
// the order of the commits, which is the order of the batches, so that no reader sees a number before
// a lower one.
//
// # Queues
//
// A queue's log is on disk, its index in memory, built when the queue is first used: an LSM tree that
// is asked for the first message again and again would wade through the tombstones of those before.
// The index holds runs of sequence numbers, so that a long backlog costs next to nothing; only
// messages that are delayed, leased, in a group or of a tenant cost some bytes each.
//
// Leases and delivery counts are written without waiting for the disk: a crash can lose the last few
// milliseconds of them, and such a message is ready again too early.
//
// # A full disk
//
// Pebble ends the process when it cannot write its log. So some of the disk is kept free, and who wants to write beyond
// that is refused (see room). Where the disk is full all the same, Pebble's writes wait until there is room (see
// patient).
//
// # Keys in the database
//
//	k <key>                          a key of the key-value space
//	f                                the format's version
//	a                                the numbers reserved for what is appended
//	n <queue>                        a queue that exists, with the sequence numbers reserved for it
//	i <queue> <sequence>             a message: what the index must know of it
//	b <queue> <sequence>             its body and what never changes
//	s <queue> <sequence>             its last lease
//	d <queue> <deduplication>        the message that last had this deduplication string
//	x <minute> <queue> <deduplication>  in the minute in which that may be forgotten
//
// The package owns the directory and knows nothing of what keys and messages mean.
package pebble
