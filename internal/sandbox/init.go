package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/runtimeapi"
	"cirro/internal/sandbox/telemetryapi"
)

// defaultInit is how long an initialization may take.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-ib
const defaultInit = 10 * time.Second

// The phases that an initialization may happen in: ahead of an invocation, or as a part of one after
// the first attempt failed.
const (
	phaseInit   = "init"
	phaseInvoke = "invoke"
	// phaseSnapshot is ahead of all invocations, for a snapshot of the function.
	phaseSnapshot = "snap-start"
)

// snapshotInit is how long an initialization for a snapshot may take, or the function's timeout if that is
// more.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
const snapshotInit = 130 * time.Second

// initFailure is how an initialization failed.
type initFailure struct {
	Type    string
	Body    []byte // as the caller of the function sees it; "" where the request's id belongs into it
	message string // without the request's id, where Body is ""
	timeout bool
	took    time.Duration
	memory  int
	journal *journal // for the next attempt
}

// open makes an environment and initializes it. A failure of the function's is an initFailure; then
// nothing is left but the log.
func (f *Fleet) open(ctx context.Context, s *Spec, place *start, log *journal, phase string, limit time.Duration) (*environment, *initFailure, error) {
	return f.openTo(ctx, s, place, log, phase, limit, nil)
}

// openTo does as open, but for an environment that is to be saved: it is of no other use then.
func (f *Fleet) openTo(ctx context.Context, s *Spec, place *start, log *journal, phase string, limit time.Duration, saving *saving) (
	*environment, *initFailure, error,
) {
	r, err := f.runtime(s.Runtime)
	if err != nil {
		return nil, nil, err
	}
	b, err := f.nursery.blank(ctx, r, s)
	if err != nil {
		return nil, nil, err
	}
	if saving != nil && b.process == nil {
		return nil, nil, errors.Join(jail.ErrNoZygote, b.close())
	}
	if log == nil {
		log = newJournal(s, f.options.Log)
	}
	e, err := f.place(ctx, s, r.Path == "", b, log, saving)
	if err != nil {
		b.close()
		log.close()
		return nil, nil, err
	}
	if err := f.remember(e); err != nil {
		e.destroy()
		log.close()
		return nil, nil, err
	}
	place.computes(e.processor)
	began := time.Now()
	kept := &f.shelf(s.ID).kept
	if b.process != nil && saving == nil {
		var done func()
		e.image, done = kept.take()
		defer done()
	}
	if e.image != nil && s.SnapStart {
		e.logRestoreStart(r.Version)
	} else {
		e.logInitStart(r.Version, r.Warning, phase)
	}
	if failed := e.initialize(r, limit); failed != nil {
		failed.took = time.Since(began)
		failed.memory, _ = e.usage()
		if e.image != nil {
			kept.drop() // the next attempt is without
		}
		e.destroy()
		e.logInitDone(phase, failed)
		failed.journal = log
		return nil, failed, nil
	}
	e.initTook = time.Since(began)
	if e.image != nil && e.refused != "" {
		kept.drop()
	} else if e.image != nil && s.SnapStart {
		e.restored, e.initTook = true, 0
		return e, nil, nil
	}
	if e.pause != nil {
		e.drain() // what it prints later belongs to the restore
	}
	e.logInitDone(phase, nil)
	return e, nil, nil
}

// initialize starts the extensions and the runtime, and waits until all ask for their first event.
func (e *environment) initialize(r *family.Runtime, limit time.Duration) *initFailure {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	env := e.variables(r)
	if failed := e.startExtensions(extensionVariables(env), limit, timer.C); failed != nil {
		return failed
	}
	if err := e.run(r, env); err != nil {
		return &initFailure{Type: "Runtime.InvalidEntrypoint", message: err.Error()}
	}
	if e.saving != nil {
		return e.awaitSaved(limit, timer.C)
	}
	if failed := e.awaitRuntime(limit, timer.C); failed != nil {
		return failed
	}
	e.compiling.over.Store(true)
	if e.image != nil {
		e.refused = e.blank.refusal()
	}
	e.blank.heard()
	e.extensions.registry.Seal()
	select {
	case <-e.extensions.registry.Resting():
	case f := <-e.extensions.registry.Failed():
		return extensionInitFailure(f)
	case <-timer.C:
		return initTimeout(limit)
	}
	e.extensions.telemetry.Seal()
	if err := e.jail.SetCPU(limits(e.spec).CPU); err != nil {
		return &initFailure{Type: "Runtime.Unknown", message: err.Error()}
	}
	return nil
}

// awaitSaved waits until the runtime's program is saved, or cannot be.
func (e *environment) awaitSaved(limit time.Duration, over <-chan time.Time) *initFailure {
	answer := make(chan error, 1)
	go func() { answer <- e.blank.answer(limit) }()
	select {
	case <-e.paused(): // it knows nothing of snapshots
		e.unsaved = jail.ErrNoZygote
		return nil
	case e.unsaved = <-answer:
		return nil
	case f := <-e.runtime.InitFailed():
		e.awaitExit()
		return &initFailure{Type: f.Type, Body: f.Body}
	case f := <-e.extensions.registry.Failed():
		return extensionInitFailure(f)
	case <-e.exited:
		return e.awaitRuntime(limit, over)
	case <-over:
		return initTimeout(limit)
	}
}

// awaitRuntime waits until the runtime asks for its first invocation, or pauses before it.
func (e *environment) awaitRuntime(limit time.Duration, over <-chan time.Time) *initFailure {
	select {
	case <-e.paused():
		return nil
	case <-e.runtime.Ready():
		e.pause.skip()
		return nil
	case f := <-e.runtime.InitFailed():
		e.awaitExit()
		return &initFailure{Type: f.Type, Body: f.Body}
	case f := <-e.extensions.registry.Failed():
		return extensionInitFailure(f)
	case <-e.exited:
		<-e.connections.none() // its last words may be a failure
		select {
		case f := <-e.runtime.InitFailed():
			return &initFailure{Type: f.Type, Body: f.Body}
		default:
			return &initFailure{Type: "Runtime.ExitError", message: exitMessage(e.blank.exit)}
		}
	case <-over:
		return initTimeout(limit)
	}
}

func initTimeout(limit time.Duration) *initFailure {
	return &initFailure{
		Type: "Sandbox.Timedout", timeout: true,
		message: fmt.Sprintf("Task timed out after %.2f seconds", limit.Seconds()),
	}
}

// awaitExit gives a runtime that reported its failure time to end by itself, so that its last words
// are in the log.
func (e *environment) awaitExit() {
	timer := time.NewTimer(200 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-e.exited:
	case <-timer.C:
	}
}

// exitMessage says how the runtime's program ended, as AWS does.
func exitMessage(x jail.Exit) string {
	if x.Signal == "" && x.Code == 0 {
		return "Runtime exited without providing a reason"
	}
	return "Runtime exited with error: " + exitReason(x)
}

// exitReason says how a program ended.
func exitReason(x jail.Exit) string {
	if x.Signal != "" {
		return "signal: " + x.Signal
	}
	return fmt.Sprintf("exit status %d", x.Code)
}

// body is the failure as the caller of an invocation sees it.
func (f *initFailure) body(requestID string) []byte {
	if f.Body != nil {
		return f.Body
	}
	return failureBody(f.Type, requestID, f.message)
}

// failureBody is an error of the platform's about an invocation.
func failureBody(kind, requestID, message string) []byte {
	return runtimeapi.ErrorBody(kind, "RequestId: "+requestID+" Error: "+message)
}

func (e *environment) initType() string {
	if e.spec.InitializationType != "" {
		return e.spec.InitializationType
	}
	return "on-demand"
}

// logInitStart tells that an initialization begins. The text format tells only of the first attempt.
func (e *environment) logInitStart(version, warning, phase string) {
	s := e.spec
	arn := "arn:aws:lambda:" + s.Region + "::runtime:" + version
	var text func() string
	if phase != phaseInvoke {
		text = func() string {
			return "INIT_START Runtime Version: " + version + "\tRuntime Version ARN: " + arn
		}
	}
	e.journal.event(telemetryapi.InitStart, "INFO", func() any {
		return telemetryapi.InitStartRecord{
			InitializationType: e.initType(), Phase: phase, RuntimeVersion: version, RuntimeVersionARN: arn,
			FunctionName: s.Function, FunctionVersion: s.Version,
			InstanceID: e.journal.name, InstanceMaxMemory: s.Memory << 20,
		}
	}, text)
	if warning != "" {
		e.journal.warn(warning)
	}
}

// logInitDone tells how an initialization ended. A successful one is told in text by the REPORT of the
// first invocation.
func (e *environment) logInitDone(phase string, failed *initFailure) {
	record := telemetryapi.InitDoneRecord{InitializationType: e.initType(), Phase: phase, Status: "success"}
	level, took := "DEBUG", e.initTook
	var text func() string
	report := func(suffix string) func() string {
		return func() string {
			return fmt.Sprintf("INIT_REPORT Init Duration: %.2f ms\tPhase: %s", telemetryapi.Millis(took), phase) + suffix
		}
	}
	if phase == phaseSnapshot {
		text = report("") // no invocation will tell of it
	}
	if failed != nil {
		level, took = "WARN", failed.took
		record.Status, record.ErrorType = "error", failed.Type
		suffix := "\tStatus: error\tError Type: " + failed.Type
		if failed.timeout {
			record.Status = "timeout"
			suffix = "\tStatus: timeout"
		}
		text = report(suffix)
	}
	e.journal.event(telemetryapi.InitRuntimeDone, level, func() any { return record }, nil)
	if failed == nil && e.initType() != "on-demand" {
		level = "INFO"
	}
	e.journal.event(telemetryapi.InitReport, level, func() any {
		r := record
		r.Metrics = &telemetryapi.Metrics{DurationMs: telemetryapi.Millis(took)}
		return r
	}, text)
}

// warn logs a warning of the platform's.
func (j *journal) warn(message string) {
	if !j.json {
		j.line("[WARNING] " + message)
		return
	}
	b, _ := json.Marshal(map[string]string{
		"timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "level": "WARN", "message": message,
	})
	j.line(string(b))
}
