// Package postgres keeps the store in a PostgreSQL database that any number of nodes share.
//
// # Transactions
//
// They are serializable in the order of their commits, by optimistic concurrency as in package
// optimistic. A transaction reads from a snapshot of the database and records what it read; its writes
// wait in an overlay. The committer, one goroutine a node, gathers the commits that wait and makes one
// transaction of the database of them: it takes the lock that all nodes' committers share, reads what
// others have written since it last did (table change), refuses those that read what has changed,
// numbers the rest, and writes. So numbers grow in the order in which commits can be seen, on all
// nodes, and many commits share a sync. Whatever the database shows is durable.
//
// Where a connection breaks during a commit, its row in table change says whether it came about.
//
// # Queues
//
// A message is a row. Enqueueing, acknowledging and extending are parts of commits. Leasing is a
// function of the database by itself (receive, in schema.sql), which does not wait for the disk: it
// skips what others are leasing, and takes a lock of the queue where it has groups. Where the server
// itself crashes, the last leases may be forgotten.
//
// # Nodes
//
// Each commit notifies all nodes. They read its row in table change, and tell receivers, readers of
// logs, and whoever watches keys (Store.Watch). Times are the database's: a node knows how far its own
// clock is off.
//
// The package owns one schema of the database, makes it and keeps its version. It knows nothing of what
// keys and messages mean.
package postgres
