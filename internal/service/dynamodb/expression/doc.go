// Package expression is DynamoDB's expressions: conditions, filters, key conditions, updates and projections, and the
// older parameters that say the same (Expected, AttributeUpdates, KeyConditions, …). Each is parsed and checked once and
// applied to items as often as wanted.
//
// It owns the language: its grammar, its checks, the order of the checks and the words in which they refuse, which are
// AWS's.
//
// It is pure. It knows items, and no table: what a table demands of keys is checked against what an expression says it
// touches.
//
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
package expression
