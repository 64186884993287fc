package lambda

import (
	"context"
	"errors"
	"sync"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// photographer is a Runner that takes snapshots as the test says.
type photographer struct {
	player
	take func(ctx context.Context, s *sandbox.Spec) error

	lock    sync.Mutex
	retired []string
}

func (p *photographer) Snapshot(ctx context.Context, s *sandbox.Spec) error { return p.take(ctx, s) }

func (p *photographer) Retire(id string) {
	p.lock.Lock()
	defer p.lock.Unlock()
	p.retired = append(p.retired, id)
}

func newPhotographer(t *testing.T, play play, take func(context.Context, *sandbox.Spec) error) (*stage, *photographer) {
	p := &photographer{player: player{play}, take: take}
	return newStage(t, nil, func(d *Deps) { d.Runner = p }), p
}

func withSnapStart(in *api.CreateFunctionRequest) {
	in.SnapStart = &api.SnapStart{ApplyOn: new(api.SnapStartApplyOnPublishedVersions)}
}

// version waits until a version has a state, and returns it.
func (s *stage) version(name, number, state string) *api.FunctionConfiguration {
	s.t.Helper()
	var c *api.FunctionConfiguration
	s.eventually("version "+number+" to be "+state, func() bool {
		var err error
		c, err = s.GetFunctionConfiguration(s.ctx, &api.GetFunctionConfigurationRequest{FunctionName: &name, Qualifier: &number})
		return err == nil && awsapi.Val(c.State) == state
	})
	return c
}

func TestSnapStartVersions(t *testing.T) {
	let := make(chan struct{})
	var spec *sandbox.Spec
	play := func(_ context.Context, s *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{Payload: []byte(`"` + s.InitializationType + `"`)}, nil
	}
	s, p := newPhotographer(t, play, func(_ context.Context, s *sandbox.Spec) error {
		spec = s
		<-let
		return nil
	})
	s.function("f", withSnapStart)
	c := s.version("f", "$LATEST", api.StateActive)
	if *c.SnapStart.ApplyOn != "PublishedVersions" || *c.SnapStart.OptimizationStatus != "Off" {
		t.Errorf("$LATEST: %+v", c.SnapStart)
	}
	published, err := s.PublishVersion(s.ctx, &api.PublishVersionRequest{FunctionName: new("f"), Description: new("one")})
	if err != nil {
		t.Fatal(err)
	}
	if *published.State != api.StatePending || *published.StateReasonCode != api.StateReasonCodeCreating ||
		*published.StateReason != "The function is being created." {
		t.Errorf("published in the state %s: %s, %s", *published.State, *published.StateReasonCode, *published.StateReason)
	}
	invoke := func(qualifier string) (string, error) {
		out, err := s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: new("f"), Qualifier: &qualifier})
		if err != nil {
			return "", err
		}
		return string(out.Payload), nil
	}
	_, err = invoke("1")
	wantError(t, err, api.ResourceConflictException, "The operation cannot be performed at this time. The function is currently "+
		"in the following state: Pending")
	close(let)
	c = s.version("f", "1", api.StateActive)
	if *c.SnapStart.ApplyOn != "PublishedVersions" || *c.SnapStart.OptimizationStatus != "On" || *c.Description != "one" {
		t.Errorf("version: %+v, %s", c.SnapStart, *c.Description)
	}
	if !spec.SnapStart || spec.InitializationType != "snap-start" || spec.Version != "1" {
		t.Errorf("the snapshot is of %+v", spec)
	}
	for qualifier, want := range map[string]string{"1": `"snap-start"`, "$LATEST": `"on-demand"`} {
		if got, err := invoke(qualifier); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", qualifier, got, err, want)
		}
	}
	_, err = s.PutProvisionedConcurrencyConfig(s.ctx, &api.PutProvisionedConcurrencyConfigRequest{FunctionName: new("f"),
		Qualifier: new("1"), ProvisionedConcurrentExecutions: new(int32(1))})
	wantError(t, err, api.InvalidParameterValueException, "Provisioned Concurrency is not supported for SnapStart enabled functions.")
	if _, err := s.DeleteFunction(s.ctx, &api.DeleteFunctionRequest{FunctionName: new("f"), Qualifier: new("1")}); err != nil {
		t.Fatal(err)
	}
	p.lock.Lock()
	defer p.lock.Unlock()
	if len(p.retired) != 1 || p.retired[0] != spec.ID {
		t.Errorf("retired %v, want %s", p.retired, spec.ID)
	}
}

func TestSnapStartVersionsFail(t *testing.T) {
	for name, c := range map[string]struct {
		err          error
		reason, code string
	}{
		"initialisation": {&sandbox.InitError{Type: "Runtime.ImportModuleError", Body: []byte(`{"errorMessage":"no module"}`)},
			"The function's initialization failed: Runtime.ImportModuleError: no module", "FunctionError"},
		"timeout":  {&sandbox.InitError{Type: "Sandbox.Timedout", Timeout: true}, "The function's initialization timed out.", "FunctionError"},
		"platform": {errors.New("no disk"), "An internal error prevented the function from being made ready.", "InternalError"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := newPhotographer(t, echo, func(context.Context, *sandbox.Spec) error { return c.err })
			s.function("f", withSnapStart)
			if _, err := s.PublishVersion(s.ctx, &api.PublishVersionRequest{FunctionName: new("f")}); err != nil {
				t.Fatal(err)
			}
			v := s.version("f", "1", api.StateFailed)
			if *v.StateReason != c.reason || *v.StateReasonCode != c.code || *v.LastUpdateStatus != "Failed" ||
				*v.LastUpdateStatusReasonCode != c.code {
				t.Errorf("failed with %s: %s", *v.StateReasonCode, *v.StateReason)
			}
		})
	}
}

// A version that is deleted while its snapshot is taken does not keep it.
func TestSnapshotOfADeletedVersion(t *testing.T) {
	taking, let := make(chan string, 1), make(chan struct{})
	s, p := newPhotographer(t, echo, func(_ context.Context, s *sandbox.Spec) error {
		taking <- s.ID
		<-let
		return nil
	})
	s.function("f", withSnapStart)
	if _, err := s.PublishVersion(s.ctx, &api.PublishVersionRequest{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	id := <-taking
	if _, err := s.DeleteFunction(s.ctx, &api.DeleteFunctionRequest{FunctionName: new("f"), Qualifier: new("1")}); err != nil {
		t.Fatal(err)
	}
	close(let)
	s.eventually("its snapshot to go", func() bool {
		p.lock.Lock()
		defer p.lock.Unlock()
		return len(p.retired) == 2 && p.retired[1] == id
	})
}

func TestRestoreFailures(t *testing.T) {
	var failure *sandbox.RestoreError
	s := newStage(t, func(context.Context, *sandbox.Spec, *sandbox.Invocation) (*sandbox.Result, error) {
		return nil, failure
	})
	s.function("f")
	failure = &sandbox.RestoreError{Type: "Sandbox.Timedout", Timeout: true}
	_, err := s.invoke("f", "{}")
	wantError(t, err, api.SnapStartTimeoutException, "Lambda couldn't restore the snapshot within the timeout limit.")
	failure = &sandbox.RestoreError{Type: "Runtime.AfterRestoreError"}
	_, err = s.invoke("f", "{}")
	wantError(t, err, api.SnapStartException, "The afterRestore() runtime hook encountered an error. For more information, "+
		"check the Amazon CloudWatch logs.")
}
