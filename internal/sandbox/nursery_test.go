package sandbox_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// walled are the modes in which something is made ahead.
func walled(t *testing.T, test func(t *testing.T, m jail.Mode)) {
	modes(t, func(t *testing.T, m jail.Mode) {
		if m == jail.Unwalled {
			t.Skip("nothing is made ahead without walls: a program has its paths from the start")
		}
		test(t, m)
	})
}

// eventually waits for a condition that nothing tells of.
func eventually(t testing.TB, what string, met func() bool) {
	t.Helper()
	for limit := time.Now().Add(2 * time.Minute); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("never: " + what)
		}
	}
}

// itself tells all that a function can see of its process.
var itself = map[string]string{
	"python3.11": `
import os, sys, signal, stat
def handler(event, context):
    umask = os.umask(0); os.umask(umask)
    return {"env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv, "umask": umask, "path": sys.path,
            "files": {fd: stat.S_IFMT(os.fstat(int(fd)).st_mode) for fd in ("0", "1", "2")},
            "three": os.path.exists("/proc/self/fd/3") and os.readlink("/proc/self/fd/3").startswith("socket:[") is False,
            "signals": [str(signal.getsignal(s)) for s in (1, 2, 13, 15, 17)],
            "tmp": os.listdir("/tmp"), "limit": __import__("resource").getrlimit(7), "pgid": os.getpgid(0) == os.getpid()}
`,
	"nodejs20.x": `
const fs = require("fs");
exports.handler = async () => ({
  env: { ...process.env }, cwd: process.cwd(), argv: process.argv, umask: process.umask(), execArgv: process.execArgv,
  paths: module.paths, cache: Object.keys(require.cache), listeners: process.eventNames().map(String),
  tmp: fs.readdirSync("/tmp"), stdin: fs.readFileSync(0, "utf8"),
  files: fs.readdirSync("/proc/self/fd").length, globals: Object.keys(globalThis),
});
`,
}

var handlers = map[string]string{"python3.11": "app.py", "nodejs20.x": "app.js"}

// A program that waited must look to a function as one that was just started. One that has its
// variables set which count at a start is just started.
func TestAProgramThatWaitedIsLikeANewOne(t *testing.T) {
	for runtime, code := range itself {
		walled(t, func(t *testing.T, m jail.Mode) {
			t.Run(runtime, func(t *testing.T) {
				b := newBench(t, m)
				s := b.function(runtime, "app.handler", map[string]string{handlers[runtime]: code})
				s.Environment = map[string]string{"MINE": "a=b\"\n\u2028ä", "TZ": "Europe/Paris", "EMPTY": ""}
				see := func(id string, variables map[string]string) map[string]any {
					other := *s
					other.ID = id
					other.Environment = maps.Clone(s.Environment)
					maps.Copy(other.Environment, variables)
					r := b.invoke(&other, "{}")
					var seen map[string]any
					if err := json.Unmarshal(r.Payload, &seen); err != nil || r.FunctionError != "" {
						t.Fatalf("%s %v", r.Payload, strings.Join(b.log.all(), "\n"))
					}
					env := seen["env"].(map[string]any)
					delete(env, "AWS_LAMBDA_LOG_STREAM_NAME")
					delete(env, "_X_AMZN_TRACE_ID")
					delete(env, "LC_TEST")
					delete(env, "LC_CTYPE") // set by Python itself where the machine lacks Lambda's locale
					return seen
				}
				b.fleet.Expect(runtime)
				eventually(t, "a program waits", func() bool { return b.fleet.Waiting(runtime, true) > 0 })
				waited := see("waited", nil)
				fresh := see("fresh", map[string]string{"LC_TEST": "x"})
				for what := range fresh {
					if got, want := fmt.Sprint(waited[what]), fmt.Sprint(fresh[what]); got != want {
						t.Errorf("%s of what waited is %s\nand of a new one %s", what, got, want)
					}
				}
			})
		})
	}
}

func TestAProgramThatEndsWhileItWaitsIsReplaced(t *testing.T) {
	walled(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => "well"`})
		b.fleet.Expect(s.Runtime)
		eventually(t, "a program waits", func() bool { return b.fleet.Waiting(s.Runtime, true) > 0 })
		b.fleet.KillWaiting(s.Runtime)
		if r := b.invoke(s, "{}"); string(r.Payload) != `"well"` {
			t.Errorf("got %s", r.Payload)
		}
	})
}

func TestRuntimesThatWereUsedWaitAfterARestart(t *testing.T) {
	dir := t.TempDir()
	again := func(o *sandbox.Options) { o.Dir = dir }
	t.Run("first", func(t *testing.T) {
		b := newBench(t, jail.AsRoot, again)
		b.fleet.Expect("provided.al2023")
		eventually(t, "a jail waits", func() bool { return b.fleet.Waiting("provided.al2023", false) > 0 })
	})
	t.Run("second", func(t *testing.T) {
		b := newBench(t, jail.AsRoot, again)
		eventually(t, "a jail waits", func() bool { return b.fleet.Waiting("provided.al2023", false) > 0 })
	})
}

// Whoever is to have a copy of what is lost gets a jail that nothing was forked into.
func TestALostZygoteIsDoneWithout(t *testing.T) {
	b := newBench(t, jail.AsRoot)
	var lost jail.Jail
	program, err := b.fleet.Blank(t.Context(), func(_ context.Context, j jail.Jail, _ jail.Command) (jail.Process, error) {
		lost = j
		return nil, fmt.Errorf("%w: EOF", jail.ErrZygoteLost)
	})
	if program || err != nil {
		t.Errorf("a program: %t; %v", program, err)
	}
	if _, err := lost.Start(jail.Command{Path: "/bin/true"}); err == nil {
		t.Error("the jail of the zygote is still there")
	}
}

func TestNothingIsMadeAheadWithoutABudget(t *testing.T) {
	b := newBench(t, jail.AsRoot, func(o *sandbox.Options) { o.PoolMemory = -1 })
	s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => 1`})
	b.fleet.Expect(s.Runtime)
	b.invoke(s, "{}")
	if n := b.fleet.Waiting(s.Runtime, true); n != 0 {
		t.Errorf("%d wait", n)
	}
}

func TestIdleEnvironmentsEndWhereMemoryIsShort(t *testing.T) {
	b := newBench(t, "", func(o *sandbox.Options) { o.PoolMemory = -1 })
	var specs []*sandbox.Spec
	for n := range 3 {
		s := b.python("import os\ndef handler(event, context): return os.getpid()\n")
		s.ID = fmt.Sprint("f", n)
		specs = append(specs, s)
		b.invoke(s, "{}")
	}
	if n, err := b.fleet.Prepare(t.Context(), specs[0], 1); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	b.fleet.SetMemory(1000<<20, 500<<20)
	b.fleet.Reclaim()
	for _, s := range specs {
		if r := b.invoke(s, "{}"); r.Init != 0 {
			t.Fatal("an environment ended although there is memory")
		}
	}
	b.fleet.SetMemory(1000<<20, 100<<20-1) // a byte less than there should be
	b.fleet.Reclaim()
	b.fleet.SetMemory(1000<<20, 500<<20)
	if r := b.invoke(specs[0], "{}"); r.Init != 0 {
		t.Error("what is provisioned ended")
	}
	if r := b.invoke(specs[1], "{}"); r.Init == 0 {
		t.Error("what was used longest ago goes on")
	}
	if r := b.invoke(specs[2], "{}"); r.Init != 0 {
		t.Error("more ended than had to")
	}
}

// What the loader found no directory at it never looks at again: layers must not be too late.
func TestLibrariesOfALayerAreFoundByAProgramThatWaited(t *testing.T) {
	walled(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": `
exports.handler = async () => { try { process.dlopen({ exports: {} }, "libcirrotest.so"); } catch (e) { return e.message; } };
`})
		s.Layers = []string{b.tree(map[string]string{"lib/libcirrotest.so": "no library"})}
		b.fleet.Expect(s.Runtime)
		eventually(t, "a program waits", func() bool { return b.fleet.Waiting(s.Runtime, true) > 0 })
		if r := b.invoke(s, "{}"); !strings.Contains(string(r.Payload), "/opt/lib/libcirrotest.so: ") {
			t.Errorf("got %s", r.Payload)
		}
	})
}

func TestABurstIsAnswered(t *testing.T) {
	n := 20
	if os.Getenv("CIRRO_LONG") != "" {
		n = 100
	}
	b := newBench(t, "")
	s := b.python("import time\ndef handler(event, context):\n    time.sleep(0.05)\n    return event\n")
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			if r := b.invoke(s, fmt.Sprint(i)); string(r.Payload) != fmt.Sprint(i) {
				t.Errorf("%d is answered with %s", i, r.Payload)
			}
		})
	}
	wg.Wait()
}
