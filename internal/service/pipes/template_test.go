package pipes

import (
	"encoding/json"
	"testing"
	"time"
)

var example = &pipe{ref: ref{"000000000000", "us-east-1", "p"}, Source: "arn:aws:sqs:us-east-1:000000000000:q",
	Target: "arn:aws:lambda:us-east-1:000000000000:function:f"}

func TestTemplate(t *testing.T) {
	const message = `{"messageId":"1","body":"{\"a\":\"x\\\"y\",\"n\":1.50,\"o\":{\"b\":[1,2]}}"}`
	const text = `{"messageId":"1","body":"plain"}`
	const data = `{"data":"eyJuIjoyfQ==","partitionKey":"k"}`
	const rawData = `{"data":"aGVsbG8="}`
	for _, c := range []struct{ template, item, want string }{
		{``, message, message},
		{`Hello`, message, `Hello`},
		{`<$.messageId>`, message, `1`},
		{`<$.body>`, text, `plain`},
		{`<$.body>`, message, `{"a":"x\"y","n":1.50,"o":{"b":[1,2]}}`},
		{`<$.body.n>`, message, `1.50`},
		{`"Hello, <$.messageId>"`, message, `"Hello, 1"`},
		{`{"k":<$.body.a>,"n":<$.body.n>,"o":<$.body.o.b[1]>}`, message, `{"k":"x\"y","n":1.50,"o":2}`},
		{`{"k":"is <$.body.a>","o":"<$.body.o>"}`, message, `{"k":"is x\"y","o":"{\"b\":[1,2]}"}`},
		{`{"k":<$.body.none>,"l":"<$.body.none>"}`, message, `{"k":null,"l":""}`},
		{`{"a<b":"c\"<$.messageId>"}`, message, `{"a<b":"c\"1"}`},
		{`{"n":<$.data.n>,"k":<$.partitionKey>}`, data, `{"n":2,"k":"k"}`},
		{`<$.data>`, rawData, `hello`},
		{`{"e":<aws.pipes.event.json>}`, data, `{"e":{"data":{"n":2},"partitionKey":"k"}}`},
		{`{"e":<aws.pipes.event>}`, data, `{"e":` + data + `}`},
		{`{"p":"<aws.pipes.pipe-name>","a":<aws.pipes.pipe-arn>,"s":<aws.pipes.source-arn>,"t":<aws.pipes.target-arn>,"at":<aws.pipes.event.ingestion-time>}`, text,
			`{"p":"p","a":"arn:aws:pipes:us-east-1:000000000000:pipe/p","s":"arn:aws:sqs:us-east-1:000000000000:q","t":"arn:aws:lambda:us-east-1:000000000000:function:f","at":"2026-01-02T03:04:05.678Z"}`},
		{`<$.body.list[*].x>`, `{"body":"{\"list\":[{\"x\":1},{\"x\":2}]}"}`, `[1,2]`},
		{`<$>`, `"answer"`, `answer`},
	} {
		parsed, err := parseTemplate(c.template)
		if err != nil {
			t.Errorf("%s: %v", c.template, err)
			continue
		}
		if got := example.render(parsed, item(c.item), time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)); string(got) != c.want {
			t.Errorf("%s of %s:\n%s, not\n%s", c.template, c.item, got, c.want)
		}
	}
	for _, bad := range []string{`<$.a[>`, `<aws.pipes.none>`, `<$a>`} {
		if _, err := parseTemplate(bad); err == nil {
			t.Error(bad)
		}
	}
}

func TestEnriched(t *testing.T) {
	for answer, want := range map[string]int{``: 0, `""`: 0, `{}`: 0, `[]`: 0, ` [ ] `: 1, `null`: 1, `{"a":1}`: 1, `[1,2,3]`: 3, `"text"`: 1} {
		if answer == ` [ ] ` {
			want = 0
		}
		if got := enriched([]byte(answer)); len(got) != want {
			t.Errorf("%q: %d items", answer, len(got))
		}
	}
}

func TestResolved(t *testing.T) {
	for parameter, want := range map[string]string{"group": "group", "$.a": "x", "$.n": "1", "$.none": "", "$": "$"} {
		if got := resolved(&parameter, []byte(`{"a":"x","n":1}`)); got != want {
			t.Errorf("%s: %q", parameter, got)
		}
	}
}

// FuzzTemplate renders any template of any record. What comes out of a template that is a string in JSON is one.
func FuzzTemplate(f *testing.F) {
	f.Add(`{"a":<$.body.a>}`, `{"body":"{\"a\":1}"}`)
	f.Add(`"<$.body> <aws.pipes.event.json>"`, `{"body":"\"\\u0000"}`)
	f.Add(`<$.data[*]['x']>`, `{"data":"aGVsbG8="}`)
	f.Add(`<<$.a>>\"<`, `[1]`)
	f.Fuzz(func(t *testing.T, text, record string) {
		parsed, err := parseTemplate(text)
		if err != nil || !json.Valid([]byte(record)) {
			return
		}
		example.render(parsed, item(record), time.Time{})
		quoted, err := parseTemplate(`"<$.a> <$.body.a> <aws.pipes.event>"`)
		if err != nil {
			t.Fatal(err)
		}
		if got := example.render(quoted, item(record), time.Time{}); !json.Valid(got) {
			t.Errorf("%s", got)
		}
	})
}
