package engine

import (
	"cirro/internal/asl"
)

// distribute begins a distributed Map.
func (s *step) distribute(f *frame, state *asl.State, sc *asl.Scope) error {
	return s.failed(f, &asl.Failure{Error: asl.Runtime, Cause: "Cirro does not implement distributed Map states"})
}

// distributed takes the end of a distributed Map.
func (s *step) distributed(f *frame, h Happening) error { return ErrLate }
