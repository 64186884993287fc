package sandbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cirro/internal/sandbox/runtimeapi"
	"cirro/internal/sandbox/telemetryapi"
)

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
	e.pause.told()
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
		if r.result.Restore > 0 {
			d.Metrics.RestoreDurationMs = new(telemetryapi.Millis(r.result.Restore))
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
		b := append(make([]byte, 0, 256), "REPORT RequestId: "...)
		field := func(name string, value int64, unit string) {
			b = append(strconv.AppendInt(append(b, name...), value, 10), unit...)
		}
		b = append(append(b, r.inv.RequestID...), "\tDuration: "...)
		b = strconv.AppendFloat(b, telemetryapi.Millis(r.result.Duration), 'f', 2, 64)
		field(" ms\tBilled Duration: ", r.result.Billed.Milliseconds(), " ms")
		field("\tMemory Size: ", int64(r.env.spec.Memory), " MB")
		field("\tMax Memory Used: ", int64(r.result.MemoryUsed), " MB\t")
		if r.result.Init > 0 {
			b = fmt.Appendf(b, "Init Duration: %.2f ms\t", telemetryapi.Millis(r.result.Init))
		}
		if r.result.Restore > 0 {
			b = fmt.Appendf(b, "Restore Duration: %.2f ms\tBilled Restore Duration: %d ms\t",
				telemetryapi.Millis(r.result.Restore), r.env.pause.billed().Milliseconds())
		}
		switch r.status {
		case "timeout":
			b = append(b, "Status: timeout"...)
		case "error":
			if r.message != "" {
				b = append(append(b, "Status: error\tError Type: "...), r.reported...)
			}
		}
		if xray := xrayLine(r.trace); xray != "" {
			b = append(append(b, '\n'), xray...)
		}
		return string(b)
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
