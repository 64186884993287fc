// Package partiql reads the statements of PartiQL that DynamoDB runs: SELECT, INSERT, UPDATE, DELETE, and EXISTS within
// transactions. A statement is what it says of a table's items, as expressions; how it is run is its caller's affair.
//
// It owns the language and the words in which it refuses, which are AWS's as far as they are known. Where a statement is
// malformed AWS answers with details of its parser that are not known for every case.
//
// It is pure: it knows values and expressions, and neither tables nor the store.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
package partiql
