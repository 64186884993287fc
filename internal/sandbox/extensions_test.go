package sandbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// extensionProgram is an external extension: it registers, subscribes where SUBSCRIBE is set, and
// prints the events that it gets.
const extensionProgram = `#!/usr/bin/python3
import http.client, http.server, json, os, signal, sys, threading
signal.signal(signal.SIGTERM, signal.SIG_IGN)
name = os.path.basename(sys.argv[0])
api = os.environ["AWS_LAMBDA_RUNTIME_API"]
def call(method, path, body=None, **headers):
    c = http.client.HTTPConnection(api)
    c.request(method, path, body if body is None else json.dumps(body), {k.replace("_", "-"): v for k, v in headers.items()})
    r = c.getresponse()
    return r, r.read()
def say(*words):
    sys.stdout.write(" ".join(str(w) for w in words) + "\n"); sys.stdout.flush()
mode = os.environ.get("EXTENSION_MODE", "")
if mode == "crash": sys.exit(9)
assert "_HANDLER" not in os.environ
events = ["INVOKE", "SHUTDOWN"]
r, body = call("POST", "/2020-01-01/extension/register", {"events": events}, Lambda_Extension_Name=name, Lambda_Extension_Accept_Feature="accountId")
id = r.headers["Lambda-Extension-Identifier"]
say(name, "registered for", json.loads(body)["functionName"], json.loads(body)["accountId"])
if mode == "init error":
    call("POST", "/2020-01-01/extension/init/error", {}, Lambda_Extension_Identifier=id, Lambda_Extension_Function_Error_Type="Mine.Broken")
    sys.exit(1)
if mode == "subscribe":
    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            for e in json.loads(self.rfile.read(int(self.headers["Content-Length"]))):
                say("telemetry", json.dumps(e))
            self.send_response(200); self.end_headers()
        def log_message(self, *a): pass
    server = http.server.HTTPServer(("0.0.0.0", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    r, body = call("PUT", "/2022-07-01/telemetry", {"schemaVersion": "2022-12-13", "types": ["platform", "function"],
        "buffering": {"timeoutMs": 25, "maxItems": 1000, "maxBytes": 262144},
        "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:%d/" % server.server_port}}, Lambda_Extension_Identifier=id)
    say("subscribed", r.status, body)
while True:
    r, body = call("GET", "/2020-01-01/extension/event/next", Lambda_Extension_Identifier=id)
    event = json.loads(body)
    say(name, "got", event["eventType"], event.get("requestId") or event["shutdownReason"], event["deadlineMs"] > 0)
    if event["eventType"] == "SHUTDOWN": break
    if mode == "exit error":
        call("POST", "/2020-01-01/extension/exit/error", {}, Lambda_Extension_Identifier=id, Lambda_Extension_Function_Error_Type="Mine.Broken")
        sys.exit(1)
`

func (b *bench) extended(mode, code string) *sandbox.Spec {
	s := b.python(code)
	s.Layers = []string{b.tree(map[string]string{"extensions/watcher": extensionProgram})}
	s.Environment["EXTENSION_MODE"] = mode
	return s
}

func needSystemPython(t *testing.T) {
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("the extension of this test needs /usr/bin/python3")
	}
}

func TestExternalExtension(t *testing.T) {
	needSystemPython(t)
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.extended("", "def handler(e, c):\n    print('in the function')\n    return 1\n")
		id := "11111111-0000-4000-8000-000000000000"
		r := b.invokeWith(s, &sandbox.Invocation{RequestID: id, Payload: []byte("{}")})
		if string(r.Payload) != "1" {
			t.Fatalf("got %s; %s", r.Payload, strings.Join(b.log.all(), "\n"))
		}
		b.log.await(t, "watcher got INVOKE "+id+" True", 1)
		if !b.log.has("watcher registered for f 000000000000") || !b.log.has("EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]") {
			t.Errorf("log: %q", b.log.all())
		}
		b.invoke(s, "{}")
		b.fleet.Retire(s.ID)
		b.log.awaitClosed(t, 1)
		if !b.log.has("watcher got SHUTDOWN spindown True") {
			t.Errorf("log: %q", b.log.all())
		}
	})
}

func TestShutdownAfterTimeout(t *testing.T) {
	t.Parallel()
	needSystemPython(t)
	b := newBench(t, "")
	s := b.extended("", "import time\ndef handler(e, c): time.sleep(60)\n")
	s.Timeout = time.Second
	failed(t, b.invoke(s, "{}"), "Sandbox.Timedout")
	b.log.awaitClosed(t, 1)
	if !b.log.has("watcher got SHUTDOWN timeout True") {
		t.Errorf("log: %q", b.log.all())
	}
}

func TestShutdownAfterCrash(t *testing.T) {
	t.Parallel()
	needSystemPython(t)
	b := newBench(t, "")
	s := b.extended("", "import os\ndef handler(e, c): os._exit(1)\n")
	failed(t, b.invoke(s, "{}"), "Runtime.ExitError")
	b.log.awaitClosed(t, 1)
	if !b.log.has("watcher got SHUTDOWN failure True") {
		t.Errorf("log: %q", b.log.all())
	}
}

func TestFailingExtensions(t *testing.T) {
	t.Parallel()
	needSystemPython(t)
	for mode, kind := range map[string]string{
		"crash": "Extension.Crash", "init error": "Extension.InitError", "exit error": "Extension.ExitError",
	} {
		t.Run(mode, func(t *testing.T) {
			b := newBench(t, "")
			s := b.extended(mode, "import time\ndef handler(e, c): time.sleep(50)\n")
			r := b.invoke(s, "{}")
			if message := failed(t, r, kind); !strings.HasPrefix(message, "RequestId: ") {
				t.Errorf("message %q", message)
			}
		})
	}
}

func TestInternalExtension(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	s := b.python(`
import json, os, threading, urllib.request, urllib.error
api = "http://" + os.environ["AWS_LAMBDA_RUNTIME_API"] + "/2020-01-01/extension/"
def register(name, events):
    q = urllib.request.Request(api + "register", json.dumps({"events": events}).encode(), {"Lambda-Extension-Name": name}, method="POST")
    return urllib.request.urlopen(q)
try:
    register("inner", ["SHUTDOWN"])
except urllib.error.HTTPError as e:
    print("refused", e.code, e.read().decode())
id = register("inner", ["INVOKE"]).headers["Lambda-Extension-Identifier"]
def loop():
    while True:
        q = urllib.request.Request(api + "event/next", headers={"Lambda-Extension-Identifier": id})
        try:
            event = json.load(urllib.request.urlopen(q))
        except Exception:
            return
        print("inner got", event["eventType"], flush=True)
threading.Thread(target=loop, daemon=True).start()
def handler(e, c):
    try:
        register("late", ["INVOKE"])
    except urllib.error.HTTPError as e:
        return json.load(e)["errorType"]
`)
	r := b.invoke(s, "{}")
	if string(r.Payload) != `"Extension.RegistrationClosed"` {
		t.Errorf("got %s; %s", r.Payload, r.LogTail)
	}
	b.log.await(t, "inner got INVOKE", 1)
	if !b.log.has(`refused 403 {"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}`) {
		t.Errorf("log: %q", b.log.all())
	}
	b.invoke(s, "{}")
	b.log.await(t, "inner got INVOKE", 2)
}

func TestTelemetry(t *testing.T) {
	needSystemPython(t)
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.extended("subscribe", "def handler(e, c): print('said')\n")
		r := b.invoke(s, "{}")
		if r.FunctionError != "" {
			t.Fatalf("got %s; %q", r.Payload, b.log.all())
		}
		b.log.await(t, `telemetry {"time": "`, 9)
		b.log.await(t, "platform.report", 1)
		var kinds []string
		for _, line := range b.log.all() {
			_, text, ok := strings.Cut(line, "telemetry ")
			if !ok {
				continue
			}
			var e struct {
				Type   string
				Record json.RawMessage
			}
			if err := json.Unmarshal([]byte(text), &e); err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, e.Type)
			switch e.Type {
			case "function":
				if string(e.Record) != `"said\n"` {
					t.Errorf("record %s", e.Record)
				}
			case "platform.report":
				var report struct {
					RequestID, Status string
					Metrics           struct{ DurationMs, BilledDurationMs, InitDurationMs float64 }
				}
				if err := json.Unmarshal(e.Record, &report); err != nil || report.Status != "success" || report.Metrics.DurationMs == 0 || report.Metrics.InitDurationMs == 0 {
					t.Errorf("report %s", e.Record)
				}
			}
		}
		want := []string{
			"platform.initStart", "platform.extension", "platform.telemetrySubscription", "platform.initRuntimeDone", "platform.initReport",
			"platform.start", "function", "platform.runtimeDone", "platform.report",
		}
		if !slices.Equal(kinds, want) {
			t.Errorf("got  %q\nwant %q", kinds, want)
		}
	})
}

func TestExtensionThatCannotStart(t *testing.T) {
	b := newBench(t, "")
	s := b.python("def handler(e, c): pass\n")
	layer := b.tree(map[string]string{"extensions/dead": "#!/bin/sh\n"})
	if err := os.Chmod(filepath.Join(layer, "extensions/dead"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Layers = []string{layer}
	if message := failed(t, b.invoke(s, "{}"), "Extension.LaunchError"); !strings.Contains(message, "permission denied") {
		t.Errorf("message %q", message)
	}
}
