package lambda

import (
	"math/rand/v2"

	"cirro/internal/store"
)

// target is what an invocation reaches.
type target struct {
	*version
	Owner     *function
	Alias     *alias // nil where the invocation names none
	Qualifier string // as the caller gave it, in the name or apart; "" for none
}

// InvokedARN is the ARN as the caller named the function: without a qualifier if there was none.
func (t *target) InvokedARN() string { return t.Owner.ARN(t.Qualifier) }

// resolve finds the version that an invocation of a function runs. The name may be a name, a partial
// or a whole ARN, and may hold the qualifier. An alias with weights picks one of its versions anew at
// each call.
func resolve(r store.Reader, account, region, nameOrARN, qualifier string) (*target, error) {
	ref, err := refer(scope{account, region}, nameOrARN, qualifier)
	if err != nil {
		return nil, err
	}
	f, found, err := store.GetRecord[function](r, functionKey(ref.scope, ref.Name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("Function not found: %s", ref.ARN())
	}
	t := &target{Owner: &f, Qualifier: ref.Qualifier}
	number := ref.Qualifier
	if number == "" {
		number = latest
	}
	if versionNumber(number) < 0 {
		a, found, err := store.GetRecord[alias](r, aliasKey(ref.scope, ref.Name, number))
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, notFound("Function not found: %s", ref.ARN())
		}
		t.Alias, number = &a, a.pick(rand.Float64())
	}
	v, found, err := store.GetRecord[version](r, versionKey(ref.scope, ref.Name, number))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound("Function not found: %s", ref.ARN())
	}
	t.version = &v
	return t, nil
}

// pick is the version that an invocation goes to, where at is its place in [0, 1).
func (a *alias) pick(at float64) string {
	for v, weight := range a.Weights { // AWS allows one
		if at < weight {
			return v
		}
	}
	return a.Version
}
