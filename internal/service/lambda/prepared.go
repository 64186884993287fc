package lambda

import (
	"sync"
	"sync/atomic"
)

// preparedLoad is what runs in the environments that are kept ready for one version or alias, and how
// much of them was in use whenever an invocation began: CloudWatch's ProvisionedConcurrencyUtilization.
// https://docs.aws.amazon.com/lambda/latest/dg/monitoring-concurrency.html
type preparedLoad struct {
	running  usage
	all      atomic.Int64 // environments, when they were last used
	versions sync.Map     // number to *usage

	sum, samples atomic.Uint64 // sum is in millionths
}

func (l *preparedLoad) version(number string) *usage {
	if u, ok := l.versions.Load(number); ok {
		return u.(*usage)
	}
	u, _ := l.versions.LoadOrStore(number, &usage{})
	return u.(*usage)
}

// sample notes how much is in use.
func (l *preparedLoad) sample(running int64) {
	if all := l.all.Load(); all > 0 {
		l.sum.Add(uint64(min(running, all) * millionths / all))
		l.samples.Add(1)
	}
}

const millionths = 1_000_000

// allotment is the environments of one version that are ready for those who invoke it by one name.
type allotment struct {
	load    *preparedLoad
	version *usage
	ready   int64 // of the version
	all     int64 // of all versions of the same configuration
}

// enter takes one, if one is free.
func (a *allotment) enter() bool {
	if !a.version.take(a.ready) {
		return false
	}
	a.load.all.Store(a.all)
	a.load.sample(a.load.running.Add(1))
	return true
}

func (a *allotment) leave() {
	a.load.running.Add(-1)
	a.version.Add(-1)
}

// ProvisionedUtilization returns two numbers that only ever grow while the platform runs: the sum of all
// samples of how much of the concurrency kept ready is in use, each from 0 to 1, and how many they are.
// One is taken when an invocation begins, and one at each call while any runs.
func (s *Service) ProvisionedUtilization(account, region, function, qualifier string) (sum float64, samples uint64) {
	l := s.loadOf(reference{scope: scope{account, region}, Name: function}).preparedFor(qualifier)
	if running := l.running.Load(); running > 0 {
		l.sample(running)
	}
	return float64(l.sum.Load()) / millionths, l.samples.Load()
}
