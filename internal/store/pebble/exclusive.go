package pebble

// exclusive is a step that stops all others: between granted and its answer nothing is written, so
// that a transaction that lost too often cannot lose again.
type exclusive struct {
	step    // what to commit in the end; nil for nothing
	granted chan struct{}
	answer  chan step
}

func newExclusive() *exclusive {
	return &exclusive{granted: make(chan struct{}), answer: make(chan step, 1)}
}

// grant lets the transaction run and returns its commit, or nil.
func (e *exclusive) grant() step {
	close(e.granted)
	e.step = <-e.answer
	return e.step
}
