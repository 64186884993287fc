// Package awsapi describes AWS APIs: shapes with their constraints and wire names, operations with
// their HTTP bindings, services with their protocols, and the errors they answer with.
//
// The tables themselves are generated, one subpackage a service (see gen), from the API models that
// AWS's Go modules carry. A generated subpackage holds the Go types of its shapes, an interface API
// with one method an operation, Unimplemented (which answers every operation with a clear error that
// names it), its errors, and one static table, Service. This package owns what those tables are made
// of; it never speaks a protocol (endpoint does) and never does what an operation says (service does).
package awsapi

//go:generate go run ./gen
