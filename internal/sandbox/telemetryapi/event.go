package telemetryapi

import (
	"encoding/json"
	"strings"
	"time"
)

// Event is one thing that happened in an environment.
// https://docs.aws.amazon.com/lambda/latest/dg/telemetry-schema-reference.html
type Event struct {
	Time   time.Time
	Type   string // "platform.start", "function", "extension", …
	Record any    // a struct of this package, a line of text, or JSON
}

// The types of events.
const (
	InitStart             = "platform.initStart"
	InitRuntimeDone       = "platform.initRuntimeDone"
	InitReport            = "platform.initReport"
	RestoreStart          = "platform.restoreStart"
	RestoreRuntimeDone    = "platform.restoreRuntimeDone"
	RestoreReport         = "platform.restoreReport"
	Start                 = "platform.start"
	RuntimeDone           = "platform.runtimeDone"
	Report                = "platform.report"
	Extension             = "platform.extension"
	TelemetrySubscription = "platform.telemetrySubscription"
	LogsSubscription      = "platform.logsSubscription"
	LogsDropped           = "platform.logsDropped"
	Fault                 = "platform.fault"
	FunctionLine          = "function"
	ExtensionLine         = "extension"
)

// Stream is the part of an event's type that subscriptions name: "platform", "function", "extension".
func (e *Event) Stream() string {
	stream, _, _ := strings.Cut(e.Type, ".")
	return stream
}

// timeFormat is how this API writes moments.
const timeFormat = "2006-01-02T15:04:05.000Z"

// MarshalJSON writes the event as AWS does.
func (e *Event) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Time   string `json:"time"`
		Type   string `json:"type"`
		Record any    `json:"record"`
	}{e.Time.UTC().Format(timeFormat), e.Type, e.Record})
}

// InitStartRecord says that an initialization began.
type InitStartRecord struct {
	InitializationType string `json:"initializationType"`
	Phase              string `json:"phase"`
	RuntimeVersion     string `json:"runtimeVersion,omitempty"`
	RuntimeVersionARN  string `json:"runtimeVersionArn,omitempty"`
	FunctionName       string `json:"functionName"`
	FunctionVersion    string `json:"functionVersion"`
	InstanceID         string `json:"instanceId"`
	InstanceMaxMemory  int    `json:"instanceMaxMemory"`
}

// InitDoneRecord says how an initialization ended, in InitRuntimeDone and InitReport.
type InitDoneRecord struct {
	InitializationType string   `json:"initializationType"`
	Phase              string   `json:"phase"`
	Status             string   `json:"status"`
	ErrorType          string   `json:"errorType,omitempty"`
	Metrics            *Metrics `json:"metrics,omitempty"`
}

// RestoreStartRecord says that an environment began to be made from a snapshot.
type RestoreStartRecord struct {
	FunctionName      string `json:"functionName"`
	FunctionVersion   string `json:"functionVersion"`
	InstanceID        string `json:"instanceId"`
	InstanceMaxMemory int    `json:"instanceMaxMemory"`
	RuntimeVersion    string `json:"runtimeVersion,omitempty"`
	RuntimeVersionARN string `json:"runtimeVersionArn,omitempty"`
}

// RestoreDoneRecord says how that ended, in RestoreRuntimeDone and RestoreReport.
type RestoreDoneRecord struct {
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType,omitempty"`
	Metrics   *Metrics `json:"metrics,omitempty"`
}

// Tracing is the trace that an invocation is part of.
type Tracing struct {
	SpanID string `json:"spanId,omitempty"`
	Type   string `json:"type"`
	Value  string `json:"value"`
}

// StartRecord says that an invocation began.
type StartRecord struct {
	RequestID string   `json:"requestId"`
	Version   string   `json:"version,omitempty"`
	Tracing   *Tracing `json:"tracing,omitempty"`
	TenantID  string   `json:"tenantId,omitempty"`
}

// DoneRecord says how an invocation ended, in RuntimeDone and Report.
type DoneRecord struct {
	RequestID string   `json:"requestId"`
	Status    string   `json:"status"`
	ErrorType string   `json:"errorType,omitempty"`
	Tracing   *Tracing `json:"tracing,omitempty"`
	TenantID  string   `json:"tenantId,omitempty"`
	Spans     []Span   `json:"spans,omitempty"`
	Metrics   *Metrics `json:"metrics"`
}

// Span is a part of an invocation's time.
type Span struct {
	Name       string  `json:"name"`
	Start      string  `json:"start"`
	DurationMs float64 `json:"durationMs"`
}

// NewSpan makes a Span of the time between two moments.
func NewSpan(name string, from, to time.Time) Span {
	return Span{name, from.UTC().Format(timeFormat), Millis(to.Sub(from))}
}

// Metrics are an event's numbers; those that do not belong to the event are nil.
type Metrics struct {
	DurationMs        float64  `json:"durationMs"`
	BilledDurationMs  *int64   `json:"billedDurationMs,omitempty"`
	MemorySizeMB      *int     `json:"memorySizeMB,omitempty"`
	MaxMemoryUsedMB   *int     `json:"maxMemoryUsedMB,omitempty"`
	InitDurationMs    *float64 `json:"initDurationMs,omitempty"`
	RestoreDurationMs *float64 `json:"restoreDurationMs,omitempty"`
	ProducedBytes     *int     `json:"producedBytes,omitempty"`
}

// Millis is a duration as this API writes it: milliseconds with three digits after the point.
func Millis(d time.Duration) float64 { return float64(d.Round(time.Microsecond).Microseconds()) / 1000 }

// ExtensionRecord says that an extension registered.
type ExtensionRecord struct {
	Name      string   `json:"name"`
	State     string   `json:"state"`
	Events    []string `json:"events"`
	ErrorType string   `json:"errorType,omitempty"`
}

// SubscriptionRecord says that an extension subscribed.
type SubscriptionRecord struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	Types []string `json:"types"`
}

// DroppedRecord says that log records were lost.
type DroppedRecord struct {
	DroppedBytes   int64  `json:"droppedBytes"`
	DroppedRecords int64  `json:"droppedRecords"`
	Reason         string `json:"reason"`
}
