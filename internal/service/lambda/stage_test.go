package lambda

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/blob"
	"cirro/internal/sandbox"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

// stage is the service over a real store, with functions that the test plays.
type stage struct {
	*Service
	t     testing.TB
	store store.Store
	blobs *memoryBlobs
	ctx   context.Context
}

// play is what a function does.
type play func(ctx context.Context, spec *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error)

func echo(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
	return &sandbox.Result{Payload: inv.Payload, LogTail: []byte("START\nEND\n")}, nil
}

func newStage(t testing.TB, p play, change ...func(*Deps)) *stage {
	t.Helper()
	st, err := pebble.Open(t.TempDir(), pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return newStageOver(t, st, &memoryBlobs{}, p, change...)
}

func newStageOver(t testing.TB, st store.Store, blobs *memoryBlobs, p play, change ...func(*Deps)) *stage {
	t.Helper()
	d := Deps{Store: st, Blobs: blobs, Dir: t.TempDir(), Runner: player{p}, RetryScale: 0.0001,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	for _, f := range change {
		f(&d)
	}
	s, err := New(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	s.Start(context.Background())
	return &stage{Service: s, t: t, store: st, blobs: blobs, ctx: requestContext("00000000-0000-4000-8000-000000000001")}
}

func requestContext(id string) context.Context {
	return awsapi.WithRequest(context.Background(), &awsapi.Request{ID: id, Region: "us-east-1", Endpoint: "http://127.0.0.1:4566",
		Principal: awsapi.Principal{Account: "000000000000", ARN: "arn:aws:iam::000000000000:root"}, Time: time.Now()})
}

// function makes a function and waits until it is active.
func (s *stage) function(name string, change ...func(*api.CreateFunctionRequest)) {
	s.t.Helper()
	in := &api.CreateFunctionRequest{FunctionName: &name, Runtime: new("python3.12"), Handler: new("app.handler"),
		Role: new("arn:aws:iam::000000000000:role/r"), Code: &api.FunctionCode{ZipFile: zipOf(s.t, "app.py", "x = 1")}}
	for _, f := range change {
		f(in)
	}
	if _, err := s.CreateFunction(s.ctx, in); err != nil {
		s.t.Fatal(err)
	}
	s.active(name)
}

func (s *stage) active(name string) {
	s.t.Helper()
	s.eventually("the function to be active", func() bool {
		c, err := s.GetFunctionConfiguration(s.ctx, &api.GetFunctionConfigurationRequest{FunctionName: &name})
		return err == nil && awsapi.Val(c.State) == api.StateActive && awsapi.Val(c.LastUpdateStatus) == api.LastUpdateStatusSuccessful
	})
}

func (s *stage) eventually(what string, ok func() bool) {
	s.t.Helper()
	for until := time.Now().Add(2 * time.Minute); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("waited in vain for %s", what)
}

func (s *stage) invoke(name, payload string) (*api.InvocationResponse, error) {
	return s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: &name, Payload: []byte(payload)})
}

func (s *stage) send(name, payload string) {
	s.t.Helper()
	out, err := s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: &name, Payload: []byte(payload), InvocationType: new("Event")})
	if err != nil || *out.StatusCode != 202 {
		s.t.Fatal(out, err)
	}
}

func zipOf(t testing.TB, file, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(file)
	if err == nil {
		_, err = w.Write([]byte(content))
	}
	if err := errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// player is a Runner that runs nothing.
type player struct{ play }

func (p player) Invoke(ctx context.Context, s *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
	return p.play(ctx, s, inv)
}

func (player) Prepare(_ context.Context, _ *sandbox.Spec, n int) (int, error) { return n, nil }
func (player) Retire(string)                                                  {}
func (player) Close() error                                                   { return nil }

// memoryBlobs is a blob store in memory.
type memoryBlobs struct{ bodies sync.Map }

func (m *memoryBlobs) Put(_ context.Context, key string, r io.Reader) (int64, error) {
	b, err := io.ReadAll(r)
	m.bodies.Store(key, b)
	return int64(len(b)), err
}

func (m *memoryBlobs) Get(_ context.Context, key string) (io.ReadSeekCloser, int64, error) {
	b, ok := m.bodies.Load(key)
	if !ok {
		return nil, 0, blob.ErrNotFound
	}
	return readCloser{bytes.NewReader(b.([]byte))}, int64(len(b.([]byte))), nil
}

func (m *memoryBlobs) Range(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	body, _, err := m.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return io.NopCloser(io.NewSectionReader(body.(readCloser), offset, length)), nil
}

func (m *memoryBlobs) Delete(_ context.Context, key string) error {
	m.bodies.Delete(key)
	return nil
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
