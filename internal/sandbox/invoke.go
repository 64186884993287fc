package sandbox

import (
	"context"
	"fmt"
	"os"
	"time"

	"cirro/internal/sandbox/extensionsapi"
	"cirro/internal/sandbox/runtimeapi"
)

// linger is how long a caller who has its response waits for the environment to come to rest, so that
// the next call finds it idle. What takes longer goes on without the caller.
const linger = 100 * time.Millisecond

// lastBreath is the most that a response may take to be read after the runtime's end, where something of its
// holds the connection open.
const lastBreath = time.Second

// round is one invocation in an environment.
type round struct {
	env   *environment
	inv   *Invocation
	call  *runtimeapi.Call
	trace string
	began time.Time
	until time.Time   // when it has taken too long
	timer *time.Timer // of that, once it is waited for

	extended     bool   // there are extensions
	runtimeRests bool   // the runtime asked for its next invocation
	status       string // "success", "error", "timeout"
	kind         string // of the error
	reported     string // the same as the log has it
	message      string // of the platform's error: the environment is of no more use
	result       Result
}

// coldInvoke runs an invocation in a new environment. Where its initialization fails it is tried again
// as a part of the invocation, which then has the second failure as its result.
func (f *Fleet) coldInvoke(ctx context.Context, sh *shelf, s *Spec, inv *Invocation) (*Result, error) {
	place, err := f.starts.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer place.leave()
	if e := sh.take(); e != nil {
		place.leave()
		return e.invoke(ctx, inv)
	}
	defer f.nursery.started()()
	alone := context.WithoutCancel(ctx) // a new environment serves others if this caller goes away
	e, failed, err := f.start(alone, sh, s, place, nil, phaseInit, f.options.InitLimit)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		log := failed.journal
		if e, failed, err = f.start(alone, sh, s, place, log, phaseInvoke, s.Timeout); err != nil {
			log.close()
			return nil, err
		}
	}
	if failed != nil {
		return failed.report(s, inv), nil
	}
	place.leave()
	sh.adopt(e)
	return e.invoke(ctx, inv)
}

// invoke runs an invocation. The environment goes back to its shelf afterwards, or ends.
func (e *environment) invoke(ctx context.Context, inv *Invocation) (*Result, error) {
	r := e.begin(inv, ctx.Done() != nil)
	if !r.answered(ctx.Done()) {
		r.call.Detach()
		go func() {
			r.answered(nil)
			r.rested(nil)
			r.close()
		}()
		return nil, ctx.Err()
	}
	if inv.TailLog || r.status != "success" {
		r.rested(nil)
		r.close()
		return &r.result, nil
	}
	if r.atRest() {
		r.close()
		return &r.result, nil
	}
	late := time.NewTimer(linger)
	defer late.Stop()
	if !r.rested(late.C) {
		result := r.result
		go func() {
			r.rested(nil)
			r.close()
		}()
		return &result, nil
	}
	r.close()
	return &r.result, nil
}

// begin gives the invocation to the runtime and to extensions. Where nothing but the runtime's answer, its
// end and the timeout matter until then, it returns when one of them is there.
func (e *environment) begin(inv *Invocation, cancellable bool) *round {
	r := &round{env: e, inv: inv, status: "success", trace: inv.TraceID}
	if r.trace == "" {
		r.trace = newTrace(e.spec.Tracing == "Active")
	}
	e.journal.follow(inv.TailLog)
	r.logStart()
	payload := inv.Payload
	if len(payload) == 0 {
		payload = []byte("{}") // what AWS makes of none
	}
	r.began = time.Now()
	r.until = r.began.Add(e.spec.Timeout)
	r.call = runtimeapi.NewCall(runtimeapi.Invocation{
		RequestID: inv.RequestID, FunctionARN: inv.InvokedARN, TraceID: r.trace,
		ClientContext: inv.ClientContext, Identity: inv.Identity, Tenant: inv.Tenant,
		Deadline: r.until, Payload: payload, Stream: inv.Stream,
	})
	if r.extended = !e.extensions.registry.Empty(); r.extended {
		e.extensions.registry.Send(extensionsapi.Invoke,
			extensionsapi.InvokeEvent(inv.RequestID, inv.InvokedARN, r.trace, r.until))
	}
	if r.extended || cancellable {
		e.runtime.Send(r.call)
	} else {
		e.runtime.Run(r.call, r.until)
	}
	return r
}

// over is sent to when the invocation has taken too long. Most answer before anybody has to wait.
func (r *round) over() <-chan time.Time {
	if r.timer == nil {
		r.timer = time.NewTimer(time.Until(r.until))
	}
	return r.timer.C
}

// answered waits for the response, a crash or the timeout, and fills in the result. It returns false if
// cancelled before.
func (r *round) answered(cancel <-chan struct{}) bool {
	e := r.env
	select {
	case <-r.call.Done():
		r.responded()
		r.result.TraceID = r.trace
		r.measure(time.Now())
		return true
	default:
	}
	select {
	case <-r.call.Done():
		r.responded()
	case <-e.exited:
		r.crashed("Runtime.ExitError", exitMessage(e.blank.exit))
	case f := <-e.extensions.registry.Failed():
		r.crashed(f.Type, extensionMessage(f))
	case <-r.over():
		r.timedOut()
	case <-cancel:
		return false
	}
	r.result.TraceID = r.trace
	r.measure(time.Now())
	return true
}

// responded takes over what the runtime answered.
func (r *round) responded() {
	o := r.call.Outcome()
	r.result.ContentType = o.ContentType
	r.result.Payload = o.Payload
	if f := o.Failure; f != nil {
		r.fail(f.Type, f.Body)
	}
	if f := o.Broken; f != nil {
		r.status, r.kind = "error", f.Type
		r.result.FunctionError = "Unhandled"
		r.result.StreamError = &StreamError{Type: f.Type, Details: string(f.Body)}
	}
}

// fail makes the result an error.
func (r *round) fail(kind string, body []byte) {
	r.status, r.kind = "error", kind
	r.result.FunctionError = "Unhandled"
	r.result.Payload = body
	r.result.ContentType = "application/json"
	if r.inv.Stream != nil {
		r.result.StreamError = &StreamError{Type: kind, Details: string(body)}
	}
}

// crashed is called when the runtime's program or an extension ended before there was an answer. The
// answer may have been its last breath, and be on its way.
func (r *round) crashed(kind, message string) {
	late := time.NewTimer(lastBreath)
	defer late.Stop()
	select {
	case <-r.env.connections.none():
	case <-late.C:
	}
	select {
	case <-r.call.Done():
		r.responded()
		return
	default:
	}
	began := r.call.Detach()
	r.message = message
	r.fail(kind, failureBody(kind, r.inv.RequestID, message))
	r.broken(began)
}

// timedOut is called when the invocation took too long. AWS words the error so for every runtime.
func (r *round) timedOut() {
	began := r.call.Detach()
	message := fmt.Sprintf("Task timed out after %.2f seconds", r.env.spec.Timeout.Seconds())
	r.fail("Sandbox.Timedout", failureBody("Sandbox.Timedout", r.inv.RequestID, message))
	r.status = "timeout"
	r.broken(began)
}

// broken drops the error's body where a part of the response went out already.
func (r *round) broken(began bool) {
	if began && r.inv.Stream != nil {
		r.result.Payload = nil
	}
}

// atRest says whether there is nothing to wait for after an answer: the runtime has asked for the next
// invocation, and there are no extensions.
func (r *round) atRest() bool {
	if !r.runtimeRests {
		select {
		case <-r.env.runtime.Ready():
			r.runtimeRests = true
		default:
		}
	}
	return r.runtimeRests && !r.extended
}

// rested waits until the runtime asks for the next invocation, and so for extensions. It returns false
// if cancelled before.
func (r *round) rested(cancel <-chan time.Time) bool {
	e := r.env
	if r.status == "timeout" || r.message != "" || r.atRest() {
		return true
	}
	ready := e.runtime.Ready()
	if r.runtimeRests {
		ready = closedChannel
	}
	select {
	case <-ready:
	case <-e.exited:
		r.died("Runtime.ExitError", exitMessage(e.blank.exit))
		return true
	case <-r.over():
		r.status = "timeout"
		return true
	case <-cancel:
		return false
	}
	if !r.extended {
		return true
	}
	select {
	case <-e.extensions.registry.Resting():
	case f := <-e.extensions.registry.Failed():
		r.died(f.Type, extensionMessage(f))
	case <-r.over():
		r.status = "timeout"
	case <-cancel:
		r.runtimeRests = true
		return false
	}
	return true
}

// died records that something ended after the response had gone out.
func (r *round) died(kind, message string) {
	r.message = message
	if r.kind == "" {
		r.status, r.kind = "error", kind
	}
}

// close writes the end of the invocation's log and puts the environment back on its shelf, or ends it.
func (r *round) close() {
	e := r.env
	now := time.Now()
	if r.timer != nil {
		r.timer.Stop()
	}
	keep := r.status != "timeout" && r.message == ""
	if !keep {
		e.kill()
	}
	e.drain()
	r.measure(now)
	r.result.MemoryUsed = e.memoryAfter(r.result.Duration, now)
	if r.reported = r.kind; r.kind == "Runtime.ExitError" {
		r.diagnose()
	}
	r.logEnd()
	if r.inv.TailLog {
		r.result.LogTail = e.journal.tailed()
		e.journal.follow(false)
	}
	if keep {
		e.shelf.put(e)
		return
	}
	if e.shelf.lose() {
		e.fleet.replenish(e.spec, e.shelf)
	}
	reason := failure
	if r.status == "timeout" {
		reason = timeout
	}
	e.fleet.end(e, reason)
}

// diagnose finds out whether the runtime ended because memory ran out.
func (r *round) diagnose() {
	peak, exhausted := r.env.usage()
	r.result.MemoryUsed = peak
	if exhausted {
		r.reported = "Runtime.OutOfMemory"
		r.result.MemoryUsed = r.env.spec.Memory
	}
}

// kill stops the runtime's program at once, so that no more of its output comes.
func (e *environment) kill() {
	if !e.alive() {
		return
	}
	e.process.Signal(os.Kill)
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-e.exited:
	case <-late.C: // the kernel takes its time; the jail's end will see to it
	}
}

// measure computes the durations. AWS bills an initialization with the invocation that it was for:
// https://aws.amazon.com/blogs/compute/aws-lambda-standardizes-billing-for-init-phase/
func (r *round) measure(now time.Time) {
	d := now.Sub(r.began)
	if r.status == "timeout" {
		d = r.env.spec.Timeout
	}
	r.result.Duration = d
	r.result.Init = r.env.initTook
	r.result.Restore = r.env.pause.took()
	r.result.Billed = roundUp(d+r.env.initTook) + r.env.pause.billed()
}

// closedChannel is one that can always be received from.
var closedChannel = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

func roundUp(d time.Duration) time.Duration {
	return max(1, (d+time.Millisecond-1)/time.Millisecond) * time.Millisecond
}
