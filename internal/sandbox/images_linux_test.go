package sandbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// slow is a package that takes its time, and tells when it is loaded.
const slow = `
import os, time
time.sleep(0.05)
print("slow is loaded")
MADE = os.urandom(8).hex()
CREDENTIALS = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("MINE")
`

// again ends the environment that is idle and invokes anew.
func (b *bench) again(s *sandbox.Spec) *sandbox.Result {
	b.t.Helper()
	b.invoke(s, `"end"`)
	return b.invoke(s, "{}")
}

// imaged invokes a function until its later environments start from an image.
func (b *bench) imaged(s *sandbox.Spec) *sandbox.Result {
	b.t.Helper()
	r := b.invoke(s, "{}")
	eventually(b.t, "an image", func() bool { return b.fleet.Image(s.ID) > 0 })
	return r
}

func TestPackagesAreLoadedOnce(t *testing.T) {
	b := newBench(t, jail.AsRoot)
	b.fleet.Expect("python3.11")
	eventually(t, "a program waits", func() bool { return b.fleet.Waiting("python3.11", true) > 0 })
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
import os, sys, random
import slow
print("app is loaded")
def handler(event, context):
    if event == "end": os._exit(1)
    return {"made": slow.MADE, "credentials": slow.CREDENTIALS, "key": os.environ["AWS_ACCESS_KEY_ID"], "drawn": random.random(),
            "stream": context.log_stream_name, "own": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], "path": sys.path[:3]}
`})
	s.Environment = map[string]string{"MINE": "yes"}
	s.Layers = []string{b.tree(map[string]string{"python/slow.py": slow})}
	type answer struct {
		Made, Key, Stream, Own string
		Credentials            []any
		Drawn                  float64
		Path                   []string
	}
	var seen []answer
	for range 4 {
		var a answer
		r := b.imaged(s)
		if err := json.Unmarshal(r.Payload, &a); err != nil || r.FunctionError != "" {
			t.Fatalf("%s\n%s", r.Payload, strings.Join(b.log.all(), "\n"))
		}
		if a.Key != "AKIA" || a.Stream != a.Own || a.Stream == "" || a.Path[0] != "/var/task" {
			t.Errorf("%+v", a)
		}
		seen = append(seen, a)
		b.invoke(s, `"end"`)
	}
	if seen[1].Made != seen[2].Made || seen[1].Made == seen[0].Made {
		t.Errorf("the package was made %v", seen)
	}
	if seen[1].Credentials[0] != nil || seen[1].Credentials[1] != "yes" {
		t.Errorf("the package saw %v", seen[1].Credentials)
	}
	if seen[1].Drawn == seen[2].Drawn || seen[1].Stream == seen[2].Stream {
		t.Error("two environments are the same")
	}
	loaded := 0
	for _, l := range b.log.all() {
		if l == "slow is loaded" {
			loaded++
		}
	}
	if loaded != 1 {
		t.Errorf("loaded %d times:\n%s", loaded, strings.Join(b.log.all(), "\n"))
	}
}
