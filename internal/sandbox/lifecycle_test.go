package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// python makes a function of one Python file.
func (b *bench) python(code string) *sandbox.Spec {
	return b.function("python3.11", "app.handler", map[string]string{"app.py": code})
}

func TestTimeout(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.python(`
import time
count = 0
def handler(event, c):
    global count
    count += 1
    if event.get("sleep"):
        print("going to sleep")
        time.sleep(60)
    return count
`)
		s.Timeout = 3 * time.Second
		if got := string(b.invoke(s, "{}").Payload); got != "1" {
			t.Fatalf("got %s", got)
		}
		r := b.invokeWith(s, &sandbox.Invocation{RequestID: "11111111-0000-4000-8000-000000000000", Payload: []byte(`{"sleep": true}`)})
		if want := "RequestId: 11111111-0000-4000-8000-000000000000 Error: Task timed out after 3.00 seconds"; failed(t, r, "Sandbox.Timedout") != want {
			t.Errorf("got %s", r.Payload)
		}
		for _, want := range []string{"going to sleep\n", "Z 11111111-0000-4000-8000-000000000000 Task timed out after 3.00 seconds\n", "\tDuration: 3000.00 ms\tBilled Duration: 3000 ms\t", "\tStatus: timeout\n"} {
			if !strings.Contains(string(r.LogTail), want) {
				t.Errorf("the log lacks %q:\n%s", want, r.LogTail)
			}
		}
		if r = b.invoke(s, "{}"); string(r.Payload) != "1" || r.Init == 0 {
			t.Errorf("after the timeout: %s, init %v: want a new environment", r.Payload, r.Init)
		}
	})
}

func TestCrashReplacesTheEnvironment(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.python(`
import os
count = 0
def handler(event, c):
    global count
    count += 1
    if event.get("crash"):
        print("last words", end="", flush=True)
        os._exit(7)
    return count
`)
		b.invoke(s, "{}")
		r := b.invoke(s, `{"crash": 1}`)
		if m := failed(t, r, "Runtime.ExitError"); !strings.HasSuffix(m, " Error: Runtime exited with error: exit status 7") {
			t.Errorf("message %q", m)
		}
		for _, want := range []string{"last words\n", "Error: Runtime exited with error: exit status 7\nRuntime.ExitError\nEND", "Status: error\tError Type: Runtime.ExitError\n"} {
			if !strings.Contains(string(r.LogTail), want) {
				t.Errorf("the log lacks %q:\n%s", want, r.LogTail)
			}
		}
		if r = b.invoke(s, "{}"); string(r.Payload) != "1" {
			t.Errorf("after the crash: %s", r.Payload)
		}
	})
}

func TestOutOfMemory(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		if m == jail.Unwalled {
			t.Skip("plain processes have no memory limit")
		}
		b := newBench(t, m)
		s := b.python("def handler(event, c):\n    x = bytearray(400 << 20)\n    return len(x)\n")
		s.Memory = 128
		if strings.Contains(strings.ToLower(strings.Join(b.host.Warnings(), " ")), "memory") {
			t.Skipf("this machine cannot limit memory: %q", b.host.Warnings())
		}
		r := b.invoke(s, "{}")
		if m := failed(t, r, "Runtime.ExitError"); !strings.HasSuffix(m, "Runtime exited with error: signal: killed") {
			t.Errorf("message %q", m)
		}
		if r.MemoryUsed != 128 || !strings.Contains(string(r.LogTail), "\tStatus: error\tError Type: Runtime.OutOfMemory\n") {
			t.Errorf("used %d MB; %s", r.MemoryUsed, r.LogTail)
		}
	})
}

func TestEphemeralStorage(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.python(`
import os
def handler(event, c):
    with open("/tmp/x" if os.path.isdir("/var/task") else os.environ["TMPDIR"] + "/x", "w") as f: f.write("kept")
    return sorted(os.listdir(os.getcwd()))
`)
		if r := b.invoke(s, "{}"); string(r.Payload) != `["app.py"]` {
			t.Errorf("got %s; %s", r.Payload, r.LogTail)
		}
	})
}

func TestInitFailureIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	s := b.python("print('loading')\nraise ValueError('at import')\n")
	r := b.invoke(s, "{}")
	if m := failed(t, r, "ValueError"); m != "at import" {
		t.Errorf("message %q", m)
	}
	log := strings.Join(b.log.all(), "\n")
	for i, want := range []string{"INIT_START", "loading", "LAMBDA_WARNING", "[ERROR] ValueError: at import", "Phase: init\tStatus: error\tError Type: ValueError", "loading", "Phase: invoke\tStatus: error\tError Type: ValueError", "START", "END", "REPORT"} {
		_, after, ok := strings.Cut(log, want)
		if !ok {
			t.Fatalf("the log lacks %q (%d.) in its place:\n%s", want, i, strings.Join(b.log.all(), "\n"))
		}
		log = after
	}
}

func TestInitTimeout(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", func(o *sandbox.Options) { o.InitLimit = 100 * time.Millisecond })
	s := b.python("import time\ntime.sleep(0.6)\ndef handler(e, c): return 'ready'\n")
	r := b.invoke(s, "{}")
	if string(r.Payload) != `"ready"` {
		t.Errorf("got %s: the second attempt has the function's own timeout", r.Payload)
	}
	if !b.log.has("Phase: init\tStatus: timeout") {
		t.Errorf("log: %q", b.log.all())
	}
	s = b.python("import time\ntime.sleep(60)\n")
	s.ID, s.Timeout = "slow", time.Second
	if m := failed(t, b.invoke(s, "{}"), "Sandbox.Timedout"); !strings.HasSuffix(m, "Error: Task timed out after 1.00 seconds") {
		t.Errorf("message %q", m)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	s := b.python("import os, time\ndef handler(e, c):\n    time.sleep(0.05)\n    print('in', e)\n    return [e, os.getpid()]\n")
	s.Memory = 1769
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			r, err := b.fleet.Invoke(context.Background(), s, &sandbox.Invocation{RequestID: requestID(), InvokedARN: s.ARN, Payload: fmt.Append(nil, i)})
			if err != nil {
				t.Error(err)
				return
			}
			if !strings.HasPrefix(string(r.Payload), fmt.Sprintf("[%d, ", i)) {
				t.Errorf("%d got %s", i, r.Payload)
			}
		})
	}
	wg.Wait()
	streams := b.log.streams
	for i := range 20 {
		if r := b.invoke(s, fmt.Sprint(i)); r.Init != 0 {
			t.Error("a new environment although many are idle")
		}
	}
	if b.log.streams != streams {
		t.Errorf("%d environments became %d", streams, b.log.streams)
	}
}

func TestIdleEnvironmentsEnd(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", func(o *sandbox.Options) { o.IdleFor = 50 * time.Millisecond })
	s := b.python("def handler(e, c): pass\n")
	b.invoke(s, "{}")
	b.log.awaitClosed(t, 1)
	if r := b.invoke(s, "{}"); r.Init == 0 {
		t.Error("an environment that had ended was used")
	}
}

// What runs in the background stands still while an environment is idle.
func TestIdleEnvironmentsAreFrozen(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m, func(o *sandbox.Options) { o.FreezeAfter = 10 * time.Millisecond })
		s := b.python(`
import threading, time
longest = 0
def tick():
    global longest
    last = time.monotonic()
    while True:
        time.sleep(0.005)
        now = time.monotonic()
        longest = max(longest, now - last)
        last = now
threading.Thread(target=tick, daemon=True).start()
def handler(e, c):
    global longest
    time.sleep(0.05)
    found, longest = longest, 0
    return found
`)
		s.Memory = 1769
		b.invoke(s, "{}")
		for frozen, idle := 0, 400*time.Millisecond; frozen < 2; {
			time.Sleep(idle) // nothing happens in a frozen environment
			var gap float64
			r := b.invoke(s, "{}")
			if err := json.Unmarshal(r.Payload, &gap); err != nil {
				t.Fatalf("%s: %v", r.Payload, err)
			}
			if r.Init != 0 {
				t.Error("a new environment")
			}
			if gap >= idle.Seconds()/2 {
				frozen++
				continue
			}
			if idle *= 2; idle > 20*time.Second { // a busy machine freezes it later
				t.Fatalf("the longest pause was %.3f s of %v", gap, idle/2)
			}
		}
	})
}

func TestRetire(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	s := b.python("import time\ndef handler(e, c):\n    time.sleep(e)\n    return e\n")
	b.invoke(s, "0")
	busy := make(chan *sandbox.Result)
	go func() { busy <- b.invoke(s, "0.3") }()
	b.log.await(t, "START", 2)
	b.fleet.Retire(s.ID)
	if r := <-busy; string(r.Payload) != "0.3" {
		t.Errorf("a busy environment was ended: %s", r.Payload)
	}
	b.log.awaitClosed(t, 1)
}

func TestPrepare(t *testing.T) {
	t.Parallel()
	b := newBench(t, "", func(o *sandbox.Options) { o.IdleFor = 50 * time.Millisecond })
	s := b.python("import os\ndef handler(e, c): return os.environ['AWS_LAMBDA_INITIALIZATION_TYPE']\n")
	s.InitializationType = "provisioned-concurrency"
	n, err := b.fleet.Prepare(context.Background(), s, 2)
	if err != nil || n != 2 {
		t.Fatalf("%d ready, %v", n, err)
	}
	if r := b.invoke(s, "{}"); r.Init != 0 || string(r.Payload) != `"provisioned-concurrency"` {
		t.Errorf("init %v, payload %s", r.Init, r.Payload)
	}
	if n, err = b.fleet.Prepare(context.Background(), s, 0); err != nil || n != 0 {
		t.Fatalf("%d ready, %v", n, err)
	}
	b.log.awaitClosed(t, 2)
	s.ID, s.Handler = "broken", "app.missing"
	if n, err := b.fleet.Prepare(context.Background(), s, 1); err == nil || n != 0 {
		t.Errorf("%d ready, %v: want the failure", n, err)
	}
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	s := b.python("import time\nn = 0\ndef handler(e, c):\n    global n\n    n += 1\n    print('begun')\n    time.sleep(e)\n    return n\n")
	b.invoke(s, "0")
	n := 1
	for pause := 200 * time.Millisecond; ; pause *= 2 { // longer where the machine is too busy to cancel meanwhile
		n++
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			b.log.await(t, "begun", n)
			cancel()
		}()
		_, err := b.fleet.Invoke(ctx, s, &sandbox.Invocation{RequestID: requestID(), Payload: fmt.Append(nil, pause.Seconds())})
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil || pause > time.Minute {
			t.Fatalf("got %v", err)
		}
		b.log.await(t, "REPORT", n)
	}
	b.log.await(t, "REPORT", n)
	if r := b.invoke(s, "0"); string(r.Payload) != fmt.Sprint(n+1) {
		t.Errorf("got %s: the abandoned invocation went on, and its environment is used again", r.Payload)
	}
}

func TestStreamOfABufferedFunction(t *testing.T) {
	b := newBench(t, "")
	s := b.python("def handler(e, c): return 'whole'\n")
	var body strings.Builder
	r := b.invokeWith(s, &sandbox.Invocation{Payload: []byte("{}"), Stream: func(contentType string) io.Writer {
		if contentType != "application/json" {
			t.Errorf("content type %q", contentType)
		}
		return &body
	}})
	if body.String() != `"whole"` || r.Payload != nil {
		t.Errorf("streamed %q, payload %q", body.String(), r.Payload)
	}
}

func TestUnknownRuntimes(t *testing.T) {
	b := newBench(t, "")
	for _, name := range []string{"ruby3.3", "", "nodejs", "python", "cobol"} {
		s := b.python("")
		s.ID, s.Runtime = name, name
		if _, err := b.fleet.Invoke(context.Background(), s, &sandbox.Invocation{RequestID: requestID()}); err == nil {
			t.Errorf("%q ran", name)
		}
	}
}
