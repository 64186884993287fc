package sandbox_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox"
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
	})
}

func TestPythonFunctions(t *testing.T) {
	b := newBench(t, "")
	for _, c := range []struct {
		name    string
		runtime string // "" for python3.11
		handler string // "" for app.handler
		code    string
		files   map[string]string
		payload string // "" for {}
		want    string
		kind    string // of the error instead
		message string // of the error
		logs    []string
	}{
		{
			name: "text from 3.12 on is not escaped", runtime: "python3.12",
			code: `def handler(e, c): return {"ä": 1.50}`, want: `{"ä": 1.5}`,
		},
		{
			name: "decimals are numbers",
			code: "from decimal import Decimal\ndef handler(e, c): return [Decimal('1.10'), Decimal('3'), {'a': Decimal('NaN')}]",
			want: `[1.10, 3, {"a": NaN}]`,
		},
		{name: "bytes pass as they are", code: `def handler(e, c): return b"\x00raw"`, want: "\x00raw"},
		{name: "nothing is null", code: `def handler(e, c): pass`, want: `null`},
		{
			name: "context",
			code: `
import os
def handler(event, c):
    assert 0 < c.get_remaining_time_in_millis() <= 60000
    assert c.client_context.custom == {"k": "v"} and c.client_context.client.app_title == "t"
    assert c.identity.cognito_identity_id == "me"
    c.log("logged by context")
    assert os.environ["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    return [c.function_name, c.function_version, c.memory_limit_in_mb, c.log_group_name, c.invoked_function_arn,
            c.log_stream_name == os.environ["AWS_LAMBDA_LOG_STREAM_NAME"], len(c.aws_request_id)]
`,
			want: `["f", "$LATEST", "256", "/aws/lambda/f", "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST", true, 36]`,
			logs: []string{"logged by context"},
		},
		{
			name: "logging",
			code: `
import logging
log = logging.getLogger()
log.setLevel("INFO")
def handler(event, c):
    print("first")
    log.info("second\nline")
    print("third")
    logging.getLogger("other").debug("hidden")
    try:
        1 / 0
    except Exception:
        log.exception("fourth")
`,
			want: `null`,
			logs: []string{
				"first\n[INFO]\t", "\tsecond\nline\nthird\n[ERROR]\t",
				"\tfourth\nTraceback (most recent call last):\n  File \"",
				"ZeroDivisionError: division by zero\nEND RequestId: ",
			},
		},
		{
			name: "exception",
			code: "def deep():\n    raise ValueError('bad value')\ndef handler(e, c):\n    deep()\n",
			kind: "ValueError", message: "bad value",
			logs: []string{"[ERROR] ValueError: bad value\nTraceback (most recent call last):\n\u00a0\u00a0File \"", "in handler\n\u00a0\u00a0\u00a0\u00a0deep()"},
		},
		{name: "no such module", handler: "other.handler", code: "", kind: "Runtime.ImportModuleError", message: "Unable to import module 'other': No module named 'other'"},
		{name: "missing import", code: "import nowhere", kind: "Runtime.ImportModuleError", message: "Unable to import module 'app': No module named 'nowhere'"},
		{name: "no such function", handler: "app.missing", code: "", kind: "Runtime.HandlerNotFound", message: "Handler 'missing' missing on module 'app'"},
		{name: "syntax error", code: "def handler(:\n", kind: "Runtime.UserCodeSyntaxError", message: "Syntax error in module 'app': invalid syntax (app.py, line 1)"},
		{name: "malformed handler", handler: "app", code: "", kind: "Runtime.MalformedHandlerName", message: "Bad handler 'app': not enough values to unpack (expected 2, got 1)"},
		{name: "built-in module", handler: "sys.exit", code: "", kind: "Runtime.BuiltInModuleConflict", message: "Cannot use built-in module sys as a handler module"},
		{name: "response that is no JSON", code: "def handler(e, c): return {1, 2}", kind: "Runtime.MarshalError", message: "Unable to marshal response: Object of type set is not JSON serializable"},
		{name: "event that is no JSON", code: "def handler(e, c): pass", payload: "{", kind: "Runtime.UnmarshalError", message: "Unable to unmarshal input: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"},
		{name: "exception at import", code: "raise KeyError('k')", kind: "KeyError", message: "'k'"},
		{name: "exit with a code", code: "import sys\ndef handler(e, c): sys.exit(3)", kind: "Runtime.ExitError", message: "Runtime exited with error: exit status 3"},
		{name: "exit without a reason", code: "import os\ndef handler(e, c): os._exit(0)", kind: "Runtime.ExitError", message: "Runtime exited without providing a reason"},
		{name: "exit at import", code: "exit(2)", kind: "Runtime.ExitError", message: "Runtime exited with error: exit status 2"},
		{name: "killed", code: "import os\ndef handler(e, c): os.kill(os.getpid(), 9)", kind: "Runtime.ExitError", message: "Runtime exited with error: signal: killed"},
		{
			name: "modules beside and below", handler: "src/app.handler",
			files: map[string]string{"src/app.py": "import helper\ndef handler(e, c): return helper.X", "helper.py": "X = 5"},
			want:  "5",
		},
		{
			name: "the platform at AWS_ENDPOINT_URL",
			code: `
import os, urllib.request
def handler(e, c): return urllib.request.urlopen(os.environ["AWS_ENDPOINT_URL"] + "/here").read().decode()
`,
			want: `"the platform: /here"`,
		},
		{
			name: "large payloads", payload: `"` + strings.Repeat("x", 5<<20) + `"`,
			code: `def handler(e, c): return len(e)`, want: "5242880",
		},
		{
			name: "too large a response",
			code: `def handler(e, c): return "x" * ((6 << 20) + 200)`,
			kind: "Function.ResponseSizeTooLarge", message: "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
		},
		{
			name: "a last line without an end",
			code: "import sys\ndef handler(e, c): sys.stdout.write('unended')", want: "null",
			logs: []string{"unended\nEND RequestId"},
		},
		{
			name: "a child's output",
			code: "import subprocess\ndef handler(e, c):\n  print('before')\n  subprocess.run(['echo', 'child'])\n  print('after')", want: "null",
			logs: []string{"before\nchild\nafter\nEND"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			runtime, handler, files, payload := c.runtime, c.handler, c.files, c.payload
			if runtime == "" {
				runtime = "python3.11"
			}
			if handler == "" {
				handler = "app.handler"
			}
			if files == nil {
				files = map[string]string{"app.py": c.code}
			}
			if payload == "" {
				payload = "{}"
			}
			s := b.function(runtime, handler, files)
			s.ID += c.name
			r := b.invokeWith(s, &sandbox.Invocation{
				Payload:       []byte(payload),
				ClientContext: `{"custom": {"k": "v"}, "client": {"app_title": "t"}}`,
				Identity:      `{"cognitoIdentityId": "me"}`,
			})
			switch {
			case c.kind != "":
				message := failed(t, r, c.kind)
				if c.kind == "Runtime.ExitError" {
					_, message, _ = strings.Cut(message, " Error: ")
				}
				if message != c.message {
					t.Errorf("message %q, want %q", message, c.message)
				}
			case string(r.Payload) != c.want || r.FunctionError != "":
				t.Errorf("got %.2000s %s, want %s", r.Payload, r.FunctionError, c.want)
			}
			for _, l := range c.logs {
				if !strings.Contains(string(r.LogTail), l) {
					t.Errorf("the log lacks %q:\n%s", l, r.LogTail)
				}
			}
			b.fleet.Retire(s.ID)
		})
	}
}

// An error is as AWS's: https://docs.aws.amazon.com/lambda/latest/dg/python-exceptions.html.
func TestPythonStackTrace(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": "def handler(event, context):\n    raise ValueError('bad')\n"})
	r := b.invokeWith(s, &sandbox.Invocation{RequestID: "11111111-0000-4000-8000-000000000000", Payload: []byte("{}")})
	want := `{"errorMessage": "bad", "errorType": "ValueError", "requestId": "11111111-0000-4000-8000-000000000000", "stackTrace": ["  File \"/var/task/app.py\", line 2, in handler\n    raise ValueError('bad')\n"]}`
	if b.mode == jail.Unwalled {
		want = strings.ReplaceAll(want, "/var/task", s.Code)
	}
	if string(r.Payload) != want {
		t.Errorf("got  %s\nwant %s", r.Payload, want)
	}
}

func TestVariables(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": "import os\ndef handler(e, c): return dict(os.environ)\n"})
	s.Environment = map[string]string{"MINE": "x=y", "TZ": "Europe/Berlin"}
	t.Setenv("LEAKED", "from the platform")
	var got map[string]string
	if err := json.Unmarshal(b.invoke(s, "{}").Payload, &got); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"MINE": "x=y", "TZ": "Europe/Berlin", "LANG": "en_US.UTF-8", "_HANDLER": "app.handler",
		"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EXECUTION_ENV": "AWS_Lambda_python3.11",
		"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f", "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token",
		"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "LEAKED": "",
	} {
		if got[name] != want {
			t.Errorf("%s=%q, want %q", name, got[name], want)
		}
	}
	if !regexp.MustCompile(`^\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}$`).MatchString(got["AWS_LAMBDA_LOG_STREAM_NAME"]) {
		t.Errorf("log stream %q", got["AWS_LAMBDA_LOG_STREAM_NAME"])
	}
	for name := range got {
		if strings.HasPrefix(name, "CIRRO") {
			t.Errorf("the function sees %s", name)
		}
	}
}

func TestPythonLayersAndPackages(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		var runtimes string
		b := newBench(t, m, func(o *sandbox.Options) { runtimes = o.Runtimes })
		for _, name := range []string{"carried/__init__.py", "shadowed/__init__.py"} {
			path := filepath.Join(runtimes, "python3.11", name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("WHERE = 'platform'"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
import carried, shadowed, first, second, both, deep
def handler(e, c): return [carried.WHERE, shadowed.WHERE, first.X, second.X, both.X, deep.X]
`})
		s.Layers = []string{
			b.tree(map[string]string{"python/first.py": "X = 1", "python/both.py": "X = 1"}),
			b.tree(map[string]string{
				"python/second.py": "X = 2", "python/both.py": "X = 2",
				"python/shadowed.py":                          "WHERE = 'layer'",
				"python/lib/python3.11/site-packages/deep.py": "X = 3",
			}),
		}
		if got, want := string(b.invoke(s, "{}").Payload), `["platform", "layer", 1, 2, 2, 3]`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestNeighbourVersionWarns(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.5", "app.handler", map[string]string{"app.py": "def handler(e, c): return 1\n"})
	if got := string(b.invoke(s, "{}").Payload); got != "1" {
		t.Fatalf("got %s", got)
	}
	if !b.log.has("python3.5 is not installed on this machine") {
		t.Errorf("no warning in the log: %q", b.log.all())
	}
}

func TestExecWrapper(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.11", "app.handler", map[string]string{
		"app.py":  "import os\ndef handler(e, c): return os.environ['WRAPPED']\n",
		"wrapper": "#!/bin/sh\nexport WRAPPED=yes\nexec \"$@\"\n",
	})
	s.Environment["AWS_LAMBDA_EXEC_WRAPPER"] = "/var/task/wrapper"
	if r := b.invoke(s, "{}"); string(r.Payload) != `"yes"` {
		t.Errorf("got %s; %s", r.Payload, r.LogTail)
	}
}

func TestJSONLog(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": `
import logging
log = logging.getLogger("app")
def handler(event, c):
    log.debug("hidden")
    log.warning({"a": 1})
    log.info("text", extra={"more": [2]})
    print("plain")
    print('{"level": "debug", "hidden": true}')
    raise ValueError("bad")
`})
	s.LogFormat, s.ApplicationLogLevel, s.SystemLogLevel = "JSON", "INFO", "INFO"
	r := b.invoke(s, "{}")
	failed(t, r, "ValueError")
	var kinds []string
	for _, line := range b.log.all() {
		var o struct {
			Type, Level, Time, RequestID string
			Message                      any
			More                         []int
			Record                       struct {
				RequestID string
				Status    string
				Metrics   map[string]float64
			}
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			kinds = append(kinds, line)
			continue
		}
		kinds = append(kinds, o.Type+o.Level)
		switch o.Type + o.Level {
		case "WARNING", "INFO":
			if o.RequestID == "" || o.Message == nil {
				t.Errorf("record %s", line)
			}
		case "platform.report":
			if o.Record.Status != "error" || o.Record.RequestID == "" || o.Record.Metrics["memorySizeMB"] != 256 || o.Record.Metrics["initDurationMs"] == 0 {
				t.Errorf("report %s", line)
			}
		}
	}
	want := "platform.initStart platform.start WARNING INFO plain ERROR platform.runtimeDone platform.report"
	if got := strings.Join(kinds, " "); got != want {
		t.Errorf("got  %s\nwant %s\n%s", got, want, strings.Join(b.log.all(), "\n"))
	}
}

func TestTextLog(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": "def handler(e, c): print('said')\n"})
	s.Tracing = "Active"
	id := "11111111-0000-4000-8000-000000000000"
	r := b.invokeWith(s, &sandbox.Invocation{RequestID: id, Payload: []byte("{}")})
	want := regexp.MustCompile(`^INIT_START Runtime Version: python:3\.11\.v\d+\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:\S+
START RequestId: ` + id + ` Version: \$LATEST
said
END RequestId: ` + id + `
REPORT RequestId: ` + id + `\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t
XRAY TraceId: 1-[0-9a-f]{8}-[0-9a-f]{24}\tSegmentId: [0-9a-f]{16}\tSampled: true\t$`)
	if got := strings.Join(b.log.all(), "\n"); !want.MatchString(got) {
		t.Errorf("got:\n%s", got)
	}
	if !strings.HasPrefix(string(r.LogTail), "START RequestId: "+id) || !strings.HasSuffix(string(r.LogTail), "Sampled: true\t\n") {
		t.Errorf("tail:\n%s", r.LogTail)
	}
	if r.Billed < r.Duration+r.Init || r.Billed%time.Millisecond != 0 {
		t.Errorf("billed %v of %v and %v", r.Billed, r.Duration, r.Init)
	}
}

func TestTailIsTheLast4KB(t *testing.T) {
	b := newBench(t, "")
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": "def handler(e, c):\n  for i in range(1000): print('line', i)\n"})
	r := b.invoke(s, "{}")
	if len(r.LogTail) != 4096 || !strings.Contains(string(r.LogTail), "line 999\nEND") {
		t.Errorf("%d bytes: %s", len(r.LogTail), r.LogTail)
	}
}

func TestEveryPython(t *testing.T) {
	b := newBench(t, "")
	for minor := 8; minor <= 15; minor++ {
		name := fmt.Sprintf("python3.%d", minor)
		t.Run(name, func(t *testing.T) {
			s := b.function(name, "app.handler", map[string]string{"app.py": `
import sys, logging
from decimal import Decimal
def handler(event, context):
    logging.warning("a\nb")
    if event is None: raise ValueError("none")
    return [event, Decimal("1.10"), sys.version_info[1], {"ä": 1e100, "n": None, "t": (True, False), 5: "k"}]
`})
			s.ID += name
			r := b.invoke(s, `{"a": [1, -2.5e3, "\u00e4", {}]}`)
			if b.log.has(name + " is not installed") {
				t.Skip(name + " is not installed")
			}
			key := "ä"
			if minor < 12 {
				key = `\u00e4`
			}
			want := fmt.Sprintf(`[{"a": [1, -2500.0, "%s", {}]}, 1.10, %d, {"%s": 1e+100, "n": null, "t": [true, false], "5": "k"}]`, key, minor, key)
			if string(r.Payload) != want {
				t.Errorf("got  %s\nwant %s", r.Payload, want)
			}
			if !strings.Contains(string(r.LogTail), "\ta\nb\nEND") {
				t.Errorf("log: %s", r.LogTail)
			}
			failed(t, b.invoke(s, "null"), "ValueError")
			b.fleet.Retire(s.ID)
		})
	}
}
