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

// A function with SnapStart is initialised once; its environments are copies of that.
func TestInitialisedFunctionsAreRestored(t *testing.T) {
	b := newBench(t, jail.AsRoot)
	b.fleet.Expect("python3.11")
	eventually(t, "a program waits", func() bool { return b.fleet.Waiting("python3.11", true) > 0 })
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
import os, random
made, drawn = os.urandom(8).hex(), random.random()
open("/tmp/made", "w").write(made)
print("initialised")
def handler(event, context):
    if event == "end": os._exit(1)
    return {"made": made, "kept": open("/tmp/made").read(), "drawn": random.random(), "type": os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"]}
`})
	s.SnapStart = true
	if err := b.fleet.Snapshot(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if b.fleet.Image(s.ID) == 0 {
		t.Fatalf("there is no image:\n%s", strings.Join(b.log.all(), "\n"))
	}
	type answer struct {
		Made, Kept, Type string
		Drawn            float64
	}
	var seen []answer
	for range 3 {
		var a answer
		r := b.invoke(s, "{}")
		if err := json.Unmarshal(r.Payload, &a); err != nil || r.FunctionError != "" {
			t.Fatalf("%s\n%s", r.Payload, strings.Join(b.log.all(), "\n"))
		}
		if r.Restore <= 0 || r.Init != 0 || a.Kept != a.Made || a.Type != "snap-start" {
			t.Errorf("%+v of %+v", a, r)
		}
		seen = append(seen, a)
		b.invoke(s, `"end"`)
	}
	if seen[0].Made != seen[1].Made || seen[0].Drawn == seen[1].Drawn || seen[1].Drawn == seen[2].Drawn {
		t.Errorf("%+v", seen)
	}
	count := map[string]int{}
	for _, l := range b.log.all() {
		word, _, _ := strings.Cut(l, " ")
		count[word]++
	}
	if count["initialised"] != 1 || count["INIT_START"] != 1 || count["RESTORE_START"] != 3 || count["RESTORE_REPORT"] != 3 {
		t.Errorf("the log:\n%s", strings.Join(b.log.all(), "\n"))
	}
	b.fleet.Retire(s.ID)
	if b.fleet.Image(s.ID) != 0 {
		t.Error("it is kept")
	}
}

// What cannot be saved is told once, and the function is initialised ahead instead.
func TestFunctionsThatCannotBeSaved(t *testing.T) {
	b := newBench(t, jail.AsRoot)
	b.fleet.Expect("python3.11")
	eventually(t, "a program waits", func() bool { return b.fleet.Waiting("python3.11", true) > 0 })
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
import threading, time
threading.Thread(target=time.sleep, args=(1000,), daemon=True, name="ticker").start()
def handler(event, context): return "well"
`})
	s.SnapStart = true
	for range 2 {
		if err := b.fleet.Snapshot(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if r := b.invoke(s, "{}"); string(r.Payload) != `"well"` || r.Restore <= 0 {
		t.Errorf("%+v", r)
	}
	told := 0
	for _, l := range b.log.all() {
		if strings.Contains(l, "The memory of the function cannot be saved: the thread 'ticker' is running.") {
			told++
		}
	}
	if told != 1 || b.fleet.Image(s.ID) != 0 {
		t.Errorf("told %d times:\n%s", told, strings.Join(b.log.all(), "\n"))
	}
}

// Of packages beside a function's own modules only these are loaded ahead.
func TestBundledPackagesAreLoadedOnce(t *testing.T) {
	b := newBench(t, jail.AsRoot)
	b.fleet.Expect("python3.11")
	eventually(t, "a program waits", func() bool { return b.fleet.Waiting("python3.11", true) > 0 })
	s := b.function("python3.11", "app.handler", map[string]string{
		"app.py":                        "import os, own, slow.part\ndef handler(e, c):\n    if e == 'end': os._exit(1)\n    return [own.MADE, slow.MADE, slow.part.X]\n",
		"own.py":                        "import os\nMADE = os.urandom(8).hex()\n",
		"slow/__init__.py":              slow,
		"slow/part.py":                  "X = 1",
		"slow_thing-1.dist-info/RECORD": "slow/__init__.py,,\nslow/part.py,,\n",
	})
	var own, packaged []string
	for range 3 {
		var a []any
		r := b.imaged(s)
		if err := json.Unmarshal(r.Payload, &a); err != nil || len(a) != 3 {
			t.Fatalf("%s\n%s", r.Payload, strings.Join(b.log.all(), "\n"))
		}
		own, packaged = append(own, a[0].(string)), append(packaged, a[1].(string))
		b.invoke(s, `"end"`)
	}
	if own[1] == own[2] || packaged[1] != packaged[2] {
		t.Errorf("own %v, packaged %v", own, packaged)
	}
}
