package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/blob/dir"
	"cirro/internal/sandbox"
	"cirro/internal/standing"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// rig is a service over a real store in a directory, which outlives it.
type rig struct {
	*Service
	t      *testing.T
	path   string
	store  store.Store
	runner *fakeRunner
	clock  *standing.Clock
}

// fakeRunner keeps account of what the control plane asks of a Runner.
type fakeRunner struct {
	sandbox.Runner
	mu       sync.Mutex
	prepared map[string]int    // by the ARN of a version
	specs    map[string]string // the ARN by the Spec's ID
	retired  []string
	refuse   error
}

func (r *fakeRunner) Prepare(_ context.Context, s *sandbox.Spec, n int) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil && n > 0 {
		return 0, r.refuse
	}
	r.prepared[s.ARN], r.specs[s.ID] = n, s.ARN
	return n, nil
}

func (r *fakeRunner) Retire(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.retired = append(r.retired, id)
	delete(r.prepared, r.specs[id])
}

func (r *fakeRunner) ready(arn string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.prepared[arn]
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, path: t.TempDir(), clock: standing.At(time.Date(2024, 5, 6, 7, 8, 9, 123e6, time.UTC))}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	r.t.Helper()
	st, err := pebble.Open(filepath.Join(r.path, "store"), pebble.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	blobs, err := dir.Open(filepath.Join(r.path, "blobs"))
	if err != nil {
		r.t.Fatal(err)
	}
	r.store, r.runner = st, &fakeRunner{prepared: map[string]int{}, specs: map[string]string{}}
	r.Service, err = New(Deps{Store: st, Blobs: blobs, Dir: filepath.Join(r.path, "functions"), Runner: r.runner,
		Clock: r.clock.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) close() {
	if err := errors.Join(r.Service.Close(), r.store.Close()); err != nil {
		r.t.Error(err)
	}
}

// restart closes the service and opens it again over what it stored.
func (r *rig) restart() {
	r.t.Helper()
	r.close()
	r.open()
	r.Start(r.t.Context())
}

const (
	account = "000000000000"
	region  = "us-east-1"
	role    = "arn:aws:iam::000000000000:role/test"
)

// as is a request of an account in a region.
func as(t *testing.T, account, region string) context.Context {
	return awsapi.WithRequest(t.Context(), &awsapi.Request{ID: "r", Region: region, Endpoint: "http://127.0.0.1:4566",
		Principal: awsapi.Principal{Account: account, ARN: "arn:aws:iam::" + account + ":root"}})
}

func (r *rig) ctx() context.Context { return as(r.t, account, region) }

// packed makes a package of names and bodies by turns.
func packed(t testing.TB, files ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		w, err := z.Create(files[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// request asks for a function with the least there is to say of it.
func request(t testing.TB, name string) *api.CreateFunctionRequest {
	return &api.CreateFunctionRequest{FunctionName: &name, Runtime: new("python3.12"), Handler: new("app.handler"), Role: new(role),
		Code: &api.FunctionCode{ZipFile: packed(t, "app.py", "def handler(event, context): return '"+name+"'")}}
}

// create makes a function and waits until it is active.
func (r *rig) create(in *api.CreateFunctionRequest) *api.FunctionConfiguration {
	r.t.Helper()
	out, err := r.CreateFunction(r.ctx(), in)
	if err != nil {
		r.t.Fatal(err)
	}
	r.settle(*in.FunctionName)
	return out
}

func (r *rig) function(name string) { r.t.Helper(); r.create(request(r.t, name)) }

// settle waits until no version of a function is on its way to its state.
func (r *rig) settle(name string) {
	r.t.Helper()
	r.eventually("function "+name+" to settle", func() bool {
		waiting := false
		err := r.store.View(r.t.Context(), func(v store.Reader) error {
			for _, err := range v.Range(store.Prefix("lambda", "activation", account, region, name)) {
				if err != nil {
					return err
				}
				waiting = true
			}
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
		return !waiting
	})
}

func (r *rig) eventually(what string, check func() bool) {
	r.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !check() {
		if time.Now().After(deadline) {
			r.t.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// must fails the test for an error and returns the value otherwise.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// wantError fails the test unless err is of the kind and says what it should: the whole message, or
// its beginning where want ends in an ellipsis.
func wantError(t *testing.T, err error, kind *awsapi.ErrorType, want string) {
	t.Helper()
	var e *awsapi.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want %s: %s", err, kind.Code, want)
	}
	begins, partly := strings.CutSuffix(want, "…")
	if e.Type.Code != kind.Code || !(e.Message == want || partly && strings.HasPrefix(e.Message, begins)) {
		t.Errorf("got  %s: %s\nwant %s: %s", e.Type.Code, e.Message, kind.Code, want)
	}
}
