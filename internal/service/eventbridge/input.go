package eventbridge

import (
	"encoding/json"
	"regexp"
	"strings"

	api "cirro/internal/awsapi/events"
	"cirro/internal/target/jsonpath"

	"github.com/go-json-experiment/json/jsontext"
)

// input is what the target gets of an event.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
func (a *attempt) input() ([]byte, error) {
	t := a.target
	switch {
	case t.Input != nil:
		return []byte(*t.Input), nil
	case t.InputPath != nil:
		return find(a.event, *t.InputPath), nil
	case t.InputTransformer != nil:
		return a.transform(t.InputTransformer)
	}
	return a.event, nil
}

// find is the value at a path, null where there is none.
func find(event []byte, path string) []byte {
	if p, err := jsonpath.Parse(path); err == nil {
		if v, ok := p.Find(event); ok {
			return v
		}
	}
	return []byte("null")
}

// placeholder is how templates name variables.
var placeholder = regexp.MustCompile(`<([A-Za-z0-9_.\-]+)>`)

// predefined are the variables that there are without a path.
var predefined = map[string]bool{"aws.events.rule-arn": true, "aws.events.rule-name": true, "aws.events.event.ingestion-time": true,
	"aws.events.event": true, "aws.events.event.json": true}

// placeholders are the variables that a template names.
func placeholders(template string) (names []string) {
	for _, m := range placeholder.FindAllStringSubmatch(template, -1) {
		names = append(names, m[1])
	}
	return names
}

// transform fills a template. Within quotes a variable is text: that of a string as it is, that of an object
// or an array without its quotes. Elsewhere it is JSON. What the event does not have is empty text.
func (a *attempt) transform(t *api.InputTransformer) ([]byte, error) {
	template := *t.InputTemplate
	var out []byte
	quoted := false
	last := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(template, -1) {
		between := template[last:m[0]]
		quoted = quotedAfter(between, quoted)
		out = append(out, between...)
		value, found := a.variable(template[m[2]:m[3]], t.InputPathsMap)
		switch {
		case !found && quoted:
		case !found:
			out = append(out, `""`...)
		case quoted:
			out = append(out, plain(value)...)
		default:
			out = append(out, value...)
		}
		last = m[1]
	}
	out = append(out, template[last:]...)
	if form := strings.TrimSpace(template); (strings.HasPrefix(form, "{") || strings.HasPrefix(form, "[")) && !json.Valid(out) {
		return nil, &failure{"INVALID_JSON", "The transformed input is not valid JSON."}
	}
	return out, nil
}

// quotedAfter reports whether a text ends within quotes.
func quotedAfter(text string, quoted bool) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			quoted = !quoted
		}
	}
	return quoted
}

// variable is a variable's value, as JSON.
func (a *attempt) variable(name string, paths map[string]string) (jsontext.Value, bool) {
	switch name {
	case "aws.events.rule-arn":
		return appendQuoted(nil, a.Bus.ruleARN(a.rule.Name)), true
	case "aws.events.rule-name":
		return appendQuoted(nil, a.rule.Name), true
	case "aws.events.event.ingestion-time":
		return appendQuoted(nil, a.At.UTC().Format(timeForm)), true
	case "aws.events.event":
		return withoutDetail(a.event), true
	case "aws.events.event.json":
		return a.event, true
	}
	path, err := jsonpath.Parse(paths[name])
	if err != nil {
		return nil, false
	}
	return path.Find(a.event)
}

// withoutDetail is an event without its detail, its members named and ordered as AWS does there.
func withoutDetail(event []byte) []byte {
	var e struct {
		ID         json.RawMessage `json:"id"`
		Account    json.RawMessage `json:"account"`
		DetailType json.RawMessage `json:"detail-type"`
		Time       json.RawMessage `json:"time"`
		Source     json.RawMessage `json:"source"`
		Region     json.RawMessage `json:"region"`
		Resources  json.RawMessage `json:"resources"`
		Version    json.RawMessage `json:"version"`
	}
	if json.Unmarshal(event, &e) != nil {
		return []byte("{}")
	}
	b := []byte{'{'}
	for i, m := range []struct {
		name  string
		value json.RawMessage
	}{{"id", e.ID}, {"account", e.Account}, {"detailType", e.DetailType}, {"time", e.Time}, {"source", e.Source}, {"region", e.Region},
		{"resources", e.Resources}, {"version", e.Version}} {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, m.name), ':')
		b = append(b, m.value...)
	}
	return append(b, '}')
}

// plain is a value as text.
func plain(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		if text, err := jsontext.AppendUnquote(nil, v); err == nil {
			return string(text)
		}
	case '{', '[':
		compact := v.Clone()
		if compact.Compact() == nil {
			return strings.ReplaceAll(string(compact), `"`, "")
		}
	}
	return string(v)
}
