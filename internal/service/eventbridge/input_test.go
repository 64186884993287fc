package eventbridge

import (
	"encoding/json"
	"testing"

	api "cirro/internal/awsapi/events"
)

const sample = `{"version":"0","id":"i","detail-type":"T","source":"app","account":"000000000000","time":"2026-03-04T05:06:07Z","region":"us-east-1","resources":["r"],` +
	`"detail":{"s":"say \"hi\"","n":1.50,"o":{"b":[1,"x"],"a":null},"t":true,"list":["p","q"]}}`

func sampleAttempt(t *api.Target) *attempt {
	t.Id, t.Arn = new("t"), new("arn:aws:sqs:us-east-1:000000000000:q")
	return &attempt{parcel: &parcel{Bus: busRef{place{"000000000000", "us-east-1"}, "b"}, ID: "i", At: start, event: []byte(sample)}, rule: &rule{Name: "r"}, target: t}
}

// TestInputs has templates by what AWS documents of them.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
func TestInputs(t *testing.T) {
	paths := map[string]string{"s": "$.detail.s", "n": "$.detail.n", "o": "$.detail.o", "t": "$.detail.t", "list": "$.detail.list", "none": "$.detail.none", "type": "$.detail-type", "broken": "$..x"}
	for template, want := range map[string]string{
		`"<type> of <n>, <t> and <none>."`:        `"T of 1.50, true and ."`,
		`{"type": <type>, "n": <n>, "o": <o>}`:    `{"type": "T", "n": 1.50, "o": {"b":[1,"x"],"a":null}}`,
		`{"type": "<type>", "inline": "o: <o>"}`:  `{"type": "T", "inline": "o: {b:[1,x],a:null}"}`,
		`{"none": <none>, "in": "<none>"}`:        `{"none": "", "in": ""}`,
		`{"broken": <broken>}`:                    `{"broken": ""}`,
		`[<list>, <t>]`:                           `[["p","q"], true]`,
		`"in a list: <list>"`:                     `"in a list: [p,q]"`,
		`<o>`:                                     `{"b":[1,"x"],"a":null}`,
		`<type>`:                                  `"T"`,
		`"<s>"`:                                   `"say "hi""`, // AWS escapes nothing
		`{"q": "\"<type>\""}`:                     `{"q": "\"T\""}`,
		"\"one\"\n\"two <aws.events.rule-name>\"": "\"one\"\n\"two r\"",
		`{"arn": <aws.events.rule-arn>}`:          `{"arn": "arn:aws:events:us-east-1:000000000000:rule/b/r"}`,
		`"<aws.events.event.ingestion-time>"`:     `"2026-03-04T05:06:30Z"`,
		`{"e": <aws.events.event>}`:               `{"e": {"id":"i","account":"000000000000","detailType":"T","time":"2026-03-04T05:06:07Z","source":"app","region":"us-east-1","resources":["r"],"version":"0"}}`,
		`{"e": <aws.events.event.json>}`:          `{"e": ` + sample + `}`,
		`"{[/ at the start of text <type>"`:       `"{[/ at the start of text T"`,
		`{"unknown": "a < b > c <not here>"}`:     `{"unknown": "a < b > c <not here>"}`,
	} {
		a := sampleAttempt(&api.Target{InputTransformer: &api.InputTransformer{InputPathsMap: paths, InputTemplate: &template}})
		if got, err := a.input(); err != nil || string(got) != want {
			t.Errorf("%s: %s, not %s (%v)", template, got, want, err)
		}
	}
	broken := sampleAttempt(&api.Target{InputTransformer: &api.InputTransformer{InputPathsMap: paths, InputTemplate: new(`{"s": "<s>"}`)}})
	if got, err := broken.input(); err == nil || code(err) != "INVALID_JSON" || !lasting(err) {
		t.Errorf("%s, %v", got, err)
	}
	for path, want := range map[string]string{"$.detail.o": `{"b":[1,"x"],"a":null}`, "$.detail.s": `"say \"hi\""`, "$.none": "null", "x": "null", "$": sample} {
		if got, err := sampleAttempt(&api.Target{InputPath: &path}).input(); err != nil || string(got) != want {
			t.Errorf("%s: %s %v", path, got, err)
		}
	}
	if got, err := sampleAttempt(&api.Target{}).input(); err != nil || string(got) != sample {
		t.Errorf("%s %v", got, err)
	}
}

func TestPartitionKey(t *testing.T) {
	for path, want := range map[string]string{"$.detail.n": "1.50", "$.detail.s": `say "hi"`, "$.detail.none": "i", "none": "i"} {
		if got := sampleAttempt(&api.Target{KinesisParameters: &api.KinesisParameters{PartitionKeyPath: &path}}).partitionKey(); got != want {
			t.Errorf("%s: %s", path, got)
		}
	}
}

// FuzzTransform fills any template: one that is to become JSON becomes JSON, or fails.
func FuzzTransform(f *testing.F) {
	for _, s := range []string{`{"a": <v>, "b": "<v>"}`, `"<v>"`, `[<aws.events.event.json>]`, `<<v>>`, `"\\<v>\"`, `{"a": "<v>`} {
		f.Add(s, "$.detail.o")
		f.Add(s, "$.detail.list[*]")
	}
	f.Fuzz(func(t *testing.T, template, path string) {
		a := sampleAttempt(&api.Target{InputTransformer: &api.InputTransformer{InputPathsMap: map[string]string{"v": path}, InputTemplate: &template}})
		got, err := a.input()
		if err == nil && len(template) > 0 && template[0] == '{' && !json.Valid(got) {
			t.Fatalf("%s becomes %s", template, got)
		}
	})
}

// FuzzDetail takes any detail: what is taken is a JSON object, and an event with it is JSON.
func FuzzDetail(f *testing.F) {
	for _, s := range []string{`{"a": 1.0, "b": "\u00fc\ud83d"}`, `{}`, `[]`, `{"a":`, "{\"a\xff\": null}", ` {"a": 1, "a": 2} `} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		detail, ok := compactObject(text)
		if !ok {
			return
		}
		e := (&fields{ID: text, Source: text, DetailType: text, Resources: []string{text}}).write(detail)
		if !json.Valid(e) {
			t.Fatalf("%s", e)
		}
		if again, err := replayed(e, "r"); err != nil || !json.Valid(again) {
			t.Fatalf("%s: %v", again, err)
		}
	})
}
