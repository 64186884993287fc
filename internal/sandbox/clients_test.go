package sandbox_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cirro/internal/sandbox"
)

// long skips a test that downloads or builds what AWS publishes, unless the long mode is asked for.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv("CIRRO_LONG") == "" {
		t.Skip("set CIRRO_LONG=1 to install and run AWS's own runtime clients")
	}
}

// command runs a program of the host.
func command(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// AWS's runtime interface client for Python, as it is in container images: in a custom runtime.
func TestAWSLambdaRIC(t *testing.T) {
	long(t)
	b := newBench(t, "")
	s := b.function("provided.al2023", "app.handler", map[string]string{
		"bootstrap": "#!/bin/sh\nexport PYTHONPATH=/var/task/packages\nexec /usr/bin/python3 -m awslambdaric \"$_HANDLER\"\n",
		"app.py": `
import logging
logging.getLogger().setLevel("INFO")
def handler(event, context):
    print("printed")
    logging.info("logged")
    if event.get("fail"): raise ValueError("bad")
    return {"event": event, "id": context.aws_request_id, "left": context.get_remaining_time_in_millis() > 1000}
`,
	})
	command(t, s.Code, "/usr/bin/python3", "-m", "pip", "install", "-q", "--target", "packages", "awslambdaric")
	r := b.invokeWith(s, &sandbox.Invocation{RequestID: "11111111-0000-4000-8000-000000000000", Payload: []byte(`{"a": 1}`)})
	if string(r.Payload) != `{"event": {"a": 1}, "id": "11111111-0000-4000-8000-000000000000", "left": true}` {
		t.Fatalf("got %s; %s", r.Payload, r.LogTail)
	}
	for _, want := range []string{"printed\n", "[INFO]\t", "\tlogged\n"} {
		if !strings.Contains(string(r.LogTail), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.LogTail)
		}
	}
	if m := failed(t, b.invoke(s, `{"fail": 1}`), "ValueError"); m != "bad" {
		t.Errorf("message %q", m)
	}
}

// AWS's client runs the hooks of SnapStart and waits to be restored.
func TestAWSLambdaRICWithSnapStart(t *testing.T) {
	long(t)
	b := newBench(t, "")
	s := b.function("provided.al2023", "app.handler", map[string]string{
		"bootstrap": "#!/bin/sh\nexport PYTHONPATH=/var/task/packages\nexec /usr/bin/python3 -m awslambdaric \"$_HANDLER\"\n",
		"app.py": `
from snapshot_restore_py import register_before_snapshot, register_after_restore
calls = []
register_before_snapshot(calls.append, "before")
register_after_restore(calls.append, "after")
def fail(): 1 / 0
import os
if os.environ.get("FAIL") == "before": register_before_snapshot(fail)
if os.environ.get("FAIL") == "after": register_after_restore(fail)
def handler(event, context): return calls
`,
	})
	s.SnapStart, s.InitializationType = true, "snap-start"
	command(t, s.Code, "/usr/bin/python3", "-m", "pip", "install", "-q", "--target", "packages", "awslambdaric")
	b.fill(s)
	if r := b.invoke(s, `{}`); string(r.Payload) != `["before", "after"]` || r.Restore <= 0 {
		t.Errorf("got %s, restored in %v", r.Payload, r.Restore)
	}
	early := *s
	early.ID, early.Environment = "before", map[string]string{"FAIL": "before"}
	var failed *sandbox.InitError
	if err := b.fleet.Snapshot(t.Context(), &early); !errors.As(err, &failed) || failed.Type != "Runtime.BeforeSnapshotError" {
		t.Errorf("got %v", err)
	}
	late := *s
	late.ID, late.Environment = "after", map[string]string{"FAIL": "after"}
	b.fill(&late)
	_, err := b.fleet.Invoke(t.Context(), &late, &sandbox.Invocation{RequestID: "r"})
	var restore *sandbox.RestoreError
	if !errors.As(err, &restore) || restore.Type != "Runtime.AfterRestoreError" {
		t.Errorf("got %v", err)
	}
}

// The bootstrap of this package and AWS's client answer alike.
func TestPythonAnswersAsAWSLambdaRIC(t *testing.T) {
	long(t)
	b := newBench(t, "")
	packages := t.TempDir()
	command(t, packages, "/usr/bin/python3", "-m", "pip", "install", "-q", "--target", packages, "awslambdaric")
	for name, code := range map[string]string{
		"values":      "from decimal import Decimal\ndef handler(e, c): return [1, 2.5, 'ä\\u2028', None, True, Decimal('1.20'), (1,), {'a': {1: 2}}, float('inf')]",
		"exception":   "def f(): raise KeyError('k')\ndef handler(e, c):\n    try:\n        f()\n    except KeyError as e:\n        raise RuntimeError('outer\\nline') from e",
		"marshal":     "def handler(e, c): return object()",
		"bytes":       "def handler(e, c): return b'x'",
		"import":      "import nowhere.at.all",
		"syntax":      "def handler(e, c)\n    pass",
		"at import":   "def f(): return 1 / 0\nf()",
		"no handler":  "x = 1",
		"relative":    "from . import x",
		"circle":      "def handler(e, c):\n    x = []\n    x.append(x)\n    return x",
		"bad key":     "def handler(e, c): return {(1, 2): 3}",
		"context":     "def handler(e, c): return repr(c).split('log_stream_name')[0] + repr(c.identity)",
		"nested keys": "def handler(e, c): return {None: 1, True: 2, 1.5: 3}",
	} {
		t.Run(name, func(t *testing.T) {
			s := b.function("provided.al2", "app.handler", map[string]string{
				"bootstrap": "#!/bin/sh\nexport AWS_EXECUTION_ENV=AWS_Lambda_python3.11 PYTHONPATH=/opt/packages:/var/task\ncd /var/task; exec /usr/bin/python3.11 -m awslambdaric \"$_HANDLER\"\n",
				"app.py":    code + "\n",
			})
			s.ID += name
			layer := t.TempDir()
			os.Chmod(layer, 0o755)
			if err := os.CopyFS(filepath.Join(layer, "packages"), os.DirFS(packages)); err != nil {
				t.Fatal(err)
			}
			s.Layers = []string{layer}
			id := "11111111-0000-4000-8000-000000000000"
			theirs := b.invokeWith(s, &sandbox.Invocation{RequestID: id, Payload: []byte(`{}`)})
			own := *s
			own.ID, own.Runtime, own.Layers = name+" own", "python3.11", nil
			ours := b.invokeWith(&own, &sandbox.Invocation{RequestID: id, Payload: []byte(`{}`)})
			if string(ours.Payload) != string(theirs.Payload) {
				t.Errorf("ours   %s\ntheirs %s", ours.Payload, theirs.Payload)
			}
		})
	}
}

// AWS's runtime interface client for Node.js needs to be compiled.
func TestAWSLambdaRICForNode(t *testing.T) {
	long(t)
	for _, tool := range []string{"npm", "cmake", "g++", "autoconf", "libtoolize"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("compiling aws-lambda-ric needs %s", tool)
		}
	}
	b := newBench(t, "")
	s := b.function("provided.al2023", "index.handler", map[string]string{
		"bootstrap":    "#!/bin/sh\nexec /var/task/node_modules/.bin/aws-lambda-ric \"$_HANDLER\"\n",
		"index.js":     "exports.handler = async (event) => ({event})",
		"package.json": "{}",
	})
	command(t, s.Code, "npm", "install", "--silent", "aws-lambda-ric")
	if r := b.invoke(s, `{"a": 1}`); string(r.Payload) != `{"event":{"a":1}}` {
		t.Errorf("got %s; %s", r.Payload, r.LogTail)
	}
}

// AWS's runtime for Rust.
func TestRustFunction(t *testing.T) {
	long(t)
	if _, err := exec.LookPath("cargo"); err != nil {
		t.Skip("building a function on lambda_runtime needs cargo")
	}
	b := newBench(t, "")
	crate := t.TempDir()
	if err := os.CopyFS(crate, os.DirFS("testdata/rustfunction")); err != nil {
		t.Fatal(err)
	}
	command(t, crate, "cargo", "build", "--quiet")
	binary, err := os.ReadFile(filepath.Join(crate, "target/debug/bootstrap"))
	if err != nil {
		t.Fatal(err)
	}
	s := b.function("provided.al2023", "any", map[string]string{"bootstrap": string(binary)})
	id := "11111111-0000-4000-8000-000000000000"
	for range 2 {
		r := b.invokeWith(s, &sandbox.Invocation{RequestID: id, Payload: []byte(`{"a": 1}`)})
		if want := `{"event":{"a":1},"id":"` + id + `"}`; string(r.Payload) != want || !strings.Contains(string(r.LogTail), "handling\n") {
			t.Errorf("got %s; %s", r.Payload, r.LogTail)
		}
	}
	r := b.invoke(s, `{"fail": true}`)
	if r.FunctionError != "Unhandled" || !strings.Contains(string(r.Payload), `"errorMessage":"it failed"`) {
		t.Errorf("got %s", r.Payload)
	}
}
