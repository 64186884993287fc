package validate

import "cirro/internal/endpoint/wire"

// Input checks in, the operation's input.
func Input(op *wire.Operation, in any) error { return nil }
