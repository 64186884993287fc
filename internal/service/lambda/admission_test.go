package lambda

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
)

// reserve sets a function's reserved concurrency.
func (s *stage) reserve(name string, n int32) {
	s.t.Helper()
	if _, err := s.PutFunctionConcurrency(s.ctx, &api.PutFunctionConcurrencyRequest{FunctionName: &name, ReservedConcurrentExecutions: &n}); err != nil {
		s.t.Fatal(err)
	}
}

// blocker is a play whose invocations last until they are let go.
type blocker struct {
	running atomic.Int64
	most    atomic.Int64
	release chan struct{}
}

func newBlocker() *blocker { return &blocker{release: make(chan struct{})} }

func (b *blocker) play(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
	n := b.running.Add(1)
	defer b.running.Add(-1)
	for most := b.most.Load(); n > most && !b.most.CompareAndSwap(most, n); most = b.most.Load() {
	}
	<-b.release
	return &sandbox.Result{Payload: inv.Payload}, nil
}

func reasonOf(err error) string {
	var e *awsapi.Error
	if !errors.As(err, &e) || !errors.Is(e, api.TooManyRequestsException) || e.Message != "Rate Exceeded." || e.Fields["Type"] != "User" {
		return fmt.Sprint(err)
	}
	return fmt.Sprint(e.Fields["Reason"])
}

// flood invokes a function n times at once, lets those that run go once all others are answered, and
// counts the answers.
func (s *stage) flood(b *blocker, name string, n, expected int) map[string]int {
	s.t.Helper()
	answers := make(chan string, n)
	for range n {
		go func() {
			_, err := s.invoke(name, "{}")
			if err != nil {
				answers <- reasonOf(err)
				return
			}
			answers <- ""
		}()
	}
	count := map[string]int{}
	for range n - expected {
		count[<-answers]++
	}
	close(b.release)
	for range expected {
		count[<-answers]++
	}
	return count
}

func TestReservedConcurrency(t *testing.T) {
	b := newBlocker()
	s := newStage(t, b.play)
	s.function("f")
	s.reserve("f", 3)
	got := s.flood(b, "f", 20, 3)
	if got[""] != 3 || got["ReservedFunctionConcurrentInvocationLimitExceeded"] != 17 || b.most.Load() != 3 {
		t.Errorf("%v, %d at once", got, b.most.Load())
	}
	if _, err := s.invoke("f", "{}"); err != nil {
		t.Errorf("after the flood: %v", err)
	}
	s.reserve("f", 0)
	if _, err := s.invoke("f", "{}"); reasonOf(err) != "ReservedFunctionConcurrentInvocationLimitExceeded" {
		t.Errorf("with none: %v", err)
	}
	if _, err := s.DeleteFunctionConcurrency(s.ctx, &api.DeleteFunctionConcurrencyRequest{FunctionName: new("f")}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.invoke("f", "{}"); err != nil {
		t.Errorf("without a reservation: %v", err)
	}
}

func TestAccountConcurrency(t *testing.T) {
	b := newBlocker()
	s := newStage(t, b.play, func(d *Deps) { d.Concurrency = 105 })
	s.function("f")
	s.function("apart")
	s.reserve("apart", 2)
	got := s.flood(b, "f", 150, 103)
	if got[""] != 103 || got["ConcurrentInvocationLimitExceeded"] != 47 {
		t.Errorf("%v", got)
	}
	if _, err := s.invoke("apart", "{}"); err != nil {
		t.Errorf("what is reserved: %v", err)
	}
}

func TestProvisionedConcurrency(t *testing.T) {
	kinds := make(chan string, 100)
	b := newBlocker()
	s := newStage(t, func(ctx context.Context, spec *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		kinds <- spec.InitializationType
		return b.play(ctx, spec, inv)
	})
	s.function("f", func(in *api.CreateFunctionRequest) { in.Publish = new(true) })
	if _, err := s.PutProvisionedConcurrencyConfig(s.ctx, &api.PutProvisionedConcurrencyConfigRequest{FunctionName: new("f"),
		Qualifier: new("1"), ProvisionedConcurrentExecutions: new(int32(2))}); err != nil {
		t.Fatal(err)
	}
	s.eventually("environments to be ready", func() bool {
		c, err := s.GetProvisionedConcurrencyConfig(s.ctx, &api.GetProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: new("1")})
		return err == nil && *c.Status == "READY"
	})
	s.reserve("f", 3)
	got := s.flood(b, "f:1", 10, 3)
	if got[""] != 3 || got["ReservedFunctionConcurrentInvocationLimitExceeded"] != 7 {
		t.Errorf("%v", got)
	}
	count := map[string]int{}
	for range len(kinds) {
		count[<-kinds]++
	}
	if count["provisioned-concurrency"] != 2 || count["on-demand"] != 1 {
		t.Errorf("environments: %v", count)
	}
	s.reserve("f", 2) // all of it kept ready for version 1
	if _, err := s.invoke("f", "{}"); reasonOf(err) != "ReservedFunctionConcurrentInvocationLimitExceeded" {
		t.Errorf("$LATEST beside it: %v", err)
	}
}

func TestScaling(t *testing.T) {
	now := time.Unix(1000, 0)
	clock := func() time.Time { return now }
	var s scaling
	for _, c := range []struct {
		after time.Duration
		n     int64
		want  bool
	}{
		{0, 1000, true}, {0, 1001, false}, {0, 500, true}, {0, 1000, true},
		{time.Second, 1100, true}, {0, 1101, false}, {10 * time.Millisecond, 1101, true},
		{time.Hour, 2101, true}, {0, 2102, false},
	} {
		now = now.Add(c.after)
		if got := s.reach(c.n, clock); got != c.want {
			t.Errorf("%d after %v: %v", c.n, c.after, got)
		}
	}
}

func TestScalingRefusal(t *testing.T) {
	var load functionLoad
	var account usage
	now := time.Now
	load.scaling.tokens, load.scaling.at = 1, time.Now().Add(time.Hour)
	first, reason := admit(&load, &limits{}, nil, &account, 10, now)
	if reason != "" {
		t.Fatal(reason)
	}
	if _, reason = admit(&load, &limits{}, nil, &account, 10, now); reason != "FunctionInvocationRateLimitExceeded" {
		t.Errorf("reason %q", reason)
	}
	first.release()
	if account.Load() != 0 || load.onDemand.Load() != 0 {
		t.Errorf("left over: %d, %d", account.Load(), load.onDemand.Load())
	}
}

// Whatever happens, permits never exceed the limits and none is lost.
func TestAdmissionHistories(t *testing.T) {
	var account usage
	var accountNow, accountMost atomic.Int64
	type player struct {
		load  functionLoad
		lim   limits
		ready *allotment
		now   atomic.Int64
		most  atomic.Int64
	}
	players := []*player{{}, {}, {lim: limits{reserved: true, all: 3, onDemand: 3}}, {lim: limits{reserved: true, all: 2, onDemand: 1}}}
	last := players[len(players)-1]
	kept := last.load.preparedFor("1")
	last.ready = &allotment{load: kept, version: kept.version("1"), ready: 2, all: 2}
	raise := func(now, most *atomic.Int64, by int64) {
		n := now.Add(by)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
	}
	const unreserved = 5
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for range 3000 {
				p := players[r.IntN(len(players))]
				permit, reason := admit(&p.load, &p.lim, p.ready, &account, unreserved, time.Now)
				if reason != "" {
					continue
				}
				raise(&p.now, &p.most, 1)
				if permit.counted[0] == &account {
					raise(&accountNow, &accountMost, 1)
				}
				if r.IntN(4) == 0 {
					time.Sleep(time.Microsecond)
				}
				if permit.counted[0] == &account {
					accountNow.Add(-1)
				}
				p.now.Add(-1)
				permit.release()
			}
		})
	}
	wg.Wait()
	if accountMost.Load() > unreserved || account.Load() != 0 {
		t.Errorf("account: %d at most, %d left", accountMost.Load(), account.Load())
	}
	for i, p := range players {
		most := p.lim.all
		if !p.lim.reserved {
			most = unreserved
		}
		if p.most.Load() > most || p.load.onDemand.Load()+p.load.running.Load() != 0 || p.load.preparedFor("1").running.Load() != 0 {
			t.Errorf("function %d: %d at most, %d left", i, p.most.Load(), p.load.onDemand.Load())
		}
	}
}

func BenchmarkInvoke(b *testing.B) {
	s := newStage(b, func(_ context.Context, _ *sandbox.Spec, inv *sandbox.Invocation) (*sandbox.Result, error) {
		return &sandbox.Result{Payload: inv.Payload}, nil
	})
	s.function("f")
	in := &api.InvocationRequest{FunctionName: new("f"), Payload: []byte(`{"key1":"value1","key2":[1,2,3],"key3":{"a":null}}`)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Invoke(s.ctx, in); err != nil {
			b.Fatal(err)
		}
	}
}
