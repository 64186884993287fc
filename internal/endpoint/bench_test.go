package endpoint_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"cirro/internal/endpoint"
)

// discard is a ResponseWriter that costs nothing.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Flush()                      {}

func readCloserOf(s string) io.ReadCloser { return io.NopCloser(strings.NewReader(s)) }

func benchmark(b *testing.B, method, path, body string, header ...string) {
	benchmarkOn(b, newEndpoint(b, endpoint.Options{}), method, path, body, header...)
}

func benchmarkOn(b *testing.B, e *endpoint.Endpoint, method, path, body string, header ...string) {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		b.Fatal(err)
	}
	r := &http.Request{Method: method, URL: u, Host: "localhost:4566", Header: http.Header{}, RemoteAddr: "127.0.0.1:1"}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	in := strings.NewReader(body)
	b.ReportAllocs()
	for b.Loop() {
		in.Reset(body)
		r.Body, r.ContentLength = io.NopCloser(in), int64(len(body))
		w := &discard{header: http.Header{}}
		e.ServeHTTP(w, r)
		if w.status >= 500 && w.status != http.StatusNotImplemented {
			b.Fatal(w.status)
		}
	}
}

// BenchmarkInvoke is what the front door costs a warm invocation, without net/http.
func BenchmarkInvoke(b *testing.B) {
	benchmark(b, "POST", "/2015-03-31/functions/echo/invocations", `{"a":1}`, append(signedAs("lambda"), "Content-Type", "application/json")...)
}

// BenchmarkJSON is a request with a body of some size.
func BenchmarkJSON(b *testing.B) {
	body := `{"logGroupName":"g","logStreamName":"s","logEvents":[` + strings.TrimSuffix(strings.Repeat(`{"timestamp":1700000000000,"message":"a line of some length that says little"},`, 20), ",") + `]}`
	benchmark(b, "POST", "/", body, append(signedAs("logs"), "Content-Type", "application/x-amz-json-1.1", "X-Amz-Target", "Logs_20140328.PutLogEvents")...)
}

// BenchmarkQuery is a form.
func BenchmarkQuery(b *testing.B) {
	benchmark(b, "POST", "/", "Action=GetCallerIdentity&Version=2011-06-15", append(signedAs("sts"), "Content-Type", "application/x-www-form-urlencoded")...)
}

// BenchmarkRoundTrip compares an invocation with bare net/http over a connection that is kept.
func BenchmarkRoundTrip(b *testing.B) {
	for name, h := range map[string]http.Handler{
		"bare": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}),
		"invoke": newEndpoint(b, endpoint.Options{}),
	} {
		b.Run(name, func(b *testing.B) {
			s := httptest.NewServer(h)
			defer s.Close()
			client := s.Client()
			for b.Loop() {
				r, _ := http.NewRequest("POST", s.URL+"/2015-03-31/functions/echo/invocations", bytes.NewReader([]byte(`{"a":1}`)))
				r.Header.Set("Authorization", signedAs("lambda")[1])
				resp, err := client.Do(r)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}
