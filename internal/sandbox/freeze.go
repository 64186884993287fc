package sandbox

import "time"

// defaultFreeze is how long an environment is idle before it is frozen.
const defaultFreeze = 2 * time.Second

// rest begins an environment's idle time: after a while its processes are frozen, as Lambda does at
// once. A busy environment is so spared the cost, and an idle one costs no processor time.
// Environments with extensions are not frozen: what they were sent last may be on its way to them.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
func (e *environment) rest() {
	if e.fleet.options.FreezeAfter < 0 || !e.extensions.registry.Empty() {
		return
	}
	e.freezing.Lock()
	defer e.freezing.Unlock()
	if !e.timed {
		e.freezeAfter(e.fleet.options.FreezeAfter)
	}
}

// freezeAfter sets the timer. One that runs already is left alone: it looks how long the environment was
// idle when it fires, so that a busy one does not set it for every invocation.
func (e *environment) freezeAfter(d time.Duration) {
	e.timed = true
	if e.freezer == nil {
		e.freezer = time.AfterFunc(d, e.freeze)
		return
	}
	e.freezer.Reset(d)
}

// freeze stops an environment's processes, if it was idle for long enough.
func (e *environment) freeze() {
	e.freezing.Lock()
	defer e.freezing.Unlock()
	e.timed = false
	since, idle := e.shelf.idles(e)
	if e.frozen || !idle {
		return
	}
	if left := e.fleet.options.FreezeAfter - time.Since(since); left > 0 {
		e.freezeAfter(left)
		return
	}
	// Taken in the meantime, it is thawed by who took it, as soon as this is done.
	e.frozen = e.jail.Freeze() == nil
}

// wake lets a frozen environment go on.
func (e *environment) wake() error {
	e.freezing.Lock()
	defer e.freezing.Unlock()
	if !e.frozen {
		return nil
	}
	e.frozen = false
	return e.jail.Thaw()
}
