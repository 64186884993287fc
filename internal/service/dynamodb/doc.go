// Package dynamodb is Amazon DynamoDB: tables, their items, and what reads and writes them.
//
// It owns what its records and items in the store mean; package table knows how they lie there, package
// expression reads what clients write. An operation is one transaction of the store, or one snapshot for a read.
// It keeps nothing in memory but descriptions of tables, which the store has, too, and, where throughput is enforced
// (Throttled), how much of it is left. What takes longer than a request (indexes, backups, restorations, time to live)
// is done in the background, portion by portion, and goes on after a restart.
package dynamodb
