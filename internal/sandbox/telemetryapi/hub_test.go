package telemetryapi_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox/telemetryapi"
)

func hub() *telemetryapi.Hub {
	return telemetryapi.New(
		func(ctx context.Context, port string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:"+port)
		},
		func(id string) (string, bool) { return "my-extension", id == "known" },
	)
}

func subscribe(h *telemetryapi.Hub, path, id, body string) (int, string) {
	w := httptest.NewRecorder()
	q := httptest.NewRequest("PUT", path, strings.NewReader(body))
	q.Header.Set("Lambda-Extension-Identifier", id)
	h.ServeHTTP(w, q)
	return w.Code, strings.TrimSpace(w.Body.String())
}

// receiver listens for batches over HTTP.
func receiver(t *testing.T) (port string, batches chan string) {
	batches = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		batches <- r.URL.Path + " " + string(b)
	}))
	t.Cleanup(s.Close)
	return strconv.Itoa(s.Listener.Addr().(*net.TCPAddr).Port), batches
}

func receive(t *testing.T, batches chan string) string {
	t.Helper()
	select {
	case b := <-batches:
		return b
	case <-time.After(2 * time.Minute):
		t.Fatal("nothing was delivered")
		return ""
	}
}

var at = time.Date(2022, 10, 12, 0, 0, 15, 64_000_000, time.UTC)

func TestDelivery(t *testing.T) {
	h := hub()
	var told string
	h.OnSubscribe(func(kind, name string, types []string) { told = kind + " " + name + " " + strings.Join(types, ",") })
	h.Publish(telemetryapi.Event{Time: at, Type: telemetryapi.Start, Record: telemetryapi.StartRecord{RequestID: "6d68ca91", Version: "$LATEST"}})
	port, batches := receiver(t)
	code, body := subscribe(h, telemetryapi.Path, "known", `{"schemaVersion": "2022-12-13", "types": ["platform", "function"],
		"buffering": {"maxItems": 1000, "maxBytes": 262144, "timeoutMs": 25}, "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:`+port+`/logs"}}`)
	if code != 200 || body != `"OK"` || told != "platform.telemetrySubscription my-extension platform,function" {
		t.Fatalf("%d %s; told %q", code, body, told)
	}
	h.Publish(telemetryapi.Event{Time: at, Type: telemetryapi.FunctionLine, Record: "line\n"})
	h.Publish(telemetryapi.Event{Time: at, Type: telemetryapi.ExtensionLine, Record: "not subscribed\n"})
	got := receive(t, batches)
	for !strings.Contains(got, `"line`) {
		got += receive(t, batches)
	}
	for _, want := range []string{
		`/logs [`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"platform.start","record":{"requestId":"6d68ca91","version":"$LATEST"}}`,
		`{"time":"2022-10-12T00:00:15.064Z","type":"function","record":"line\n"}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s lacks %s", got, want)
		}
	}
	if strings.Contains(got, "not subscribed") {
		t.Error(got)
	}
	h.Seal()
	if code, body := subscribe(h, telemetryapi.Path, "known", `{"types": ["platform"], "destination": {"protocol": "TCP", "port": 9}}`); code != 403 || !strings.Contains(body, "Telemetry.SubscriptionClosed") {
		t.Errorf("%d %s", code, body)
	}
	// What is left is delivered at the end.
	h.Publish(telemetryapi.Event{Time: at, Type: telemetryapi.FunctionLine, Record: "last"})
	h.Close(context.Background())
	for got := ""; !strings.Contains(got, "last"); {
		got = receive(t, batches)
	}
}

func TestDeliveryOverTCPOfTheLogsAPI(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	h := hub()
	port := l.Addr().(*net.TCPAddr).Port
	code, body := subscribe(h, telemetryapi.LogsPath, "known", `{"schemaVersion": "2021-03-18", "types": ["platform"], "buffering": {"timeoutMs": 25}, "destination": {"protocol": "TCP", "port": `+strconv.Itoa(port)+`}}`)
	if code != 200 {
		t.Fatalf("%d %s", code, body)
	}
	h.Publish(telemetryapi.Event{Time: at, Type: telemetryapi.RuntimeDone, Record: telemetryapi.DoneRecord{RequestID: "r", Status: "success"}})
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	lines := bufio.NewScanner(c)
	for _, want := range []string{"platform.runtimeDone", "platform.end"} {
		if !lines.Scan() {
			t.Fatal(lines.Err())
		}
		var e struct {
			Type   string
			Record struct{ RequestID string }
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Type != want || e.Record.RequestID != "r" {
			t.Errorf("%s, want %s", lines.Text(), want)
		}
	}
	h.Close(context.Background())
}

func TestRefusedSubscriptions(t *testing.T) {
	const good = `"destination": {"protocol": "TCP", "port": 8080}`
	for _, c := range []struct{ id, body, want string }{
		{"", `{}`, "Extension.MissingExtensionIdentifier"},
		{"other", `{}`, "Extension.UnknownExtensionIdentifier"},
		{"known", `{`, "ValidationError"},
		{"known", `{` + good + `}`, "types is required"},
		{"known", `{"types": ["odd"], ` + good + `}`, "invalid type: odd"},
		{"known", `{"types": ["platform"], "buffering": {"timeoutMs": 24}, ` + good + `}`, "timeoutMs must be between 25 and 30000"},
		{"known", `{"types": ["platform"], "buffering": {"maxItems": 10001}, ` + good + `}`, "maxItems must be between 1000 and 10000"},
		{"known", `{"types": ["platform"], "buffering": {"maxBytes": 1}, ` + good + `}`, "maxBytes must be between 262144 and 1048576"},
		{"known", `{"types": ["platform"], "destination": {"protocol": "UDP"}}`, "invalid destination protocol"},
		{"known", `{"types": ["platform"], "destination": {"protocol": "TCP"}}`, "destination port is required"},
		{"known", `{"types": ["platform"], "destination": {"protocol": "HTTP", "URI": "http://example.com:80"}}`, "sandbox.localdomain"},
		{"known", `{"types": ["platform"], "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:9001"}}`, "9001"},
		{"known", `{"types": ["platform"], "destination": {"protocol": "HTTP", "URI": "ftp://sandbox.localdomain"}}`, "invalid destination URI"},
	} {
		if code, body := subscribe(hub(), telemetryapi.Path, c.id, c.body); code < 400 || code > 403 || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s, want %s", c.body, code, body, c.want)
		}
	}
}

func FuzzSubscription(f *testing.F) {
	f.Add(`{"schemaVersion": "2022-12-13", "types": ["platform"], "buffering": {"maxItems": 1000}, "destination": {"protocol": "HTTP", "URI": "http://sandbox.localdomain:8080"}}`)
	f.Add(`{"types": ["extension"], "destination": {"protocol": "TCP", "port": 65536}}`)
	f.Add(`{"types": null, "destination": {"URI": ":"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		h := hub()
		if code, _ := subscribe(h, telemetryapi.Path, "known", body); code != 200 && code != 400 {
			t.Errorf("status %d", code)
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		h.Close(ctx)
	})
}
