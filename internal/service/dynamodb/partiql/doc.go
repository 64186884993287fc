// Package partiql reads the statements of PartiQL for DynamoDB: SELECT, INSERT, UPDATE, DELETE and EXISTS.
//
// It owns the grammar and AWS's messages about it. A condition becomes one of package expression, so that a statement
// and an expression mean the same. It is pure: it knows no table, runs nothing and asks nobody.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.html
package partiql
