// Package dynamodb is Amazon DynamoDB: tables, their items, and what reads and writes them.
//
// It owns what its records and items in the store mean; package table knows how they lie there, package
// expression reads what clients write. An operation is one transaction of the store, or one snapshot for a read.
// It keeps nothing in memory but descriptions of tables, which the store has, too. It never waits for
// capacity, and starts nothing that a client would have to wait for.
package dynamodb
