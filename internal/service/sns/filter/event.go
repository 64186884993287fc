package filter

import (
	"encoding/json"
	"strconv"
	"strings"
)

// Event is what a policy is matched against: by key the values there, each a string, a float64, a bool, nil or
// an Event. The elements of an array are values of its key. A key with dots is one within another: AWS takes
// {"a.b": 1} and {"a": {"b": 1}} for the same.
type Event map[string][]any

// Attributes makes an event of the attributes of a message; those that are binary are left out.
type Attributes struct{ event Event }

// Add adds an attribute with its type and text. Text that is not of its type is left out.
func (a *Attributes) Add(name, dataType, value string) {
	if a.event == nil {
		a.event = Event{}
	}
	switch {
	case dataType == "String.Array":
		var list []any
		if json.Unmarshal([]byte(value), &list) == nil {
			a.event.add(name, list)
		}
	case strings.HasPrefix(dataType, "Number"):
		if n, err := strconv.ParseFloat(value, 64); err == nil {
			a.event.add(name, n)
		}
	case strings.HasPrefix(dataType, "String"):
		a.event.add(name, value)
	}
}

// Event is the event of the attributes added.
func (a *Attributes) Event() Event {
	if a.event == nil {
		return Event{}
	}
	return a.event
}

// Body makes an event of a message's body; nil where that is no JSON object.
func Body(text string) Event {
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") {
		return nil
	}
	var object map[string]any
	if json.Unmarshal([]byte(text), &object) != nil {
		return nil
	}
	return ofObject(object)
}

func ofObject(object map[string]any) Event {
	e := make(Event, len(object))
	for k, v := range object {
		e.add(k, v)
	}
	return e
}

// add puts a value that was decoded from JSON where its key says.
func (e Event) add(key string, v any) {
	first, rest, dotted := strings.Cut(key, ".")
	if dotted {
		inner := Event{}
		inner.add(rest, v)
		e[first] = append(e[first], inner)
		return
	}
	switch v := v.(type) {
	case map[string]any:
		e[key] = append(e[key], ofObject(v))
	case []any:
		for _, element := range v {
			e.add(key, element)
		}
	default:
		e[key] = append(e[key], v)
	}
}
