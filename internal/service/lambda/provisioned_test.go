package lambda

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// gatedPlayer is a player whose environments become ready when the gate opens.
type gatedPlayer struct {
	player
	gate chan struct{}
}

func (p gatedPlayer) Prepare(ctx context.Context, _ *sandbox.Spec, n int) (int, error) {
	select {
	case <-p.gate:
		return n, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// keepReady asks for environments of a version or an alias.
func (s *stage) keepReady(name, qualifier string, n int32) error {
	_, err := s.PutProvisionedConcurrencyConfig(s.ctx, &api.PutProvisionedConcurrencyConfigRequest{FunctionName: &name,
		Qualifier: &qualifier, ProvisionedConcurrentExecutions: &n})
	return err
}

// readiness is what there is of requested, available and status.
func (s *stage) readiness(name, qualifier string) string {
	c, err := s.GetProvisionedConcurrencyConfig(s.ctx, &api.GetProvisionedConcurrencyConfigRequest{FunctionName: &name, Qualifier: &qualifier})
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(*c.RequestedProvisionedConcurrentExecutions, " ", *c.AvailableProvisionedConcurrentExecutions, " ", *c.Status)
}

// used waits until invocations of f find so many environments kept ready. That is a moment after the
// store shows them.
func (s *stage) used(qualifier string, n int64) {
	s.t.Helper()
	s.eventually(fmt.Sprint(n, " environments for invocations"), func() bool {
		r, err := s.route(s.ctx, scope{"000000000000", "us-east-1"}, "f", qualifier)
		return err == nil && r.main.allotment != nil && r.main.allotment.all == n
	})
}

func (s *stage) point(name, alias, version string, weights map[string]float64) error {
	in := &api.UpdateAliasRequest{FunctionName: &name, Name: &alias, FunctionVersion: &version,
		RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: weights}}
	_, err := s.UpdateAlias(s.ctx, in)
	return err
}

// twoVersions makes f with the versions 1 and 2, and the alias live of 1.
func (s *stage) twoVersions() {
	s.t.Helper()
	s.function("f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	if _, err := s.UpdateFunctionConfiguration(s.ctx, &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Description: new("2")}); err != nil {
		s.t.Fatal(err)
	}
	s.active("f")
	if _, err := s.PublishVersion(s.ctx, &api.PublishVersionRequest{FunctionName: new("f")}); err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.CreateAlias(s.ctx, &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}); err != nil {
		s.t.Fatal(err)
	}
}

// kindOf runs a version of a route, and says in what environment. It ends when release is closed.
func (s *stage) kindOf(kinds chan string, pick func(*route) *executable) string {
	s.t.Helper()
	r, err := s.route(s.ctx, scope{"000000000000", "us-east-1"}, "f", "live")
	if err != nil {
		s.t.Fatal(err)
	}
	e := pick(r)
	go s.run(context.Background(), r, e, &sandbox.Invocation{})
	return <-kinds
}

// Each version of an alias has its share of what is kept ready.
func TestSharesOfAnAlias(t *testing.T) {
	kinds, release := make(chan string), make(chan struct{})
	s := newStage(t, func(_ context.Context, spec *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
		kinds <- spec.Version + " " + spec.InitializationType
		<-release
		return &sandbox.Result{}, nil
	})
	defer close(release)
	s.twoVersions()
	if err := s.point("f", "live", "2", map[string]float64{"1": 0.25}); err != nil {
		t.Fatal(err)
	}
	if err := s.keepReady("f", "live", 4); err != nil {
		t.Fatal(err)
	}
	s.eventually("four environments", func() bool { return s.readiness("f", "live") == "4 4 READY" })
	s.used("live", 4)
	other := func(r *route) *executable { return r.other }
	main := func(r *route) *executable { return r.main }
	for i, c := range []struct {
		pick func(*route) *executable
		want string
	}{
		{other, "1 provisioned-concurrency"}, {other, "1 on-demand"}, {main, "2 provisioned-concurrency"},
		{main, "2 provisioned-concurrency"}, {main, "2 provisioned-concurrency"}, {main, "2 on-demand"},
	} {
		if got := s.kindOf(kinds, c.pick); got != c.want {
			t.Errorf("%d: %s, want %s", i, got, c.want)
		}
	}
}

// While more environments are made, those that are there stay in use; those of another version do not.
func TestReadyWhileMoreAreMade(t *testing.T) {
	gate := make(chan struct{}, 10)
	var kinds sync.Map
	s := newStage(t, echo, func(d *Deps) {
		d.Runner = gatedPlayer{player{func(_ context.Context, spec *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
			kinds.Store(spec.Version+" "+spec.InitializationType, true)
			return &sandbox.Result{}, nil
		}}, gate}
	})
	s.twoVersions()
	ran := func(want string) bool {
		t.Helper()
		kinds.Clear()
		if _, err := s.Invoke(s.ctx, &api.InvocationRequest{FunctionName: new("f"), Qualifier: new("live")}); err != nil {
			t.Fatal(err)
		}
		_, ok := kinds.Load(want)
		return ok
	}
	runs := func(want string) {
		t.Helper()
		if !ran(want) {
			t.Errorf("it ran elsewhere than in %s", want)
		}
	}
	// What reads the store may see that environments are ready a moment before invocations do.
	soonRuns := func(want string) {
		t.Helper()
		s.eventually("an invocation in "+want, func() bool { return ran(want) })
	}
	if err := s.keepReady("f", "live", 2); err != nil {
		t.Fatal(err)
	}
	runs("1 on-demand")
	gate <- struct{}{}
	s.eventually("two environments", func() bool { return s.readiness("f", "live") == "2 2 READY" })
	soonRuns("1 provisioned-concurrency")
	if err := s.keepReady("f", "live", 3); err != nil {
		t.Fatal(err)
	}
	if got := s.readiness("f", "live"); got != "3 2 IN_PROGRESS" {
		t.Error(got)
	}
	runs("1 provisioned-concurrency")
	gate <- struct{}{}
	s.eventually("three environments", func() bool { return s.readiness("f", "live") == "3 3 READY" })
	if err := s.point("f", "live", "2", nil); err != nil {
		t.Fatal(err)
	}
	if got := s.readiness("f", "live"); got != "3 0 IN_PROGRESS" {
		t.Error(got)
	}
	runs("2 on-demand")
	gate <- struct{}{}
	s.eventually("three other environments", func() bool { return s.readiness("f", "live") == "3 3 READY" })
	soonRuns("2 provisioned-concurrency")
}

func TestAliasMovesThatAreRefused(t *testing.T) {
	s := newStage(t, echo)
	s.twoVersions()
	if err := errors.Join(s.keepReady("f", "live", 1), s.keepReady("f", "2", 1)); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.point("f", "live", "2", nil), api.ResourceConflictException,
		"Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
	wantError(t, s.point("f", "live", "$LATEST", map[string]float64{}), api.InvalidParameterValueException,
		"Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	if _, err := s.CreateAlias(s.ctx, &api.CreateAliasRequest{FunctionName: new("f"), Name: new("latest"), FunctionVersion: new("$LATEST")}); err != nil {
		t.Fatal(err)
	}
	wantError(t, s.keepReady("f", "latest", 1), api.InvalidParameterValueException,
		"Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	a, err := s.GetAlias(s.ctx, &api.GetAliasRequest{FunctionName: new("f"), Name: new("live")})
	if err != nil || awsapi.Val(a.FunctionVersion) != "1" {
		t.Errorf("refused, the alias has moved: %v, %v", a, err)
	}
}

func TestProvisionedUtilization(t *testing.T) {
	release, inside := make(chan struct{}), make(chan struct{})
	s := newStage(t, func(context.Context, *sandbox.Spec, *sandbox.Invocation) (*sandbox.Result, error) {
		inside <- struct{}{}
		<-release
		return &sandbox.Result{}, nil
	})
	s.function("f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	if err := s.keepReady("f", "1", 4); err != nil {
		t.Fatal(err)
	}
	s.eventually("four environments", func() bool { return s.readiness("f", "1") == "4 4 READY" })
	s.used("1", 4)
	read := func() string {
		sum, samples := s.ProvisionedUtilization("000000000000", "us-east-1", "f", "1")
		return fmt.Sprint(sum, samples)
	}
	if got := read(); got != "0 0" {
		t.Errorf("unused: %s", got)
	}
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() { s.invoke("f:1", "{}") })
		<-inside
	}
	if got := read(); got != "1.25 3" { // 1 of 4, 2 of 4, and 2 of 4 at the reading
		t.Errorf("two at once: %s", got)
	}
	close(release)
	all.Wait()
	if got := read(); got != "1.25 3" {
		t.Errorf("after them: %s", got)
	}
}

// What is reserved may run while the environments for it are still being made, and not more than that
// when they are there.
func TestReservedBeforeReady(t *testing.T) {
	gate, kinds, release := make(chan struct{}), make(chan string), make(chan struct{})
	s := newStage(t, nil, func(d *Deps) {
		d.Runner = gatedPlayer{player{func(_ context.Context, spec *sandbox.Spec, _ *sandbox.Invocation) (*sandbox.Result, error) {
			kinds <- spec.InitializationType
			<-release
			return &sandbox.Result{}, nil
		}}, gate}
	})
	s.function("f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	s.reserve("f", 2)
	if err := s.keepReady("f", "1", 2); err != nil {
		t.Fatal(err)
	}
	run := func(want string) {
		t.Helper()
		ended := make(chan string, 1)
		go func() {
			_, err := s.invoke("f:1", "{}")
			ended <- reasonOf(err)
		}()
		select {
		case got := <-kinds:
			if got != want {
				t.Errorf("ran in %s, not %s", got, want)
			}
		case got := <-ended:
			if got != want {
				t.Errorf("refused for %s, want %s", got, want)
			}
		}
	}
	run("on-demand")
	close(gate)
	s.eventually("two environments", func() bool { return s.readiness("f", "1") == "2 2 READY" })
	s.used("1", 2)
	run("provisioned-concurrency")
	run("ReservedFunctionConcurrentInvocationLimitExceeded") // one of the two is still on demand
	release <- struct{}{}
	release <- struct{}{}
	s.eventually("both to end", func() bool {
		return s.loadOf(reference{scope: scope{"000000000000", "us-east-1"}, Name: "f"}).running.Load() == 0
	})
	run("provisioned-concurrency")
	run("provisioned-concurrency")
	run("ReservedFunctionConcurrentInvocationLimitExceeded")
	close(release)
}

// stumblingPlayer is a player whose environments fail to start so many times.
type stumblingPlayer struct {
	player
	failures *atomic.Int64
}

func (p stumblingPlayer) Prepare(_ context.Context, _ *sandbox.Spec, n int) (int, error) {
	if p.failures.Add(-1) >= 0 {
		return 0, errors.New("initialization failed")
	}
	return n, nil
}

// An initialization that fails once is tried again; one that fails twice is given up.
func TestProvisioningTriesAgain(t *testing.T) {
	for failures, want := range map[int64]string{1: "3 3 READY", 2: "3 0 FAILED"} {
		left := &atomic.Int64{}
		left.Store(failures)
		s := newStage(t, nil, func(d *Deps) { d.Runner = stumblingPlayer{player{echo}, left} })
		s.function("f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
		if err := s.keepReady("f", "1", 3); err != nil {
			t.Fatal(err)
		}
		s.eventually("an end", func() bool { return s.readiness("f", "1") != "3 0 IN_PROGRESS" })
		if got := s.readiness("f", "1"); got != want {
			t.Errorf("after %d failures: %s, want %s", failures, got, want)
		}
	}
}
