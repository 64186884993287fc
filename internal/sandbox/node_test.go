package sandbox_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

func TestNodeEcho(t *testing.T) {
	modes(t, func(t *testing.T, m jail.Mode) {
		b := newBench(t, m)
		s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": `let n = 0; exports.handler = async (e) => [++n, e]`})
		for i := 1; i < 4; i++ {
			if got, want := string(b.invoke(s, `{"a":1}`).Payload), fmt.Sprintf(`[%d,{"a":1}]`, i); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

func TestNodeFunctions(t *testing.T) {
	b := newBench(t, "")
	for _, c := range []struct {
		name, handler string
		files         map[string]string
		want          string // payload
		kind          string // of the error instead
		logs          string
	}{
		{
			name: "async", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = async (event, context) => {
				console.log("got", event); console.error("two\nlines");
				return {event, name: context.functionName, left: context.getRemainingTimeInMillis() > 5000, mb: context.memoryLimitInMB};
			}`},
			want: `{"event":{"a":"ä"},"name":"f","left":true,"mb":"256"}`,
			logs: "\tERROR\ttwo\nlines",
		},
		{
			name: "callback", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = (event, context, callback) => {
				let late = 0;
				setTimeout(() => { late++; console.log("late", late) }, 20);
				callback(null, {get late() { return late }});
			}`},
			want: `{"late":1}`,
			logs: "late 1",
		},
		{
			name: "callback without waiting", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = (event, context, callback) => {
				context.callbackWaitsForEmptyEventLoop = false;
				setTimeout(() => {}, 100000);
				callback(null, "now");
			}`},
			want: `"now"`,
		},
		{
			name: "no callback", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = () => {}`},
			want:  `null`,
		},
		{
			name: "ES module with top-level await", handler: "src/app.run",
			files: map[string]string{"src/app.mjs": `const x = await Promise.resolve(7); export const run = async () => x`},
			want:  `7`,
		},
		{
			name: "ES module by package.json", handler: "app.a.b",
			files: map[string]string{
				"package.json": `{"type": "module"}`,
				"app.js":       `import fs from "fs"; export const a = {b: async () => fs.existsSync("package.json")}`,
			},
			want: `true`,
		},
		{
			name: "thrown error", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = async () => { throw new RangeError("too far") }`},
			kind:  "RangeError", logs: "\tERROR\tInvoke Error \t{\"errorType\":\"RangeError\",\"errorMessage\":\"too far\",\"stack\":[",
		},
		{
			name: "syntax error", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = async ( => 1`},
			kind:  "Runtime.UserCodeSyntaxError", logs: "Uncaught Exception",
		},
		{
			name: "missing module", handler: "index.handler",
			files: map[string]string{"index.js": `require("nowhere")`},
			kind:  "Runtime.ImportModuleError",
		},
		{
			name: "missing file", handler: "other.handler",
			files: map[string]string{"index.js": ``},
			kind:  "Runtime.ImportModuleError",
		},
		{
			name: "missing handler", handler: "index.handler",
			files: map[string]string{"index.js": `exports.other = 1`},
			kind:  "Runtime.HandlerNotFound",
		},
		{
			name: "bad handler", handler: "../index.handler",
			files: map[string]string{"index.js": ``},
			kind:  "Runtime.MalformedHandlerName",
		},
		{
			name: "unhandled rejection", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = () => new Promise(() => { Promise.reject(new Error("lost")) })`},
			kind:  "Runtime.UnhandledPromiseRejection",
		},
		{
			name: "uncaught exception", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = (e, c, cb) => { setTimeout(() => { throw new TypeError("boom") }, 1) }`},
			kind:  "TypeError",
		},
		{
			name: "exit", handler: "index.handler",
			files: map[string]string{"index.js": `exports.handler = () => { process.exit(3) }`},
			kind:  "Runtime.ExitError",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := b.function("nodejs20.x", c.handler, c.files)
			s.ID += c.name
			r := b.invoke(s, `{"a":"ä"}`)
			if c.kind != "" {
				failed(t, r, c.kind)
			} else if string(r.Payload) != c.want || r.FunctionError != "" {
				t.Errorf("got %s %s, want %s", r.Payload, r.FunctionError, c.want)
			}
			if !strings.Contains(string(r.LogTail), c.logs) && !b.log.has(c.logs) {
				t.Errorf("the log lacks %q:\n%s", c.logs, r.LogTail)
			}
			if t.Failed() {
				t.Logf("the log:\n%s", strings.Join(b.log.all(), "\n"))
			}
			b.fleet.Retire(s.ID)
		})
	}
}

func TestNodeStreams(t *testing.T) {
	b := newBench(t, "")
	s := b.function("nodejs20.x", "index.handler", map[string]string{"index.mjs": `
import { setTimeout } from "timers/promises";
export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
	if (event.fail === "early") throw new Error("early");
	stream = awslambda.HttpResponseStream.from(stream, {statusCode: 201});
	stream.write("one ");
	await setTimeout(5);
	if (event.fail === "late") throw new Error("late");
	stream.write("two");
	stream.end();
	await stream.finished;
});`})
	stream := func(payload string) (string, string, *sandbox.Result) {
		var kind string
		var body strings.Builder
		r := b.invokeWith(s, &sandbox.Invocation{Payload: []byte(payload), Stream: func(contentType string) io.Writer {
			kind = contentType
			return &body
		}})
		return kind, body.String(), r
	}
	for range 2 {
		kind, body, r := stream(`{}`)
		if kind != "application/vnd.awslambda.http-integration-response" || body != "{\"statusCode\":201}\x00\x00\x00\x00\x00\x00\x00\x00one two" || r.FunctionError != "" {
			t.Errorf("got %q, %q, %q %s; %s", kind, body, r.FunctionError, r.Payload, r.LogTail)
		}
	}
	_, body, r := stream(`{"fail": "late"}`)
	if r.StreamError == nil || r.StreamError.Type != "Error" || !strings.Contains(r.StreamError.Details, `"late"`) || !strings.HasSuffix(body, "one ") {
		t.Errorf("late failure: %q, %+v", body, r)
	}
	_, body, r = stream(`{"fail": "early"}`)
	if r.StreamError == nil || r.FunctionError == "" || body != "" {
		t.Errorf("early failure: %q, %+v", body, r)
	}
	if _, body, _ := stream(`{}`); !strings.HasSuffix(body, "one two") {
		t.Errorf("after failures: %q", body)
	}
}
