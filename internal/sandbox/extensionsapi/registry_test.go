package extensionsapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cirro/internal/sandbox/extensionsapi"
)

func server(t *testing.T, external ...string) (*extensionsapi.Registry, string) {
	g := extensionsapi.New(extensionsapi.Function{Name: "helloWorld", Version: "$LATEST", Handler: "lambda_function.lambda_handler", Account: "000000000000"}, external)
	s := httptest.NewServer(g)
	t.Cleanup(func() {
		g.Close()
		s.Close()
	})
	return g, s.URL + extensionsapi.Prefix
}

func request(t *testing.T, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	q, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	r, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r, strings.TrimSpace(string(b))
}

func register(t *testing.T, url, name, events string) string {
	t.Helper()
	r, body := request(t, "POST", url+"register", `{"events": [`+events+`]}`, "Lambda-Extension-Name", name)
	if r.StatusCode != 200 {
		t.Fatalf("register %s: %d %s", name, r.StatusCode, body)
	}
	return r.Header.Get("Lambda-Extension-Identifier")
}

func TestRegister(t *testing.T) {
	g, url := server(t, "outer")
	var told []string
	g.OnRegister(func(name string, events []string) { told = append(told, name+":"+strings.Join(events, "+")) })
	r, body := request(t, "POST", url+"register", `{"events": ["INVOKE", "SHUTDOWN"]}`, "Lambda-Extension-Name", "outer", "Lambda-Extension-Accept-Feature", "x, accountId")
	if want := `{"functionName":"helloWorld","functionVersion":"$LATEST","handler":"lambda_function.lambda_handler","accountId":"000000000000"}`; r.StatusCode != 200 || body != want {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if name, ok := g.Name(r.Header.Get("Lambda-Extension-Identifier")); !ok || name != "outer" {
		t.Errorf("name %q", name)
	}
	r, body = request(t, "POST", url+"register", `{"events": []}`, "Lambda-Extension-Name", "inner")
	if want := `{"functionName":"helloWorld","functionVersion":"$LATEST","handler":"lambda_function.lambda_handler"}`; r.StatusCode != 200 || body != want {
		t.Errorf("%d %s", r.StatusCode, body)
	}
	if got := strings.Join(told, " "); got != "outer:INVOKE+SHUTDOWN inner:" {
		t.Errorf("told %q", got)
	}
}

func TestRefusedRegistrations(t *testing.T) {
	g, url := server(t, "outer")
	register(t, url, "taken", "")
	for _, c := range []struct{ name, body, want string }{
		{"", `{}`, `{"errorMessage":"Empty extension name","errorType":"Extension.InvalidExtensionName"}`},
		{"x", `{"events": ["SHUTDOWN"]}`, `{"errorMessage":"SHUTDOWN: ShutdownEventNotSupportedForInternalExtension","errorType":"Extension.InvalidEventType"}`},
		{"x", `{"events": ["OTHER"]}`, `{"errorMessage":"OTHER: InvalidEventType","errorType":"Extension.InvalidEventType"}`},
		{"x", `{`, `{"errorMessage":"unexpected end of JSON input","errorType":"InvalidRequestFormat"}`},
		{"taken", `{"events": []}`, `{"errorMessage":"Extension with this name already registered","errorType":"Extension.InvalidExtensionState"}`},
	} {
		r, body := request(t, "POST", url+"register", c.body, "Lambda-Extension-Name", c.name)
		if r.StatusCode != 403 || body != c.want {
			t.Errorf("%s %s: %d %s, want %s", c.name, c.body, r.StatusCode, body, c.want)
		}
	}
	for i := range 9 {
		register(t, url, "n"+string(rune('0'+i)), "")
	}
	if _, body := request(t, "POST", url+"register", `{}`, "Lambda-Extension-Name", "eleventh"); !strings.Contains(body, "Extension.TooManyExtensions") {
		t.Error(body)
	}
	g.Seal()
	if _, body := request(t, "POST", url+"register", `{}`, "Lambda-Extension-Name", "late"); body != `{"errorMessage":"Extension registration closed already","errorType":"Extension.RegistrationClosed"}` {
		t.Error(body)
	}
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func await(t *testing.T, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(2 * time.Minute):
		t.Fatal("it does not happen")
	}
}

func TestLife(t *testing.T) {
	g, url := server(t, "outer")
	if !g.Empty() || closed(g.Registered()) || !closed(g.Resting()) {
		t.Error("at the start")
	}
	id := register(t, url, "outer", `"INVOKE","SHUTDOWN"`)
	inner := register(t, url, "inner", `"INVOKE"`)
	await(t, g.Registered())
	if closed(g.Resting()) || g.Empty() {
		t.Error("after the registration")
	}
	next := func(id string) <-chan string {
		events := make(chan string, 1)
		go func() {
			r, body := request(t, "GET", url+"event/next", "", "Lambda-Extension-Identifier", id)
			if r.StatusCode == 200 && r.Header.Get("Lambda-Extension-Event-Identifier") == "" {
				body = "no identifier"
			}
			events <- body
		}()
		return events
	}
	a, b := next(id), next(inner)
	await(t, g.Resting())
	deadline := time.UnixMilli(676051)
	if n := g.Send(extensionsapi.Invoke, extensionsapi.InvokeEvent("3da1f2dc", "arn:x", "Root=1", deadline)); n != 2 {
		t.Errorf("sent to %d", n)
	}
	want := `{"eventType":"INVOKE","deadlineMs":676051,"requestId":"3da1f2dc","invokedFunctionArn":"arn:x","tracing":{"type":"X-Amzn-Trace-Id","value":"Root=1"}}`
	if got := <-a; got != want {
		t.Error(got)
	}
	if got := <-b; got != want {
		t.Error(got)
	}
	resting := g.Resting()
	a = next(id)
	if closed(resting) {
		t.Error("one is still busy")
	}
	b = next(inner)
	await(t, resting)
	if n := g.Send(extensionsapi.Shutdown, extensionsapi.ShutdownEvent("spindown", deadline)); n != 1 {
		t.Errorf("sent to %d", n)
	}
	if got := <-a; got != `{"eventType":"SHUTDOWN","shutdownReason":"spindown","deadlineMs":676051}` {
		t.Error(got)
	}
	g.Close()
	if got := <-b; !strings.Contains(got, "Extension.InvalidExtensionState") {
		t.Error(got)
	}
}

func TestErrorsOfExtensions(t *testing.T) {
	for path, kind := range map[string]string{"init/error": "Extension.InitError", "exit/error": "Extension.ExitError"} {
		g, url := server(t)
		id := register(t, url, "inner", "")
		if r, body := request(t, "POST", url+path, "{}", "Lambda-Extension-Identifier", id); r.StatusCode != 403 || !strings.Contains(body, "Extension.MissingHeader") {
			t.Errorf("without a type: %d %s", r.StatusCode, body)
		}
		if r, body := request(t, "POST", url+path, "{}", "Lambda-Extension-Identifier", id, "Lambda-Extension-Function-Error-Type", "Mine.X"); r.StatusCode != 202 || body != `{"status":"OK"}` {
			t.Errorf("%d %s", r.StatusCode, body)
		}
		if f := <-g.Failed(); f != (extensionsapi.Failure{Extension: "inner", Type: kind, Reported: "Mine.X"}) {
			t.Errorf("%+v", f)
		}
	}
}

func TestIdentifiers(t *testing.T) {
	_, url := server(t)
	for id, want := range map[string]string{
		"":                                     "Extension.MissingExtensionIdentifier",
		"no-uuid":                              "Extension.InvalidExtensionIdentifier",
		"11111111-1111-4111-8111-111111111111": "Extension.UnknownExtensionIdentifier",
	} {
		if r, body := request(t, "GET", url+"event/next", "", "Lambda-Extension-Identifier", id); r.StatusCode != 403 || !strings.Contains(body, want) {
			t.Errorf("%q: %d %s", id, r.StatusCode, body)
		}
	}
	for _, c := range []struct {
		method, path string
		status       int
	}{{"GET", "register", 405}, {"POST", "event/next", 405}, {"POST", "nothing", 404}} {
		if r, _ := request(t, c.method, url+c.path, ""); r.StatusCode != c.status {
			t.Errorf("%s %s: %d", c.method, c.path, r.StatusCode)
		}
	}
}
