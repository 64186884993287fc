package sandbox

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"cirro/internal/sandbox/extensionsapi"
	"cirro/internal/sandbox/runtimeapi"
	"cirro/internal/sandbox/telemetryapi"
)

// linger is how long a caller who has its response waits for the environment to come to rest, so that
// the next call finds it idle. What takes longer goes on without the caller. It is also the most that a
// response may take to be read after the runtime's end.
const linger = 100 * time.Millisecond

// round is one invocation in an environment.
type round struct {
	env   *environment
	inv   *Invocation
	call  *runtimeapi.Call
	trace string
	began time.Time
	timer *time.Timer

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
	alone := context.WithoutCancel(ctx) // a new environment serves others if this caller goes away
	e, failed, err := f.open(alone, s, nil, phaseInit, f.options.InitLimit)
	if err != nil {
		return nil, err
	}
	if failed != nil {
		if e, failed, err = f.open(alone, s, failed.journal, phaseInvoke, s.Timeout); err != nil {
			return nil, err
		}
	}
	if failed != nil {
		return failed.report(s, inv), nil
	}
	sh.adopt(e)
	return e.invoke(ctx, inv)
}

// invoke runs an invocation. The environment goes back to its shelf afterwards, or ends.
func (e *environment) invoke(ctx context.Context, inv *Invocation) (*Result, error) {
	r := e.begin(inv)
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

// begin gives the invocation to the runtime and to extensions.
func (e *environment) begin(inv *Invocation) *round {
	r := &round{env: e, inv: inv, status: "success", trace: inv.TraceID}
	if r.trace == "" {
		r.trace = newTrace(e.spec.Tracing == "Active")
	}
	e.journal.follow(inv.TailLog)
	r.logStart()
	r.began = time.Now()
	deadline := r.began.Add(e.spec.Timeout)
	r.call = runtimeapi.NewCall(runtimeapi.Invocation{
		RequestID: inv.RequestID, FunctionARN: inv.InvokedARN, TraceID: r.trace,
		ClientContext: inv.ClientContext, Identity: inv.Identity, Tenant: inv.Tenant,
		Deadline: deadline, Payload: inv.Payload, Stream: inv.Stream,
	})
	r.timer = time.NewTimer(e.spec.Timeout)
	if r.extended = !e.extensions.registry.Empty(); r.extended {
		e.extensions.registry.Send(extensionsapi.Invoke,
			extensionsapi.InvokeEvent(inv.RequestID, inv.InvokedARN, r.trace, deadline))
	}
	e.runtime.Send(r.call)
	return r
}

// answered waits for the response, a crash or the timeout, and fills in the result. It returns false if
// cancelled before.
func (r *round) answered(cancel <-chan struct{}) bool {
	e := r.env
	select {
	case <-r.call.Done():
		r.responded()
	case <-e.exited:
		r.crashed("Runtime.ExitError", exitMessage(e.exit))
	case f := <-e.extensions.registry.Failed():
		r.crashed(f.Type, extensionMessage(f))
	case <-r.timer.C:
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
	late := time.NewTimer(linger)
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

// rested waits until the runtime asks for the next invocation, and so for extensions. It returns false
// if cancelled before.
func (r *round) rested(cancel <-chan time.Time) bool {
	e := r.env
	if r.status == "timeout" || r.message != "" {
		return true
	}
	ready := e.runtime.Ready()
	if r.runtimeRests {
		ready = closedChannel
	}
	select {
	case <-ready:
	case <-e.exited:
		r.died("Runtime.ExitError", exitMessage(e.exit))
		return true
	case <-r.timer.C:
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
	case <-r.timer.C:
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
	r.timer.Stop()
	keep := r.status != "timeout" && r.message == ""
	if !keep {
		e.kill()
	}
	e.drain()
	r.measure(now)
	r.result.MemoryUsed = e.memory(now)
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
	e.shutDown(reason)
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

// kill stops the runtime's program at once.
func (e *environment) kill() {
	if e.alive() {
		e.process.Signal(os.Kill)
		<-e.exited
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
	r.result.Billed = roundUp(d + r.env.initTook)
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

func (r *round) tracing() *telemetryapi.Tracing {
	return &telemetryapi.Tracing{Type: "X-Amzn-Trace-Id", Value: r.trace}
}

func (r *round) logStart() {
	e, inv := r.env, r.inv
	e.journal.event(telemetryapi.Start, "INFO", func() any {
		return telemetryapi.StartRecord{
			RequestID: inv.RequestID, Version: e.spec.Version, Tracing: r.tracing(), TenantID: inv.Tenant,
		}
	}, func() string { return "START RequestId: " + inv.RequestID + " Version: " + e.spec.Version })
}

// logEnd writes what belongs to the end of an invocation: why it failed, END and REPORT.
func (r *round) logEnd() {
	e, id := r.env, r.inv.RequestID
	if !e.journal.json {
		switch {
		case r.status == "timeout":
			e.journal.line(fmt.Sprintf("%s %s Task timed out after %.2f seconds\n",
				time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), id, e.spec.Timeout.Seconds()))
		case r.message != "":
			e.journal.line("RequestId: " + id + " Error: " + r.message + "\n" + r.kind)
		}
	}
	r.logDone(reportLine(r))
	e.initTook = 0
}

// logDone writes the events of an invocation's end; report is the last line of the text format.
func (r *round) logDone(report func() string) {
	e := r.env
	level := "DEBUG"
	if r.status != "success" {
		level = "WARN"
	}
	done := telemetryapi.DoneRecord{
		RequestID: r.inv.RequestID, Status: r.status, ErrorType: r.reported, Tracing: r.tracing(), TenantID: r.inv.Tenant,
	}
	e.journal.event(telemetryapi.RuntimeDone, level, func() any {
		d := done
		d.Metrics = &telemetryapi.Metrics{DurationMs: telemetryapi.Millis(r.result.Duration)}
		r.spans(&d)
		return d
	}, func() string { return "END RequestId: " + r.inv.RequestID })
	if level == "DEBUG" {
		level = "INFO"
	}
	e.journal.event(telemetryapi.Report, level, func() any {
		billed := r.result.Billed.Milliseconds()
		d := done
		d.Metrics = &telemetryapi.Metrics{
			DurationMs: telemetryapi.Millis(r.result.Duration), BilledDurationMs: &billed,
			MemorySizeMB: &e.spec.Memory, MaxMemoryUsedMB: &r.result.MemoryUsed,
		}
		if r.result.Init > 0 {
			d.Metrics.InitDurationMs = new(telemetryapi.Millis(r.result.Init))
		}
		return d
	}, report)
}

// spans adds how the time of an answered invocation divides.
func (r *round) spans(d *telemetryapi.DoneRecord) {
	select {
	case <-r.call.Done():
	default:
		return
	}
	o := r.call.Outcome()
	first := o.Began
	if first.IsZero() {
		first = o.Ended
	}
	d.Spans = []telemetryapi.Span{
		telemetryapi.NewSpan("responseLatency", r.began, first),
		telemetryapi.NewSpan("responseDuration", first, o.Ended),
		telemetryapi.NewSpan("runtimeOverhead", o.Ended, r.began.Add(r.result.Duration)),
	}
	d.Metrics.ProducedBytes = new(o.Produced)
}

// reportLine is the REPORT line.
func reportLine(r *round) func() string {
	return func() string {
		var b strings.Builder
		fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
			r.inv.RequestID, telemetryapi.Millis(r.result.Duration), r.result.Billed.Milliseconds(),
			r.env.spec.Memory, r.result.MemoryUsed)
		if r.result.Init > 0 {
			fmt.Fprintf(&b, "Init Duration: %.2f ms\t", telemetryapi.Millis(r.result.Init))
		}
		switch r.status {
		case "timeout":
			b.WriteString("Status: timeout")
		case "error":
			if r.message != "" {
				b.WriteString("Status: error\tError Type: " + r.reported)
			}
		}
		if xray := xrayLine(r.trace); xray != "" {
			b.WriteString("\n" + xray)
		}
		return b.String()
	}
}

// xrayLine is the REPORT line's part about a trace that is recorded.
func xrayLine(trace string) string {
	if !strings.Contains(trace, "Sampled=1") {
		return ""
	}
	var root, parent string
	for part := range strings.SplitSeq(trace, ";") {
		switch name, value, _ := strings.Cut(part, "="); name {
		case "Root":
			root = value
		case "Parent":
			parent = value
		}
	}
	return "XRAY TraceId: " + root + "\tSegmentId: " + parent + "\tSampled: true\t"
}

// report writes the log of an invocation that found no environment, and is its result.
func (f *initFailure) report(s *Spec, inv *Invocation) *Result {
	e := &environment{spec: s, journal: f.journal}
	r := &round{env: e, inv: inv, status: "success", trace: inv.TraceID}
	if r.trace == "" {
		r.trace = newTrace(s.Tracing == "Active")
	}
	f.journal.follow(inv.TailLog)
	r.logStart()
	r.call = runtimeapi.NewCall(runtimeapi.Invocation{})
	r.fail(f.Type, f.body(inv.RequestID))
	r.result.TraceID = r.trace
	r.result.Duration = min(f.took, s.Timeout)
	r.result.Billed = roundUp(r.result.Duration)
	r.result.MemoryUsed = f.memory
	r.reported, r.message = r.kind, f.message
	if f.timeout {
		r.status = "timeout"
	}
	r.logEnd()
	r.result.LogTail = f.journal.tailed()
	f.journal.close()
	return &r.result
}
