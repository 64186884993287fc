// Package wire is what the protocols share: shapes bound to their Go types (Plan), the text forms of
// scalars and timestamps, and the Exchange that a protocol decodes from and encodes to.
//
// Plans are made once an operation, when it is first used, and are read only from then on. This package
// knows no protocol and no service.
package wire
