package sandbox_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// hooksLibrary stands in for AWS's snapshot_restore_py.
const hooksLibrary = `
before, after = [], []
def register_before_snapshot(f, *args, **kwargs): before.append((f, args, kwargs)); return f
def register_after_restore(f, *args, **kwargs): after.append((f, args, kwargs)); return f
def get_before_snapshot(): return before
def get_after_restore(): return after
`

// snapStart makes a Spec with SnapStart of Python code.
func (b *bench) snapStart(code string) *sandbox.Spec {
	b.t.Helper()
	s := b.function("python3.11", "app.handler", map[string]string{"app.py": code, "snapshot_restore_py.py": hooksLibrary})
	s.SnapStart, s.InitializationType, s.Version = true, "snap-start", "1"
	return s
}

// fill takes a snapshot and waits until it can be restored.
func (b *bench) fill(s *sandbox.Spec) {
	b.t.Helper()
	if err := b.fleet.Snapshot(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

const hooked = `
import json, os, urllib.error, urllib.request, uuid
from snapshot_restore_py import register_before_snapshot, register_after_restore
print("initialised")
calls, value = [], str(uuid.uuid4())
open("/tmp/mark", "w").write(value)
def credentials(token=os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]):
    try:
        return json.load(urllib.request.urlopen(urllib.request.Request(
            os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": token})))
    except urllib.error.HTTPError as e:
        return e.code
early = credentials()
register_before_snapshot(calls.append, "first")
@register_before_snapshot
def second(): calls.append("second")
@register_after_restore
def third(): print("restored"); calls.append("third")
register_after_restore(calls.append, "fourth")
def handler(event, context):
    return {"calls": calls, "value": value, "mark": open("/tmp/mark").read(), "early": early, "late": credentials(),
            "stranger": credentials("x"), "env": dict(os.environ)}
`

func TestSnapStart(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.snapStart(hooked)
		expires := time.Now().Add(8 * time.Hour).UTC().Truncate(time.Second)
		s.Credentials = func() sandbox.Credentials {
			return sandbox.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "secret", SessionToken: "token", Expires: expires}
		}
		b.fill(s)
		b.log.await(t, "INIT_REPORT Init Duration: ", 1)
		r := b.invoke(s, `{}`)
		var got struct {
			Calls       []string
			Value, Mark string
			Early, Late struct{ AccessKeyID, SecretAccessKey, Token, Expiration string }
			Stranger    int
			Env         map[string]string
		}
		if err := json.Unmarshal(r.Payload, &got); err != nil {
			t.Fatalf("%v: %s", err, r.Payload)
		}
		if want := []string{"second", "first", "third", "fourth"}; !slices.Equal(got.Calls, want) {
			t.Errorf("hooks ran in the order %v, want %v", got.Calls, want)
		}
		if got.Value != got.Mark && m != jail.Unwalled {
			t.Errorf("/tmp has %s, want %s", got.Mark, got.Value)
		}
		if got.Late.AccessKeyID != "ASIA" || got.Late.SecretAccessKey != "secret" || got.Late.Token != "token" ||
			got.Late.Expiration != expires.Format(time.RFC3339) {
			t.Errorf("credentials %+v", got.Late)
		}
		if early, err := time.Parse(time.RFC3339, got.Early.Expiration); err != nil || time.Until(early) > 5*time.Minute {
			t.Errorf("credentials from before the snapshot expire at %s: %v", got.Early.Expiration, err)
		}
		if got.Stranger != 404 {
			t.Errorf("with another token: %d", got.Stranger)
		}
		for name, want := range map[string]string{"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start", "AWS_ACCESS_KEY_ID": "",
			"AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_LAMBDA_LOG_STREAM_NAME": "", "AWS_LAMBDA_LOG_GROUP_NAME": ""} {
			if got.Env[name] != want {
				t.Errorf("%s is %q", name, got.Env[name])
			}
		}
		if r.Restore <= 0 || r.Init != 0 {
			t.Errorf("restore %v, initialisation %v", r.Restore, r.Init)
		}
		tail := string(r.LogTail)
		if !strings.Contains(tail, "\tRestore Duration: ") || !strings.Contains(tail, "\tBilled Restore Duration: ") ||
			strings.Contains(tail, "Init Duration") {
			t.Errorf("log %s", tail)
		}
		if r := b.invoke(s, `{}`); r.Restore != 0 || strings.Contains(string(r.LogTail), "Restore Duration") {
			t.Errorf("restored anew: %v, %s", r.Restore, r.LogTail)
		}
		b.log.await(t, "RESTORE_START Runtime Version: python:3.11.", 1)
		b.log.await(t, "RESTORE_REPORT Restore Duration: ", 1)
	})
}

func TestSnapStartWithoutASnapshot(t *testing.T) {
	b := newBench(t, "", func(o *sandbox.Options) { o.PoolMemory = -1 })
	s := b.snapStart("from snapshot_restore_py import register_after_restore\ncalls = []\nregister_after_restore(calls.append, 1)\n" +
		"def handler(event, context): return calls\n")
	b.fill(s)
	r := b.invoke(s, `{}`)
	if string(r.Payload) != "[1]" || r.Init <= 0 {
		t.Errorf("got %s, initialisation %v", r.Payload, r.Init)
	}
}

func TestSnapStartTakesTooLong(t *testing.T) {
	b := newBench(t, "", func(o *sandbox.Options) { o.RestoreLimit = 100 * time.Millisecond })
	s := b.snapStart("import time\nfrom snapshot_restore_py import *\nregister_after_restore(time.sleep, 60)\ndef handler(e, c): pass\n")
	b.fill(s)
	_, err := b.fleet.Invoke(t.Context(), s, &sandbox.Invocation{RequestID: "r"})
	var restore *sandbox.RestoreError
	if !errors.As(err, &restore) || !restore.Timeout {
		t.Fatalf("got %v", err)
	}
	b.log.await(t, "\tStatus: timeout", 1)
}

func TestSnapStartFailures(t *testing.T) {
	b := newBench(t, "")
	for name, c := range map[string]struct{ code, init, restore, log string }{
		"import":          {code: "1 / 0", init: "ZeroDivisionError", log: "INIT_REPORT Init Duration: "},
		"before snapshot": {code: "from snapshot_restore_py import *\nregister_before_snapshot(lambda: 1 / 0)\ndef handler(e, c): pass", init: "Runtime.BeforeSnapshotError", log: "Error Type: Runtime.BeforeSnapshotError"},
		"after restore":   {code: "from snapshot_restore_py import *\nregister_after_restore(lambda: 1 / 0)\ndef handler(e, c): pass", restore: "Runtime.AfterRestoreError", log: "\tStatus: error\tError Type: Runtime.AfterRestoreError"},
		"exit":            {code: "import os\nfrom snapshot_restore_py import *\nregister_after_restore(os._exit, 3)\ndef handler(e, c): pass", restore: "Runtime.ExitError", log: "\tStatus: error\tError Type: Runtime.ExitError"},
	} {
		t.Run(name, func(t *testing.T) {
			s := b.snapStart(c.code + "\n")
			s.ID += name
			err := b.fleet.Snapshot(t.Context(), s)
			var failed *sandbox.InitError
			if c.init != "" {
				if !errors.As(err, &failed) || failed.Type != c.init {
					t.Fatalf("got %v, want %s", err, c.init)
				}
				b.log.await(t, c.log, 1)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.fleet.Invoke(t.Context(), s, &sandbox.Invocation{RequestID: "r"})
			var restore *sandbox.RestoreError
			if !errors.As(err, &restore) || restore.Type != c.restore || restore.Timeout {
				t.Fatalf("got %v, want %s", err, c.restore)
			}
			b.log.await(t, c.log, 1)
		})
	}
}

// A Node.js cannot be copied: a start takes one that was initialised before, and another is made.
func TestSnapStartOfNode(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.function("nodejs20.x", "index.handler", map[string]string{
			"index.js": `console.log("initialised"); const id = Math.random(); let n = 0; exports.handler = async () => [id, ++n]`})
		s.SnapStart, s.InitializationType, s.Version = true, "snap-start", "1"
		b.fill(s)
		r := b.invoke(s, `{}`)
		if r.Restore <= 0 || r.Init != 0 || !strings.HasSuffix(string(r.Payload), ",1]") {
			t.Errorf("restore %v, initialisation %v, %s", r.Restore, r.Init, r.Payload)
		}
		if again := b.invoke(s, `{}`); again.Restore != 0 || !strings.HasSuffix(string(again.Payload), ",2]") {
			t.Errorf("restored anew: %v, %s", again.Restore, again.Payload)
		}
		b.log.await(t, "INIT_REPORT Init Duration: ", 2)
	})
}

func TestHeldEnvironmentsEndWithTheirVersion(t *testing.T) {
	b := newBench(t, "")
	s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => 1`})
	s.SnapStart, s.InitializationType = true, "snap-start"
	b.fill(s)
	if n := b.fleet.Live(); n != 1 {
		t.Fatalf("%d environments, want 1", n)
	}
	b.fleet.Retire(s.ID)
	b.log.awaitClosed(t, 1)
}

func TestHeldEnvironmentsEndWhereMemoryIsShort(t *testing.T) {
	b := newBench(t, "")
	s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": `exports.handler = async () => 1`})
	s.SnapStart, s.InitializationType = true, "snap-start"
	b.fill(s)
	b.fleet.SetMemory(1<<30, 1<<20)
	b.fleet.Reclaim() // what is made ahead of functions goes first
	b.fleet.Reclaim()
	b.log.awaitClosed(t, 1)
	if r := b.invoke(s, `{}`); string(r.Payload) != "1" || r.Init <= 0 {
		t.Errorf("got %s, initialisation %v", r.Payload, r.Init)
	}
}
