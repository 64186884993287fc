package sandbox_test

import (
	"strings"
	"testing"

	"cirro/internal/sandbox/jail"
)

func TestPythonEcho(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
count = 0
def handler(event, context):
    global count
    count += 1
    print("hello", event["name"])
    return {"count": count, "event": event}
`})
		r := b.invoke(s, `{"name": "ä"}`)
		if want := `{"count": 1, "event": {"name": "\u00e4"}}`; string(r.Payload) != want || r.FunctionError != "" {
			t.Fatalf("got %s %q, want %s; log:\n%s", r.Payload, r.FunctionError, want, strings.Join(b.log.all(), "\n"))
		}
		if r.Init == 0 {
			t.Error("a cold start has no init duration")
		}
		r = b.invoke(s, `{"name": "b"}`)
		if want := `{"count": 2, "event": {"name": "b"}}`; string(r.Payload) != want {
			t.Errorf("got %s, want %s", r.Payload, want)
		}
		if r.Init != 0 {
			t.Error("a warm start has an init duration")
		}
		t.Log(strings.Join(b.log.all(), "\n"))
	})
}
