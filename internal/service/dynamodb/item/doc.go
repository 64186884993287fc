// Package item is what DynamoDB keeps: attribute values and items of them. It checks values as DynamoDB does, knows
// their sizes, their order and their equality, adds numbers exactly, and gives items and keys the bytes in which the
// store keeps them.
//
// It owns those bytes: a change of them needs a new version byte, for items written before must stay readable.
//
// It is pure. It knows no table, no expression and no store.
package item
