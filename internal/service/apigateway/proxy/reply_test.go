package proxy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestParseReply(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{}`, `200 [] "" false`},
		{`{"statusCode":201,"body":"x"}`, `201 [] "x" false`},
		{`{"statusCode":"404","body":null,"headers":null,"isBase64Encoded":null}`, `404 [] "" false`},
		{`{"statusCode":null,"isBase64Encoded":true,"body":"eA=="}`, `200 [] "eA==" true`},
		{`{"headers":{"b":"1","a":true,"n":12,"z":null}}`, `200 [{a true} {b 1} {n 12}] "" false`},
		{`{"multiValueHeaders":{"Set-Cookie":["a=1","b=2"]},"headers":{"set-cookie":"a=1","X":"y"}}`,
			`200 [{Set-Cookie a=1} {Set-Cookie b=2} {X y}] "" false`},
		{`{"headers":{"X":"a"},"multiValueHeaders":{"X":["b"]}}`, `200 [{X b} {X a}] "" false`},
		{`{"headers":{"X":"a\r\nSet-Cookie: b"}}`, `200 [{X a  Set-Cookie: b}] "" false`},
	} {
		r, err := ParseReply([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := fmt.Sprintf("%d %v %q %v", r.Status, r.Headers, r.Body, r.Base64); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
	}
}

func TestMalformedReply(t *testing.T) {
	for _, in := range []string{"", "null", `"text"`, "[]", "5", `{"statusCode":200,"wrongValue":"v"}`,
		`{"StatusCode":200}`, `{"statusCode":"ok"}`, `{"statusCode":200.5}`, `{"statusCode":true}`, `{"statusCode":99}`,
		`{"statusCode":100}`, `{"statusCode":600}`, `{"body":{"a":1}}`, `{"body":5}`, `{"headers":{"a":{}}}`,
		`{"headers":{"a":["b"]}}`, `{"headers":{"bad name":"v"}}`, `{"headers":{"":"v"}}`, `{"headers":[]}`,
		`{"multiValueHeaders":{"a":"b"}}`, `{"isBase64Encoded":"true"}`, `{} {}`} {
		if r, err := ParseReply([]byte(in)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: got %+v, %v", in, r, err)
		}
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		accept, contentType string
		binary              MediaTypes
		want                string
	}{
		{"image/png", "", MediaTypes{"image/png"}, "hi"},
		{"image/png, */*", "", MediaTypes{"image/png"}, "hi"},
		{"text/html, image/png", "", MediaTypes{"image/png"}, "aGk="}, // only the first counts
		{"*/*", "image/png", MediaTypes{"image/png"}, "aGk="},
		{"*/*", "", MediaTypes{"*/*"}, "hi"},
		{"", "image/png", MediaTypes{"image/*"}, "hi"},
		{"", "", MediaTypes{"*/*"}, "hi"},
		{"image/png", "", nil, "aGk="},
	} {
		r := &Reply{Body: "aGk=", Base64: true, Headers: []Pair{{"content-type", c.contentType}}}
		got, err := r.Bytes(c.accept, c.binary)
		if err != nil || string(got) != c.want {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
	if _, err := (&Reply{Body: "%", Base64: true}).Bytes("a/b", MediaTypes{"a/b"}); err == nil {
		t.Error("a body that is no base64 was taken")
	}
	if got, _ := (&Reply{Body: "aGk="}).Bytes("a/b", MediaTypes{"a/b"}); string(got) != "aGk=" {
		t.Errorf("got %q", got)
	}
}

func TestResponseName(t *testing.T) {
	for name, want := range map[string]string{
		"X-A": "X-A", "content-type": "content-type", "transfer-encoding": "", "Content-Length": "x-amzn-Remapped-Content-Length",
		"connection": "x-amzn-Remapped-connection", "WWW-Authenticate": "x-amzn-Remapped-WWW-Authenticate",
	} {
		if got := ResponseName(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func FuzzParseReply(f *testing.F) {
	for _, s := range []string{`{}`, `{"statusCode":200,"headers":{"a":"b"},"multiValueHeaders":{"a":["c"]},"body":"x","isBase64Encoded":true}`,
		`null`, `{"headers":{"a\n":"b"}}`, `{"headers":{"a":"\r\nb"}}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := ParseReply(payload)
		if err != nil {
			return
		}
		if r.Status < 200 || r.Status > 599 {
			t.Errorf("status %d", r.Status)
		}
		for _, h := range r.Headers {
			if strings.ContainsAny(h.Name+h.Value, "\r\n\x00") {
				t.Errorf("the header %q: %q", h.Name, h.Value)
			}
		}
		_, _ = r.Bytes("", MediaTypes{"*/*"})
	})
}
