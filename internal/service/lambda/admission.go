package lambda

import (
	"sync"
	"sync/atomic"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// accountConcurrency is how many invocations of an account run at once in a region, and burst how many
// more environments a function may get in ten seconds.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
const (
	accountConcurrency = 1000
	burst              = 1000
	burstRefill        = burst / 10 // a second
)

// throttled answers an invocation that may not run now. The reason is one of the model's.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
func throttled(reason string) error {
	return api.TooManyRequestsException.New("Rate Exceeded.").With("Reason", reason).With("Type", "User")
}

// usage counts what runs now, at most to a limit given at each call. It needs no lock.
type usage struct{ atomic.Int64 }

// take counts one more unless there are limit.
func (u *usage) take(limit int64) bool {
	for {
		n := u.Load()
		if n >= limit {
			return false
		}
		if u.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// functionLoad is what runs of one function.
type functionLoad struct {
	running  usage // in all environments, of a function with reserved concurrency
	onDemand usage
	scaling  scaling
	prepared sync.Map // qualifier to *preparedLoad
	waiting  usage    // asynchronous invocations held back until there is room
}

// preparedFor is what runs in the environments that are kept ready for a version or an alias.
func (l *functionLoad) preparedFor(qualifier string) *preparedLoad {
	if p, ok := l.prepared.Load(qualifier); ok {
		return p.(*preparedLoad)
	}
	p, _ := l.prepared.LoadOrStore(qualifier, &preparedLoad{})
	return p.(*preparedLoad)
}

// limits bound a function's concurrency. Those of a function with reserved concurrency are its own;
// all others of an account share what is left.
type limits struct {
	reserved bool
	off      bool  // nothing is reserved: the function may not run
	all      int64 // how many are reserved
	onDemand int64 // how many of them may run in environments made on demand; those left are for what is ready
}

// permit is the right to run one invocation. It must be released once.
type permit struct {
	counted   [2]*usage  // what it is counted in, as far as it is
	allotment *allotment // the environments kept ready that it runs in, nil for one made on demand
}

func (p permit) release() {
	if p.allotment != nil {
		p.allotment.leave()
	}
	for _, u := range p.counted {
		if u != nil {
			u.Add(-1)
		}
	}
}

// admit lets an invocation run or says why it may not: an environment kept ready comes first, then one
// made on demand within the function's reservation or what is left of the account's.
func admit(l *functionLoad, lim *limits, ready *allotment, account *usage, unreserved int64, now func() time.Time) (p permit, reason string) {
	if lim.reserved {
		if !l.running.take(lim.all) {
			return permit{}, api.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded
		}
		p.counted[0] = &l.running
	}
	if ready != nil && ready.enter() {
		p.allotment = ready
		return p, ""
	}
	if lim.reserved {
		if !l.onDemand.take(lim.onDemand) {
			p.release()
			return permit{}, api.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded
		}
	} else {
		if !account.take(unreserved) {
			return permit{}, api.ThrottleReasonConcurrentInvocationLimitExceeded
		}
		l.onDemand.Add(1)
		p.counted[0] = account
	}
	p.counted[1] = &l.onDemand
	if !l.scaling.reach(l.onDemand.Load(), now) {
		p.release()
		return permit{}, api.ThrottleReasonFunctionInvocationRateLimitExceeded
	}
	return p, ""
}

// scaling bounds how fast a function's concurrency grows: a bucket of tokens, one for each
// environment more than it ever had.
// https://docs.aws.amazon.com/lambda/latest/dg/scaling-behavior.html
type scaling struct {
	reached atomic.Int64
	mu      sync.Mutex
	tokens  float64
	at      time.Time // of the last refill; zero for a full bucket
}

// reach lets the concurrency be n, or refuses.
func (s *scaling) reach(n int64, now func() time.Time) bool {
	if n <= s.reached.Load() {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	reached := s.reached.Load()
	if n <= reached {
		return true
	}
	t := now()
	if s.at.IsZero() {
		s.tokens = burst
	} else {
		s.tokens = min(burst, s.tokens+burstRefill*max(0, t.Sub(s.at).Seconds()))
	}
	s.at = t
	if need := float64(n - reached); s.tokens < need {
		return false
	}
	s.tokens -= float64(n - reached)
	s.reached.Store(n)
	return true
}
