package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"cirro/internal/sandbox/telemetryapi"
)

// journal is the log of one environment: what the function and its extensions print, and the
// platform's own lines, as text or JSON. It feeds the log stream, the tail that a caller may ask for,
// and the subscribers of the Telemetry API.
type journal struct {
	spec   *Spec
	json   bool
	stream LogStream
	name   string // of the log stream

	lock    sync.Mutex
	tail    tail
	budget  budget
	publish func(telemetryapi.Event) // nil while nobody subscribed
	closed  bool
}

func newJournal(s *Spec, log Log) *journal {
	j := &journal{spec: s, json: s.LogFormat == "JSON", name: streamName(s)}
	if log != nil {
		j.stream = log.Stream(s, j.name)
	}
	return j
}

// restart goes on in another log stream: the environment begins anew there.
func (j *journal) restart(log Log) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.name = streamName(j.spec)
	if j.stream != nil {
		j.stream.Close()
		j.stream = log.Stream(j.spec, j.name)
	}
}

// streamName names an environment's log stream as Lambda does: 2026/11/24/[$LATEST]0123….
func streamName(s *Spec) string {
	return fmt.Sprintf("%s[%s]%s", time.Now().UTC().Format("2006/01/02/"), s.Version, hexID(16))
}

// printed takes a record that the function or an extension printed.
func (j *journal) printed(kind, record string) {
	now := time.Now()
	j.lock.Lock()
	defer j.lock.Unlock()
	lost, ok := j.budget.take(now, len(record))
	if lost != nil {
		j.dropped(now, lost)
	}
	if !ok {
		return
	}
	if j.publish != nil {
		j.publish(telemetryapi.Event{Time: now, Type: kind, Record: j.asRecord(record)})
	}
	if !j.filtered(record) {
		j.put(now, record)
	}
}

// asRecord is a printed record as subscribers get it: an object where the log's format is JSON and it
// is one.
func (j *journal) asRecord(record string) any {
	if j.json && strings.HasPrefix(record, "{") && json.Valid([]byte(record)) {
		return json.RawMessage(record)
	}
	return record + "\n"
}

// levels are the names of log levels, from the most to the least detailed.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html
// They bound what reaches the log; subscribers of the Telemetry API get everything.
var levels = map[string]int{"TRACE": 1, "DEBUG": 2, "INFO": 3, "WARN": 4, "WARNING": 4, "ERROR": 5, "FATAL": 6, "CRITICAL": 6}

// filtered says whether the function's log level hides a record: only of records that are JSON objects
// is the level known.
func (j *journal) filtered(record string) bool {
	least := leastLevel(j.spec.ApplicationLogLevel)
	if !j.json || least <= levels["TRACE"] || !strings.HasPrefix(record, "{") {
		return false
	}
	var o struct {
		Level any `json:"level"`
	}
	if json.Unmarshal([]byte(record), &o) != nil {
		return false
	}
	name, _ := o.Level.(string)
	level := levels[strings.ToUpper(name)]
	if level == 0 {
		level = levels["INFO"]
	}
	return level < least
}

// leastLevel is the level that a setting names; the default is INFO.
func leastLevel(setting string) int {
	if l := levels[setting]; l > 0 {
		return l
	}
	return levels["INFO"]
}

// put writes a record to the stream and the tail. The lock is held.
func (j *journal) put(at time.Time, record string) {
	if j.closed {
		return
	}
	j.tail.add(record)
	if j.stream != nil {
		j.stream.Put(at, record)
	}
}

// line writes a line of the platform's that is text in either format: how a failure is shown.
func (j *journal) line(text string) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.put(time.Now(), text)
}

// event logs something of the platform's: in the JSON format as an object, if the level lets it; else
// as the text, "" for none. record is called only where somebody wants it.
func (j *journal) event(kind, level string, record func() any, text func() string) {
	now := time.Now()
	j.lock.Lock()
	defer j.lock.Unlock()
	e := telemetryapi.Event{Time: now, Type: kind}
	if j.publish != nil {
		e.Record = record()
		j.publish(e)
	}
	if !j.json {
		if text != nil {
			j.put(now, text())
		}
		return
	}
	if levels[level] < leastLevel(j.spec.SystemLogLevel) {
		return
	}
	if e.Record == nil {
		e.Record = record()
	}
	if b, err := json.Marshal(&e); err == nil {
		j.put(now, string(b))
	}
}

// dropped tells of records that did not fit the budget. The lock is held.
func (j *journal) dropped(at time.Time, lost *telemetryapi.DroppedRecord) {
	e := telemetryapi.Event{Time: at, Type: telemetryapi.LogsDropped, Record: lost}
	if j.publish != nil {
		j.publish(e)
	}
	if j.json {
		if b, err := json.Marshal(&e); err == nil {
			j.put(at, string(b))
		}
		return
	}
	j.put(at, fmt.Sprintf("LOGS DROPPED\tRecords: %d\tBytes: %d\tReason: %s", lost.DroppedRecords, lost.DroppedBytes, lost.Reason))
}

// follow begins the tail that a caller asked for.
func (j *journal) follow(on bool) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.tail.on = on
	j.tail.bytes = nil
}

// tailed returns the tail.
func (j *journal) tailed() []byte {
	j.lock.Lock()
	defer j.lock.Unlock()
	return bytes.Clone(j.tail.bytes)
}

// subscribe makes f receive every event from now on.
func (j *journal) subscribe(f func(telemetryapi.Event)) {
	j.lock.Lock()
	defer j.lock.Unlock()
	j.publish = f
}

// close ends the log: what comes later is dropped.
func (j *journal) close() {
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.closed {
		return
	}
	j.closed = true
	if j.stream != nil {
		j.stream.Close()
	}
}

// maxTail is how much of an invocation's log its caller can get.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
const maxTail = 4096

// tail keeps the last bytes of a log.
type tail struct {
	on    bool
	bytes []byte
}

func (t *tail) add(record string) {
	if !t.on {
		return
	}
	t.bytes = append(t.bytes, record...)
	t.bytes = append(t.bytes, '\n')
	if over := len(t.bytes) - maxTail; over > 0 {
		t.bytes = append(t.bytes[:0], t.bytes[over:]...)
	}
}

// An environment may log burst bytes at once and rate bytes a second after that.
const (
	burst = 32 << 20
	rate  = 4 << 20
)

// budget bounds how much one environment logs, so that a function that prints without end fills
// neither the disk nor others' time.
type budget struct {
	left int64
	at   time.Time
	lost telemetryapi.DroppedRecord
}

// take says whether n more bytes may be logged now. Where some were refused before it also returns how
// many, once.
func (b *budget) take(now time.Time, n int) (lost *telemetryapi.DroppedRecord, ok bool) {
	if b.at.IsZero() {
		b.left = burst
	} else {
		b.left = min(burst, b.left+int64(now.Sub(b.at).Seconds()*rate))
	}
	b.at = now
	if b.left < int64(n) {
		b.lost.DroppedBytes += int64(n)
		b.lost.DroppedRecords++
		return nil, false
	}
	b.left -= int64(n)
	if b.lost.DroppedRecords > 0 {
		l := b.lost
		l.Reason = "The environment logs faster than 4 MiB a second."
		b.lost = telemetryapi.DroppedRecord{}
		return &l, true
	}
	return nil, true
}
