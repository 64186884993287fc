package endpoint

// LeaveUnchecked switches the checking of the models' constraints off: the SDK's snapshots keep none.
func (e *Endpoint) LeaveUnchecked() { e.unchecked = true }
