package sandbox

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"cirro/internal/sandbox/runtimeapi"
	"cirro/internal/sandbox/telemetryapi"
)

// defaultRestore is how long a function may take from the pause to its first invocation.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
const defaultRestore = 10 * time.Second

// pause is where an environment of a function with SnapStart stands between its initialisation and its
// first invocation, and what the way on took. A nil pause is that of a function without.
type pause struct {
	*runtimeapi.Restore
	token   string // that the function gets its credentials with
	over    atomic.Bool
	skipped bool // the runtime did not stop

	// Until an invocation's REPORT has told them. AWS bills what of a restore is the function's own.
	duration, own time.Duration
}

func newPause(token string) *pause { return &pause{Restore: runtimeapi.NewRestore(), token: token} }

// paused is closed when the runtime has come to the pause, nil if there is none.
func (e *environment) paused() <-chan struct{} {
	if e.pause == nil {
		return nil
	}
	return e.pause.Reached()
}

// skip is called when a runtime asks for its first invocation although it was not let go on.
func (p *pause) skip() {
	if p != nil {
		p.skipped = true
	}
}

// took is what the restore took that an invocation waited for, 0 for none.
func (p *pause) took() time.Duration {
	if p == nil {
		return 0
	}
	return p.duration
}

// billed is what of it is billed.
func (p *pause) billed() time.Duration {
	if p.took() == 0 {
		return 0
	}
	return roundUp(p.own)
}

// told forgets what the restore took.
func (p *pause) told() {
	if p != nil {
		p.duration, p.own = 0, 0
	}
}

// RestoreError is how the restore of an environment failed.
type RestoreError struct {
	Type    string // "Runtime.AfterRestoreError", …
	Message string
	Timeout bool // after the 10 seconds that there are
}

func (e *RestoreError) Error() string { return "restore failed: " + e.Type + ": " + e.Message }

// resume lets a paused environment go on to its first invocation. began is when the restore did.
func (e *environment) resume(began time.Time) *RestoreError {
	own := time.Now()
	e.pause.over.Store(true)
	e.pause.Release()
	var failed *RestoreError
	if !e.pause.skipped {
		failed = e.awaitResumed()
	}
	now := time.Now()
	e.pause.duration, e.pause.own = now.Sub(began), now.Sub(own)
	e.logRestoreDone(failed)
	return failed
}

// awaitResumed waits until the runtime asks for its first invocation.
func (e *environment) awaitResumed() *RestoreError {
	timer := time.NewTimer(e.fleet.options.RestoreLimit)
	defer timer.Stop()
	select {
	case <-e.runtime.Ready():
		return nil
	case f := <-e.pause.Failed():
		e.awaitExit()
		return &RestoreError{Type: f.Type, Message: string(f.Body)}
	case <-e.exited:
		<-e.connections.none() // its last words may be a failure
		select {
		case f := <-e.pause.Failed():
			return &RestoreError{Type: f.Type, Message: string(f.Body)}
		default:
			return &RestoreError{Type: "Runtime.ExitError", Message: exitMessage(e.blank.exit)}
		}
	case <-timer.C:
		return &RestoreError{Type: "Sandbox.Timedout", Timeout: true,
			Message: fmt.Sprintf("the restore took more than %v", e.fleet.options.RestoreLimit)}
	}
}

// logRestoreStart tells that an environment is made from a snapshot.
func (e *environment) logRestoreStart(version string) {
	s := e.spec
	arn := "arn:aws:lambda:" + s.Region + "::runtime:" + version
	e.journal.event(telemetryapi.RestoreStart, "INFO", func() any {
		return telemetryapi.RestoreStartRecord{
			FunctionName: s.Function, FunctionVersion: s.Version, InstanceID: e.journal.name,
			InstanceMaxMemory: s.Memory << 20, RuntimeVersion: version, RuntimeVersionARN: arn,
		}
	}, func() string { return "RESTORE_START Runtime Version: " + version + "\tRuntime Version ARN: " + arn })
}

// logRestoreDone tells how that ended.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-restore
func (e *environment) logRestoreDone(failed *RestoreError) {
	e.drain()
	record, suffix := telemetryapi.RestoreDoneRecord{Status: "success"}, ""
	level := "DEBUG"
	switch {
	case failed == nil:
	case failed.Timeout:
		level, record.Status, suffix = "WARN", "timeout", "\tStatus: timeout"
	default:
		level, record.Status, record.ErrorType = "WARN", "error", failed.Type
		suffix = "\tStatus: error\tError Type: " + failed.Type
	}
	e.journal.event(telemetryapi.RestoreRuntimeDone, level, func() any { return record }, nil)
	if failed == nil {
		level = "INFO"
	}
	took := telemetryapi.Millis(e.pause.duration)
	e.journal.event(telemetryapi.RestoreReport, level, func() any {
		r := record
		r.Metrics = &telemetryapi.Metrics{DurationMs: took}
		return r
	}, func() string { return fmt.Sprintf("RESTORE_REPORT Restore Duration: %.2f ms", took) + suffix })
}

// beforeRestore is how long credentials seem to last that are given out before the restore: so short that
// SDKs ask again after it.
const beforeRestore = 4 * time.Minute

// issue gives a function with SnapStart the credentials that it asks for.
func (e *environment) issue() runtimeapi.Credentials {
	var c Credentials
	if e.spec.Credentials != nil {
		c = e.spec.Credentials()
	}
	now := time.Now()
	if c.Expires.IsZero() {
		c.Expires = now.Add(time.Hour)
	}
	if soon := now.Add(beforeRestore); !e.pause.over.Load() && soon.Before(c.Expires) {
		c.Expires = soon
	}
	return runtimeapi.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey,
		SessionToken: c.SessionToken, Expiration: c.Expires}
}

// token is what the environments of one Spec get their credentials with. It is the same for all of them, as a
// snapshot has it in its memory.
func (f *Fleet) token(s *Spec) string {
	mac := hmac.New(sha256.New, f.secret[:])
	mac.Write([]byte(s.ID))
	return hex.EncodeToString(mac.Sum(nil))
}
