package eventsource

import (
	"encoding/base64"
	"encoding/json"
)

// selects reports whether one of the source's filters matches a record. Of a queue's record the member "body",
// and of Kinesis's "data", is what the sender sent: JSON where it is an object, else text.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
func (s *Source) selects(event json.RawMessage, content string) bool {
	if len(s.Filters) == 0 {
		return true
	}
	var record map[string]any
	if json.Unmarshal(event, &record) != nil {
		return false
	}
	if inner, ok := record["kinesis"].(map[string]any); ok {
		record = inner
	}
	if text, ok := record[content].(string); ok {
		record[content] = opened(text, content == "data")
	}
	seen := encode(record)
	for _, f := range s.Filters {
		if f.Match(seen) {
			return true
		}
	}
	return false
}

// opened is what text holds.
func opened(text string, encoded bool) any {
	b := []byte(text)
	if encoded {
		decoded, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return text
		}
		b = decoded
	}
	var object map[string]any
	if json.Unmarshal(b, &object) == nil && object != nil {
		return object
	}
	return string(b)
}
