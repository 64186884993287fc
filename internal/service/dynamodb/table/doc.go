// Package table is DynamoDB's engine: how a table and its indexes lie in the store, writes that keep both in
// step within one transaction, and reads of keys and of ranges.
//
// It owns that layout. It knows no expression, no request and no reply: those are the service's. What a write
// must also do, for a stream or an expiry, is done in one place, Table.Write.
//
// # Layout
//
// A table's description is a record under store.Key("dynamodb", "table", account, region, name). All else is
// found by the table's number, eight bytes of its random id, so that a table of the same name made later
// finds nothing of this one:
//
//	D i <table> <hash> <hash key> <sort key>                   the item
//	D x <table> <index> <hash> <hash key> <sort key> <item>    an index's entry: what the index projects
//	D e <table> <seconds> <item>                               when time to live removes an item: its key
//	D u <table> <number>                                       what a write replaced, in the order of commits
//	D b <backup> <hash> <hash key> <sort key>                  an item that a backup has
//
// The hash is eight bytes of the hash key's, so a scan goes in the order of hashes, as on AWS, a segment of a
// parallel scan is a range of them, and items with hash keys that are alike lie apart. The hash key follows
// with its length, or as its SHA-256 where it is long; nobody needs its order. The sort key is in the order of
// its values (see item.Value.AppendKey). An index's entry ends with the item's own hash key and sort key, or
// the SHA-256 of these where they are long.
//
// These keys start with a byte that no key of store.Key starts with.
package table
