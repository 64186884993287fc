package lambda

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
	"cirro/internal/store"
)

// route is where the invocations of a function go that name it in one way, computed once: with a
// route at hand an invocation needs nothing of the store.
type route struct {
	reference
	invokedARN string
	load       *functionLoad
	account    *accountLoad
	limits     limits
	main       *executable
	other      *executable // an alias's additional version, which gets weight of the invocations
	weight     float64
	events     eventInvoke // how asynchronous invocations are treated
	lineageID  string      // the function in a lineage
	mayLoop    bool        // the function may call itself in a circle

	counter *atomic.Uint64 // of the changes of the function
	seen    uint64         // the counter's value when the route was computed
}

// executable is one version, ready to run.
type executable struct {
	*version
	onDemand, prepared *sandbox.Spec
	allotment          *allotment // of environments kept ready, nil for none
	refused            error      // why it cannot run now
}

// pick is the version that one invocation runs.
func (r *route) pick() *executable {
	if r.other != nil && rand.Float64() < r.weight {
		return r.other
	}
	return r.main
}

// qualifier is the one that settings of the route are kept under.
func (r *route) qualifier() string {
	if r.Qualifier == "" {
		return latest
	}
	return r.Qualifier
}

// routes keeps the routes that were taken, by what the caller named.
type routes struct {
	byName    sync.Map // routeKey to *route
	functions sync.Map // functionID to *functionLoad
	accounts  sync.Map // scope to *accountLoad
}

// routeKey is a function as a request in a scope names it.
type routeKey struct {
	scope
	name, qualifier string
}

type functionID struct {
	scope
	name string
}

// route finds where an invocation goes, or AWS's error.
func (s *Service) route(ctx context.Context, in scope, name, qualifier string) (*route, error) {
	key := routeKey{in, name, qualifier}
	if r, ok := s.routes.byName.Load(key); ok {
		if r := r.(*route); r.counter.Load() == r.seen {
			return r, nil
		}
	}
	r, err := s.newRoute(ctx, in, name, qualifier)
	if err != nil {
		s.routes.byName.Delete(key)
		return nil, err
	}
	s.routes.byName.Store(key, r)
	return r, nil
}

func (s *Service) newRoute(ctx context.Context, in scope, name, qualifier string) (*route, error) {
	ref, err := refer(in, name, qualifier)
	if err != nil {
		return nil, err
	}
	r := &route{reference: ref, invokedARN: ref.ARN(), counter: s.watched.changes.of(ref.scope, ref.Name)}
	r.seen = r.counter.Load() // before the records are read: a change in between is noticed at the next call
	var found *records
	err = s.Store.View(ctx, func(view store.Reader) error {
		found, err = readRecords(view, ref)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.limits, r.events = found.limits(), found.events
	r.lineageID, r.mayLoop = lineageID(ref.arn("function", ref.Name)), found.function.Recursive == api.RecursiveLoopAllow
	r.load = s.loadOf(ref)
	r.account = s.accountOf(ref.scope)
	if r.main, err = s.executable(ctx, found.main); err != nil {
		return nil, err
	}
	r.main.allotment = found.allotment(r.load, r.main.Number)
	if found.other != nil {
		r.weight = found.weight
		if r.other, err = s.executable(ctx, found.other); err != nil {
			return nil, err
		}
		r.other.allotment = found.allotment(r.load, r.other.Number)
	}
	return r, nil
}

func (s *Service) loadOf(ref reference) *functionLoad {
	id := functionID{ref.scope, ref.Name}
	if l, ok := s.routes.functions.Load(id); ok {
		return l.(*functionLoad)
	}
	l, _ := s.routes.functions.LoadOrStore(id, &functionLoad{})
	return l.(*functionLoad)
}

// executable makes a version ready to run, as far as its state lets it.
func (s *Service) executable(ctx context.Context, v *version) (*executable, error) {
	e := &executable{version: v}
	if v.State != api.StateActive {
		e.refused = conflict("The operation cannot be performed at this time. "+
			"The function is currently in the following state: %s", v.State)
		return e, nil
	}
	kind := onDemand
	if v.snapStarts() {
		kind = snapStart
	}
	var err error
	if e.onDemand, err = s.spec(ctx, v, kind); err != nil {
		return nil, err
	}
	if e.prepared, err = s.spec(ctx, v, prepared); err != nil {
		return nil, err
	}
	return e, nil
}

// records are those that a route is made from.
type records struct {
	function    function
	main, other *version
	weight      float64
	provisioned []provisioned // of all the function's versions and aliases
	qualifier   string
	events      eventInvoke
}

func readRecords(view store.Reader, ref reference) (*records, error) {
	// AWS names $LATEST here where the caller named no version.
	missing := notFound("Function not found: %s", ref.ARN())
	rec := &records{qualifier: ref.Qualifier}
	if rec.qualifier == "" {
		rec.qualifier = latest
		missing = notFound("Function not found: %s:%s", ref.ARN(), latest)
	}
	var err error
	var found bool
	if rec.function, found, err = store.GetRecord[function](view, functionKey(ref.scope, ref.Name)); err != nil || !found {
		return nil, orMissing(err, missing)
	}
	number, other := rec.qualifier, ""
	if versionNumber(number) < 0 {
		a, found, err := store.GetRecord[alias](view, aliasKey(ref.scope, ref.Name, number))
		if err != nil || !found {
			return nil, orMissing(err, missing)
		}
		number = a.Version
		for n, weight := range a.Weights { // AWS allows one
			other, rec.weight = n, weight
		}
	}
	if rec.main, err = readVersion(view, ref, number, missing); err != nil {
		return nil, err
	}
	if other != "" {
		if rec.other, err = readVersion(view, ref, other, missing); err != nil {
			return nil, err
		}
	}
	for p, err := range store.Records[provisioned](view, store.Prefix("lambda", "provisioned", ref.Account, ref.Region, ref.Name)) {
		if err != nil {
			return nil, err
		}
		rec.provisioned = append(rec.provisioned, p)
	}
	rec.events, _, err = store.GetRecord[eventInvoke](view, eventInvokeKey(ref.scope, ref.Name, rec.qualifier))
	return rec, err
}

func readVersion(view store.Reader, ref reference, number string, missing error) (*version, error) {
	v, found, err := store.GetRecord[version](view, versionKey(ref.scope, ref.Name, number))
	if err != nil || !found {
		return nil, orMissing(err, missing)
	}
	return &v, nil
}

func orMissing(err, missing error) error {
	if err != nil {
		return err
	}
	return missing
}

// limits are those of the function's concurrency. What is ready is taken off a reservation; what is not
// ready yet, after a start for example, may run on demand until it is.
func (rec *records) limits() limits {
	var l limits
	var ready int64
	for _, p := range rec.provisioned {
		ready += int64(p.Available)
	}
	if rec.function.Reserved != nil {
		l.reserved, l.off, l.all = true, *rec.function.Reserved == 0, int64(*rec.function.Reserved)
		l.onDemand = max(0, l.all-ready)
	}
	return l
}

// allotment is what is ready of a version for those who come this way: what is kept for the name that
// they use, or else for the version itself.
func (rec *records) allotment(l *functionLoad, number string) *allotment {
	for _, qualifier := range []string{rec.qualifier, number} {
		for _, p := range rec.provisioned {
			if ready := p.Ready[number]; p.Qualifier == qualifier && ready > 0 {
				load := l.preparedFor(qualifier)
				return &allotment{load: load, version: load.version(number), ready: int64(ready), all: int64(p.Available)}
			}
		}
	}
	return nil
}

// accountLoad is what runs of the functions of an account without reserved concurrency, and how much
// of it may.
type accountLoad struct {
	scope
	running usage
	quota   atomic.Pointer[quota]
}

type quota struct {
	seen       uint64
	unreserved int64
}

func (s *Service) accountOf(in scope) *accountLoad {
	if a, ok := s.routes.accounts.Load(in); ok {
		return a.(*accountLoad)
	}
	a, _ := s.routes.accounts.LoadOrStore(in, &accountLoad{scope: in})
	return a.(*accountLoad)
}

// unreserved is how much concurrency an account's functions share that have none reserved: all but
// what is reserved, and kept ready for functions without a reservation.
func (s *Service) unreserved(ctx context.Context, a *accountLoad) (int64, error) {
	changes := &s.watched.changes.quotas
	if q := a.quota.Load(); q != nil && q.seen == changes.Load() {
		return q.unreserved, nil
	}
	q := &quota{seen: changes.Load(), unreserved: int64(s.Concurrency)}
	err := s.Store.View(ctx, func(view store.Reader) error {
		use, err := concurrencyOf(view, a.scope)
		q.unreserved -= int64(use.reserved + use.apart)
		return err
	})
	if err != nil {
		return 0, err
	}
	a.quota.Store(q)
	return q.unreserved, nil
}

// permitted would check that the function's resource policy lets a service, or another account, invoke
// it. Policies are recorded and not enforced: this is the one place where they will be.
// https://docs.aws.amazon.com/lambda/latest/dg/access-control-resource-based.html
func (s *Service) permitted(*route, awsapi.Principal) error { return nil }
