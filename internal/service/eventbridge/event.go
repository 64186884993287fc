package eventbridge

import (
	"encoding/json"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// fields are an event's members besides its detail.
type fields struct {
	ID, DetailType, Source, Account, Region string
	Replay                                  string // name of the replay that brings it; "" for none
	Time                                    time.Time
	Resources                               []string
}

// timeForm is how events write a time.
const timeForm = "2006-01-02T15:04:05Z"

// write writes an event in AWS's order of members. detail is a JSON object, compact.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
func (f *fields) write(detail []byte) []byte {
	b := make([]byte, 0, len(detail)+512)
	b = append(b, `{"version":"0"`...)
	member := func(name, value string) {
		b = append(b, `,"`+name+`":`...)
		b = appendQuoted(b, value)
	}
	member("id", f.ID)
	member("detail-type", f.DetailType)
	member("source", f.Source)
	member("account", f.Account)
	member("time", f.Time.UTC().Format(timeForm))
	member("region", f.Region)
	if f.Replay != "" {
		member("replay-name", f.Replay)
	}
	b = append(b, `,"resources":[`...)
	for i, r := range f.Resources {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, r)
	}
	b = append(b, `],"detail":`...)
	b = append(b, detail...)
	return append(b, '}')
}

// appendQuoted appends a string as JSON; what is no UTF-8 in it is replaced.
func appendQuoted(b []byte, s string) []byte {
	quoted, err := jsontext.AppendQuote(b, s)
	if err != nil {
		return append(b, `""`...)
	}
	return quoted
}

// replayed is an event as a replay brings it.
func replayed(event []byte, replay string) ([]byte, error) {
	var e struct {
		ID         string `json:"id"`
		DetailType string `json:"detail-type"`
		Source     string
		Account    string
		Time       time.Time
		Region     string
		Resources  []string
		Detail     json.RawMessage
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	f := fields{ID: e.ID, DetailType: e.DetailType, Source: e.Source, Account: e.Account, Region: e.Region, Time: e.Time, Resources: e.Resources, Replay: replay}
	return f.write(e.Detail), nil
}

// compactObject is a JSON object without white space and needless escapes, its numbers as they are; false for
// anything else.
func compactObject(text string) ([]byte, bool) {
	v := jsontext.Value(text)
	if v.Kind() != '{' || v.Format(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true), jsontext.Multiline(false)) != nil {
		return nil, false
	}
	return v, true
}

// isEvent reports whether a text is an event as TestEventPattern takes them.
func isEvent(text string) bool {
	var e map[string]any
	if json.Unmarshal([]byte(text), &e) != nil {
		return false
	}
	for _, name := range []string{"id", "account", "source", "time", "region", "detail-type"} {
		if _, ok := e[name].(string); !ok {
			return false
		}
	}
	return true
}
