package proxy

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files of events")

// Each case is a whole event, to the last field, in testdata.
func TestNewEvent(t *testing.T) {
	context := Context{ResourceID: "abc123", ResourcePath: "/{proxy+}", HTTPMethod: "GET", ExtendedRequestID: "JKJaXmPLvHcESHA=",
		Path: "/test/a%20b/", AccountID: "000000000000", Protocol: "HTTP/1.1", Stage: "test", DomainPrefix: "a1b2c3d4e5",
		RequestID: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef", DomainName: "a1b2c3d4e5.execute-api.us-east-1.localhost",
		DeploymentID: "dep123", APIID: "a1b2c3d4e5", Identity: Identity{SourceIP: "192.0.2.1", UserAgent: new("curl/8")}}
	context.SetTime(time.Date(2015, 4, 9, 12, 34, 56, 789e6, time.UTC))
	for _, c := range []struct {
		name            string
		request         Request
		path, variables map[string]string
		binary          MediaTypes
	}{
		{name: "bare", request: Request{Method: "GET", Path: "/a%20b/"}, path: map[string]string{"proxy": "a%20b"}},
		{name: "full", request: Request{Method: "POST", Path: "/x", Body: []byte(`{"a":"<b>"}`),
			Query: ParseQuery("price=10&price=20&email=test%2Balias@x.y&plus=a+b&flag&bad=%zz;split=1"),
			Headers: []Pair{{"tEsT-HEADeR", "aValUE"}, {"aUThorization", "Bearer 1"}, {"user-agent", "curl/8"},
				{"X-Multi", "a"}, {"X-Multi", "b"}, {"Connection", "keep-alive"}, {"Content-Length", "11"},
				{"Content-Type", "application/json;charset=utf-8"}}},
			variables: map[string]string{"color": "blue"}, binary: MediaTypes{"image/png"}},
		{name: "binary", request: Request{Method: "PUT", Path: "/x", Body: []byte{0xff, 0xd8, 0}, Headers: []Pair{{"content-type", "image/jpeg; q=1"}}},
			binary: MediaTypes{"image/*"}},
		{name: "any-type-is-binary", request: Request{Method: "PUT", Path: "/x", Body: []byte("text")}, binary: MediaTypes{"*/*"}},
		{name: "damaged", request: Request{Method: "PUT", Path: "/x", Body: []byte{'a', 0xff, 'b'}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := json.MarshalIndent(NewEvent(&c.request, context, c.path, c.variables, c.binary), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", c.name+".json")
			if *update {
				if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.TrimSpace(string(want)) != string(got) {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestMediaTypes(t *testing.T) {
	for _, c := range []struct {
		types       MediaTypes
		contentType string
		want        bool
	}{
		{nil, "image/png", false}, {MediaTypes{"image/png"}, "IMAGE/PNG", true}, {MediaTypes{"image/png"}, "image/png; a=b", true},
		{MediaTypes{"image/*"}, "image/png", true}, {MediaTypes{"image/*"}, "imagex/png", false}, {MediaTypes{"*/*"}, "", true},
		{MediaTypes{""}, "", false}, {MediaTypes{"multipart/form-data"}, "multipart/form-data; boundary=x", true},
	} {
		if got := c.types.Match(c.contentType); got != c.want {
			t.Errorf("%v %q: got %v", c.types, c.contentType, got)
		}
	}
}

func FuzzParseQuery(f *testing.F) {
	for _, q := range []string{"", "a=b&c", "a=%zz&=x&;;", "a=b=c", "%", "a+b=c%20d"} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		pairs := ParseQuery(raw)
		if n := strings.Count(raw, "&") + strings.Count(raw, ";") + 1; len(pairs) > n {
			t.Errorf("%q: %v", raw, pairs)
		}
	})
}
