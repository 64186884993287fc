package pipes

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cirro/internal/target/jsonpath"
)

// template is an input template: what an enrichment or a target gets of each record.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html
type template []part

// part is text as it stands, or what stands for a value.
type part struct {
	text   string
	path   jsonpath.Path // "<$.path>"
	name   string        // "<aws.pipes.name>"
	quoted bool          // stands within a string
}

// reserved are the names that templates may use besides paths.
var reserved = map[string]bool{
	"aws.pipes.pipe-arn": true, "aws.pipes.pipe-name": true, "aws.pipes.source-arn": true, "aws.pipes.enrichment-arn": true,
	"aws.pipes.target-arn": true, "aws.pipes.event.ingestion-time": true, "aws.pipes.event": true, "aws.pipes.event.json": true,
}

// parseTemplate reads a template. An angle bracket that opens no path and no reserved name is text.
func parseTemplate(text string) (t template, err error) {
	quoted := false
	for text != "" {
		open := strings.IndexByte(text, '<')
		if open < 0 {
			open = len(text)
		}
		if plain := text[:open]; plain != "" {
			t = append(t, part{text: plain})
			quoted = endsQuoted(plain, quoted)
		}
		if text = text[open:]; text == "" {
			break
		}
		inner, rest, closed := strings.Cut(text[1:], ">")
		p := part{quoted: quoted}
		switch {
		case closed && strings.HasPrefix(inner, "$"):
			if p.path, err = jsonpath.Parse(inner); err != nil {
				return nil, err
			}
		case closed && strings.HasPrefix(inner, "aws.pipes."):
			if p.name = inner; !reserved[inner] {
				return nil, fmt.Errorf("%s is no reserved variable", inner)
			}
		default:
			t = append(t, part{text: "<"})
			text = text[1:]
			continue
		}
		t, text = append(t, p), rest
	}
	return t, nil
}

// endsQuoted reports whether a string is open after a text.
func endsQuoted(text string, quoted bool) bool {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && quoted:
			i++
		case text[i] == '"':
			quoted = !quoted
		}
	}
	return quoted
}

// item is a record on its way through a pipe.
type item []byte

// opened is an item as paths see it: what a message's body holds, and a stream's data, where that is JSON.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-input-transformation.html#input-transform-implicit
func (i item) opened() []byte {
	var object map[string]json.RawMessage
	if json.Unmarshal(i, &object) != nil {
		return i
	}
	changed := false
	for name, encoded := range map[string]bool{"body": false, "data": true} {
		var text string
		if json.Unmarshal(object[name], &text) != nil || object[name] == nil {
			continue
		}
		b := []byte(text)
		if encoded {
			decoded, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				continue
			}
			b = decoded
		}
		if json.Valid(b) {
			object[name], changed = b, true
		} else if encoded {
			object[name], changed = encode(string(b)), true
		}
	}
	if !changed {
		return i
	}
	return encode(object)
}

// json is the item as JSON: text that is none is a string.
func (i item) json() json.RawMessage {
	if json.Valid(i) {
		return json.RawMessage(i)
	}
	return encode(string(i))
}

// encode is JSON of what always can be, without escapes for HTML.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // strings and JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// render makes of a record what the template says. Without one it stays as it is.
func (p *pipe) render(t template, i item, now time.Time) item {
	if len(t) == 0 {
		return i
	}
	seen := i.opened()
	if len(t) == 1 && t[0].text == "" {
		return item(bare(p.value(&t[0], i, seen, now)))
	}
	var b bytes.Buffer
	for n := range t {
		switch part := &t[n]; {
		case part.text != "":
			b.WriteString(part.text)
		case part.quoted:
			text := encode(bareText(p.value(part, i, seen, now)))
			b.Write(text[1 : len(text)-1])
		default:
			b.Write(p.value(part, i, seen, now))
		}
	}
	return b.Bytes()
}

// value is what a part of a template stands for, as JSON; null for nothing.
func (p *pipe) value(part *part, i item, seen []byte, now time.Time) []byte {
	if part.path != nil {
		if v, ok := part.path.Find(seen); ok {
			return v
		}
		if len(part.path) > 0 {
			return []byte("null")
		}
	}
	switch part.name {
	case "aws.pipes.pipe-arn":
		return encode(p.arn())
	case "aws.pipes.pipe-name":
		return encode(p.Name)
	case "aws.pipes.source-arn":
		return encode(p.Source)
	case "aws.pipes.enrichment-arn":
		return encode(p.Enrichment)
	case "aws.pipes.target-arn":
		return encode(p.Target)
	case "aws.pipes.event.ingestion-time":
		return encode(now.UTC().Format("2006-01-02T15:04:05.000Z"))
	case "aws.pipes.event":
		return i.json()
	}
	return item(seen).json()
}

// bare is a string without its quotes, and any other value as it is.
func bare(v []byte) []byte {
	var text string
	if len(v) > 0 && v[0] == '"' && json.Unmarshal(v, &text) == nil {
		return []byte(text)
	}
	return v
}

// bareText is a value within a string; nothing for null.
func bareText(v []byte) string {
	if string(v) == "null" {
		return ""
	}
	return string(bare(v))
}
