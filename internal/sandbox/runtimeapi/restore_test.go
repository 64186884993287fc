package runtimeapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRestore(t *testing.T) {
	p := NewRestore()
	s := httptest.NewServer(p)
	defer s.Close()
	answered := make(chan int, 1)
	report := func() (int, string) {
		r, err := http.NewRequest(http.MethodPost, s.URL+RestoreError, strings.NewReader(`{"errorType":"E"}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Lambda-Runtime-Function-Error-Type", "Runtime.AfterRestoreError")
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		var body struct{ Status, ErrorType string }
		json.NewDecoder(a.Body).Decode(&body)
		return a.StatusCode, body.Status + body.ErrorType
	}
	go func() {
		a, err := http.Get(s.URL + RestoreNext)
		if err != nil {
			answered <- 0
			return
		}
		a.Body.Close()
		answered <- a.StatusCode
	}()
	<-p.Reached()
	if status, body := report(); status != http.StatusForbidden || body != "InvalidStateTransition" {
		t.Errorf("an error before the restore: %d %s", status, body)
	}
	select {
	case status := <-answered:
		t.Fatalf("answered %d before the restore", status)
	default:
	}
	p.Release()
	p.Release()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("answered %d", status)
	}
	if status, body := report(); status != http.StatusAccepted || body != "OK" {
		t.Errorf("an error after the restore: %d %s", status, body)
	}
	if f := <-p.Failed(); f.Type != "Runtime.AfterRestoreError" || string(f.Body) != `{"errorType":"E"}` {
		t.Errorf("failed with %s: %s", f.Type, f.Body)
	}
	for path, method := range map[string]string{RestoreNext: http.MethodPost, RestoreError: http.MethodGet} {
		r, err := http.NewRequest(method, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s %s: %d", method, path, a.StatusCode)
		}
	}
}

func TestServeCredentials(t *testing.T) {
	expires := time.Date(2026, 11, 24, 10, 0, 0, 5e8, time.FixedZone("", 3600))
	issue := func() Credentials { return Credentials{"ASIA", "secret", "session", expires} }
	for _, c := range []struct {
		method, token string
		status        int
		body          string
	}{
		{http.MethodGet, "t0ken", 200, `{"AccessKeyId":"ASIA","SecretAccessKey":"secret","Token":"session","Expiration":"2026-11-24T09:00:00Z"}`},
		{http.MethodGet, "t0keN", 404, "cannot get credentials for the provided token\n"},
		{http.MethodGet, "", 404, "cannot get credentials for the provided token\n"},
		{http.MethodPost, "t0ken", 405, "\n"},
	} {
		r := httptest.NewRequest(c.method, CredentialsPath, nil)
		r.Header.Set("Authorization", c.token)
		w := httptest.NewRecorder()
		ServeCredentials(w, r, "t0ken", issue)
		if w.Code != c.status || w.Body.String() != c.body {
			t.Errorf("%s with %q: %d %s", c.method, c.token, w.Code, w.Body)
		}
	}
}
