package sandbox_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// echoFunction builds the function that is written with AWS's library for Go.
var echoFunction = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "cirro-echo-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", filepath.Join(dir, "bootstrap"), "./provided/echofunction")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return dir, cmd.Run()
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := echoFunction(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func (b *bench) goFunction(handler string) *sandbox.Spec {
	b.t.Helper()
	dir, err := echoFunction()
	if err != nil {
		b.t.Fatal(err)
	}
	binary, err := os.ReadFile(filepath.Join(dir, "bootstrap"))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.function("provided.al2023", handler, map[string]string{"bootstrap": string(binary)})
}

func TestGoFunction(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.goFunction("handle")
		for range 3 {
			r := b.invokeWith(s, &sandbox.Invocation{RequestID: "11111111-0000-4000-8000-000000000000", Payload: []byte(`{"Name": "you"}`)})
			want := `{"arn":"arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST","function":"f","hello":"you","id":"11111111-0000-4000-8000-000000000000","time":true}`
			if string(r.Payload) != want || !strings.Contains(string(r.LogTail), "handling you\nEND") {
				t.Errorf("got %s; %s", r.Payload, r.LogTail)
			}
		}
		if message := failed(t, b.invoke(s, `{"Fail": true}`), "errorString"); message != "it failed" {
			t.Errorf("message %q", message)
		}
		r := b.invoke(s, `{"Panic": true}`)
		var e struct {
			ErrorMessage string
			StackTrace   []any
		}
		if err := json.Unmarshal(r.Payload, &e); err != nil || e.ErrorMessage != "it panicked" || len(e.StackTrace) == 0 {
			t.Errorf("panic: %s", r.Payload)
		}
		failed(t, b.invoke(s, `{"Exit": 4}`), "Runtime.ExitError")
		if r := b.invoke(s, `{}`); r.FunctionError != "" {
			t.Errorf("after an exit: %s", r.Payload)
		}
	})
}

func TestGoFunctionStreams(t *testing.T) {
	b := newBench(t, "")
	s := b.goFunction("stream")
	var body strings.Builder
	stream := func(payload string) *sandbox.Result {
		body.Reset()
		return b.invokeWith(s, &sandbox.Invocation{Payload: []byte(payload), Stream: func(string) io.Writer { return &body }})
	}
	if r := stream(`{}`); body.String() != "one two" || r.FunctionError != "" || r.StreamError != nil {
		t.Errorf("streamed %q, %+v", body.String(), r)
	}
	r := stream(`{"Fail": true}`)
	if body.String() != "one " || r.StreamError == nil || !strings.Contains(r.StreamError.Details, "it broke") {
		t.Errorf("streamed %q, %+v", body.String(), r)
	}
	if r := b.invoke(s, `{}`); string(r.Payload) != "one two" {
		t.Errorf("a streamed response to a caller who wants it whole: %s", r.Payload)
	}
}

// shellBootstrap is a custom runtime in bash, which speaks HTTP itself.
const shellBootstrap = `#!/bin/bash
host=${AWS_LAMBDA_RUNTIME_API%:*}; port=${AWS_LAMBDA_RUNTIME_API#*:}
request() { # method, path, body; sets id and reply
	exec 3<>"/dev/tcp/$host/$port"
	printf '%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "${#3}" "$3" >&3
	while IFS= read -r line <&3; line=${line%$'\r'}; [ -n "$line" ]; do
		case $line in Lambda-Runtime-Aws-Request-Id:*) id=${line#*: };; esac
	done
	reply=$(cat <&3); exec 3>&-
}
while true; do
	request GET /2018-06-01/runtime/invocation/next ""
	echo "handler $_HANDLER got $reply"
	request POST "/2018-06-01/runtime/invocation/$id/response" "{\"echo\": $reply}"
done
`

func TestShellFunction(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		for _, where := range []string{"code", "layer"} {
			s := b.function("provided.al2", "my.handler", map[string]string{"readme": ""})
			s.ID += where
			tree := b.tree(map[string]string{"bootstrap": shellBootstrap})
			if where == "code" {
				s.Code = tree
			} else {
				s.Layers = []string{tree}
			}
			for range 2 {
				r := b.invoke(s, `{"a": 1}`)
				if string(r.Payload) != `{"echo": {"a": 1}}` || !strings.Contains(string(r.LogTail), `handler my.handler got {"a": 1}`) {
					t.Errorf("%s: got %s; %s", where, r.Payload, r.LogTail)
				}
			}
		}
	})
}

func TestInvalidEntrypoints(t *testing.T) {
	b := newBench(t, "")
	for _, c := range []struct{ name, content, want string }{
		{"none", "", "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"},
		{"not executable", "#!/bin/sh\n", "fork/exec /var/task/bootstrap: permission denied"},
		{"text", "echo\n", "fork/exec /var/task/bootstrap: exec format error"},
		{"another architecture", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\xf3\x00\x01\x00\x00\x00" + strings.Repeat("\x00", 40), "fork/exec /var/task/bootstrap: exec format error"},
		{"an interpreter that is missing", "#!/nowhere/sh\n", "fork/exec /var/task/bootstrap: no such file or directory"},
		{"Windows line ends", "#!/bin/sh\r\necho\r\n", "fork/exec /var/task/bootstrap: no such file or directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := b.function("provided.al2023", "h", map[string]string{"bootstrap": c.content})
			s.ID = c.name
			file := filepath.Join(s.Code, "bootstrap")
			var err error
			switch c.name {
			case "none":
				err = os.Remove(file)
			case "not executable":
				err = os.Chmod(file, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			r := b.invoke(s, "{}")
			_, message, _ := strings.Cut(failed(t, r, "Runtime.InvalidEntrypoint"), " Error: ")
			if message != c.want {
				t.Errorf("message %q, want %q", message, c.want)
			}
			if !strings.Contains(string(r.LogTail), "Status: error\tError Type: Runtime.InvalidEntrypoint") {
				t.Errorf("log: %s", r.LogTail)
			}
		})
	}
}
