package sandbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
)

// bundled is a Node.js function whose code is worth compiling once, with what of it could go wrong.
func (b *bench) bundled(t *testing.T, id string) *sandbox.Spec {
	var bundle strings.Builder
	bundle.WriteString("#!/usr/bin/env node\nexports.where = () => [__filename, __dirname, module.id, require.resolve('./other'), typeof require.cache, require.main === undefined];\n" +
		"exports.fail = () => { throw new Error('here') };\nexports.self = this === module.exports;\n")
	for i := range 6000 {
		fmt.Fprintf(&bundle, "exports.f%d = function (a, b) { return a + b + %d };\n", i, i)
	}
	s := b.function("nodejs20.x", "index.handler", map[string]string{
		"loader.js": "exports.load = (name) => import(name); //" + strings.Repeat(" ", 2000),
		"index.js": `const bundle = require("./bundle"); const out = bundle.f7(1, 2);
			exports.handler = async () => {
				let stack; try { bundle.fail() } catch (e) { stack = e.stack.split("\n")[1].trim() }
				return { out, where: bundle.where(), stack, loaded: (await require("./loader").load("./module.mjs")).default, self: bundle.self, parent: module.children.length };
			}`,
		"bundle.js":  bundle.String(),
		"other.js":   "module.exports = 1",
		"module.mjs": "export default 5",
	})
	s.ID = t.Name() + id
	return s
}

func TestCompiledCodeIsKept(t *testing.T) {
	var dir string
	b := newBench(t, "", func(o *sandbox.Options) { dir = o.Dir })
	if b.mode == jail.Unwalled {
		t.Skip("without walls nothing is kept")
	}
	s := b.bundled(t, "")
	kept := func() []string {
		files, err := filepath.Glob(filepath.Join(dir, "compiled", "*", "code"))
		if err != nil {
			t.Fatal(err)
		}
		return files
	}
	first := b.invoke(s, `{}`)
	want := `{"out":10,"where":["/var/task/bundle.js","/var/task","/var/task/bundle.js","/var/task/other.js","object",true],` +
		`"stack":"at exports.fail (/var/task/bundle.js:3:30)","loaded":5,"self":true,"parent":2}`
	if string(first.Payload) != want {
		t.Errorf("got  %s\nwant %s", first.Payload, want)
	}
	if files := kept(); len(files) != 1 {
		t.Fatalf("kept %v", files)
	}
	before, err := os.ReadFile(kept()[0])
	if err != nil {
		t.Fatal(err)
	}
	b.fleet.EndIdle(s.ID)
	if second := b.invoke(s, `{}`); string(second.Payload) != want || second.Init == 0 {
		t.Errorf("got  %s\nwant %s", second.Payload, want)
	}
	if after, err := os.ReadFile(kept()[0]); err != nil || !bytes.Equal(before, after) {
		t.Errorf("compiled anew: %v", err)
	}
	// What is of no use is replaced.
	if err := os.WriteFile(kept()[0], bytes.Repeat([]byte{0xff}, len(before)), 0o644); err != nil {
		t.Fatal(err)
	}
	b.fleet.EndIdle(s.ID)
	if third := b.invoke(s, `{}`); string(third.Payload) != want {
		t.Errorf("got  %s\nwant %s", third.Payload, want)
	}
	if after, err := os.ReadFile(kept()[0]); err != nil || after[0] == 0xff {
		t.Errorf("not replaced: %v", err)
	}
	b.fleet.Retire(s.ID)
	if files := kept(); len(files) != 0 {
		t.Errorf("left over: %v", files)
	}
}

// What a function's code wrote is seen by environments of the same Spec alone, and an invocation cannot write it.
func TestCompiledCodeIsTheFunctionsAlone(t *testing.T) {
	var dir string
	b := newBench(t, "", func(o *sandbox.Options) { dir = o.Dir })
	if b.mode == jail.Unwalled {
		t.Skip("without walls nothing is kept")
	}
	look := `
		const http = require("http"), fs = require("fs");
		const put = (size) => new Promise((resolve) => {
			const r = http.request({ host: "127.0.0.1", port: 9001, path: "/cirro/compiled", method: "PUT", headers: { "Content-Length": size } },
				(a) => { a.resume(); resolve(a.statusCode) });
			r.on("error", () => resolve(0));
			r.end(size < 1000 ? Buffer.alloc(size, "x") : undefined);
		});
		let write; try { fs.writeFileSync("/var/compiled/code", "x") } catch (e) { write = e.code }
		exports.handler = async () => {
			if (slow) { slow.end(Buffer.alloc(5, "x")); slow = (await new Promise((done) => slow.on("response", done))).statusCode }
			return { there: fs.existsSync("/var/compiled/code"), late: await put(10), write, slow };
		};
		let slow = null;
		if (process.env.EARLY === "slow") {
			slow = http.request({ host: "127.0.0.1", port: 9001, path: "/cirro/compiled", method: "PUT", headers: { "Content-Length": 10 } });
			slow.write(Buffer.alloc(5, "x"));
		} else if (process.env.EARLY) put(Number(process.env.EARLY));
	`
	s := b.function("nodejs20.x", "index.handler", map[string]string{"index.js": look})
	for _, c := range []struct{ early, want string }{
		{"", fmt.Sprintf(`{"there":false,"late":%d,"write":"ENOENT","slow":null}`, http.StatusForbidden)},
		{"70000000", fmt.Sprintf(`{"there":false,"late":%d,"write":"ENOENT","slow":null}`, http.StatusForbidden)},
		{"slow", fmt.Sprintf(`{"there":false,"late":%d,"write":"ENOENT","slow":%[1]d}`, http.StatusForbidden)},
	} {
		one := *s
		one.ID += c.early
		one.Environment = map[string]string{}
		if c.early != "" {
			one.Environment["EARLY"] = c.early
		}
		if r := b.invoke(&one, `{}`); string(r.Payload) != c.want {
			t.Errorf("%s: got %s, want %s", c.early, r.Payload, c.want)
		}
	}
	first := b.bundled(t, "bundle")
	b.invoke(first, `{}`)
	if files, _ := filepath.Glob(filepath.Join(dir, "compiled", "*", "code")); len(files) != 1 {
		t.Fatalf("kept %v", files)
	}
	other := *s
	other.ID += "other"
	if r := b.invoke(&other, `{}`); !strings.Contains(string(r.Payload), `"there":false`) {
		t.Errorf("another function sees %s", r.Payload)
	}
	same := *s
	same.ID = first.ID
	b.fleet.EndIdle(first.ID)
	if r := b.invoke(&same, `{}`); string(r.Payload) != fmt.Sprintf(`{"there":true,"late":%d,"write":"EROFS","slow":null}`, http.StatusForbidden) {
		t.Errorf("the same function sees %s", r.Payload)
	}
}
