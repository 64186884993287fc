package lambda

import (
	"context"
	"math"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
	"cirro/internal/store"

	"github.com/google/uuid"
)

func unpublished() error {
	return invalid("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
}

// PutProvisionedConcurrencyConfig keeps environments of a version ready.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutProvisionedConcurrencyConfig.html
func (s *Service) PutProvisionedConcurrencyConfig(ctx context.Context, in *api.PutProvisionedConcurrencyConfigRequest) (
	*api.PutProvisionedConcurrencyConfigResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	if ref.Qualifier == latest {
		return nil, unpublished()
	}
	var p provisioned
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := provisionable(tx, ref); err != nil {
			return err
		}
		p, _, err = store.GetRecord[provisioned](tx, provisionedKey(ref.scope, ref.Name, ref.Qualifier))
		if err != nil {
			return err
		}
		p.scope, p.Function, p.Qualifier = ref.scope, ref.Name, ref.Qualifier
		p.Requested, p.Modified = int(*in.ProvisionedConcurrentExecutions), s.Clock()
		return s.begin(tx, &p)
	})
	if err != nil {
		return nil, err
	}
	s.provision(ref.scope, ref.Name)
	return (*api.PutProvisionedConcurrencyConfigResponse)(p.shown()), nil
}

// begin checks and writes a configuration that is new or whose environments are others now. Those that
// it has already stay in use.
func (s *Service) begin(tx store.Tx, p *provisioned) error {
	f, err := functionOf(tx, reference{scope: p.scope, Name: p.Function})
	if err != nil {
		return err
	}
	if err := s.checkProvisioned(tx, f, p); err != nil {
		return err
	}
	targets, err := targetsOf(tx, p)
	if err != nil {
		return err
	}
	before := p.Ready
	p.Status, p.Reason, p.Revision = api.ProvisionedConcurrencyStatusEnumInProgress, "", uuid.NewString()
	p.Ready, p.Available = map[string]int{}, 0
	for number, n := range targets {
		p.have(number, min(n, before[number]))
	}
	return store.SetRecord(tx, provisionedKey(p.scope, p.Function, p.Qualifier), p)
}

// have notes how many environments of a version are ready.
func (p *provisioned) have(number string, n int) {
	p.Ready[number] = n
	p.Available += n
}

// follow moves what is kept ready for an alias to the versions that it points at now.
func (s *Service) follow(tx store.Tx, a *alias) error {
	p, found, err := store.GetRecord[provisioned](tx, provisionedKey(a.scope, a.Function, a.Name))
	if err != nil || !found {
		return err
	}
	return s.begin(tx, &p)
}

// provisionable finds the version or the alias that environments are to be kept ready for.
func provisionable(r store.Reader, ref reference) (*function, error) {
	key, missing := versionKey(ref.scope, ref.Name, ref.Qualifier), "Function not found: %s"
	if versionNumber(ref.Qualifier) < 0 {
		key, missing = aliasKey(ref.scope, ref.Name, ref.Qualifier), "Cannot find alias arn: %s"
	}
	if _, found, err := store.GetRecord[struct{}](r, key); err != nil || !found {
		return nil, orNotFound(err, missing, ref.ARN())
	}
	return functionOf(r, ref)
}

// checkProvisioned checks what is asked for against what there is of concurrency, and against the
// function's other configurations: a version has one, its own or an alias's.
func (s *Service) checkProvisioned(r store.Reader, f *function, p *provisioned) error {
	targets, err := targetsOf(r, p)
	if err != nil {
		return err
	}
	if _, found := targets[latest]; found {
		return unpublished()
	}
	if err := checkNoSnapStart(r, p, targets); err != nil {
		return err
	}
	if err := checkOverlap(r, p, targets); err != nil {
		return err
	}
	use, err := concurrencyOf(r, f.scope)
	if err != nil {
		return err
	}
	before, _, err := store.GetRecord[provisioned](r, provisionedKey(f.scope, f.Name, p.Qualifier))
	if err != nil {
		return err
	}
	total := use.provisioned[f.Name] - before.Requested + p.Requested
	left := s.Concurrency - use.reserved - use.apart
	switch {
	case f.Reserved != nil && total > *f.Reserved:
		return invalid("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")
	case p.Requested > s.Concurrency:
		return invalid("Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [%d].", s.Concurrency)
	case f.Reserved == nil && left+before.Requested-p.Requested < minUnreserved:
		return invalid("Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "+
			"its minimum value of [%d].", minUnreserved)
	}
	return nil
}

// checkOverlap refuses a configuration for a version that another one keeps environments of.
func checkOverlap(r store.Reader, p *provisioned, targets map[string]int) error {
	for o, err := range store.Records[provisioned](r, store.Prefix("lambda", "provisioned", p.Account, p.Region, p.Function)) {
		if err != nil {
			return err
		}
		if o.Qualifier == p.Qualifier {
			continue
		}
		others, err := targetsOf(r, &o)
		if err != nil {
			return err
		}
		for number := range targets {
			if _, both := others[number]; !both {
				continue
			}
			if versionNumber(p.Qualifier) < 0 {
				return conflict("Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
			}
			return conflict("Version is pointed by a Provisioned Concurrency alias")
		}
	}
	return nil
}

// targetsOf says how many environments of which versions a configuration keeps ready. An alias's are
// shared out by its weights.
func targetsOf(r store.Reader, p *provisioned) (map[string]int, error) {
	if versionNumber(p.Qualifier) > 0 {
		return map[string]int{p.Qualifier: p.Requested}, nil
	}
	a, found, err := store.GetRecord[alias](r, aliasKey(p.scope, p.Function, p.Qualifier))
	if err != nil || !found {
		return nil, err
	}
	targets := map[string]int{a.Version: p.Requested}
	for number, weight := range a.Weights {
		n := int(math.Ceil(float64(p.Requested) * weight))
		targets[number] = n
		targets[a.Version] -= n
	}
	return targets, nil
}

func (p *provisioned) shown() *api.GetProvisionedConcurrencyConfigResponse {
	return &api.GetProvisionedConcurrencyConfigResponse{
		RequestedProvisionedConcurrentExecutions: new(int32(p.Requested)),
		AvailableProvisionedConcurrentExecutions: new(int32(p.Available)),
		AllocatedProvisionedConcurrentExecutions: new(int32(p.Available)),
		Status:                                   &p.Status, StatusReason: text(p.Reason), LastModified: timestamp(p.Modified),
	}
}

// readProvisioned reads the configuration of a version or an alias.
func readProvisioned(ctx context.Context, r store.Reader, name string, qualifier *string) (reference, *provisioned, error) {
	ref, err := own(ctx, name, awsapi.Val(qualifier))
	if err != nil {
		return ref, nil, err
	}
	if ref.Qualifier == latest {
		return ref, nil, invalid("The function resource provided must be an alias or a published version.")
	}
	if _, err := provisionable(r, ref); err != nil {
		return ref, nil, err
	}
	p, found, err := store.GetRecord[provisioned](r, provisionedKey(ref.scope, ref.Name, ref.Qualifier))
	if err == nil && !found {
		err = api.ProvisionedConcurrencyConfigNotFoundException.New("No Provisioned Concurrency Config found for this function").
			With("Type", "User")
	}
	return ref, &p, err
}

// GetProvisionedConcurrencyConfig returns a configuration and how far it has come.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetProvisionedConcurrencyConfig.html
func (s *Service) GetProvisionedConcurrencyConfig(ctx context.Context, in *api.GetProvisionedConcurrencyConfigRequest) (
	out *api.GetProvisionedConcurrencyConfigResponse, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		_, p, err := readProvisioned(ctx, r, *in.FunctionName, in.Qualifier)
		if err != nil {
			return err
		}
		out = p.shown()
		return nil
	})
	return out, err
}

// DeleteProvisionedConcurrencyConfig lets the environments of a version or an alias go; one without a
// configuration is no error.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteProvisionedConcurrencyConfig.html
func (s *Service) DeleteProvisionedConcurrencyConfig(ctx context.Context, in *api.DeleteProvisionedConcurrencyConfigRequest) (
	*api.DeleteProvisionedConcurrencyConfigOutput, error,
) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	if ref.Qualifier == latest {
		return nil, invalid("The function resource provided must be an alias or a published version.")
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := provisionable(tx, ref); err != nil {
			return err
		}
		return tx.Delete(provisionedKey(ref.scope, ref.Name, ref.Qualifier))
	})
	if err != nil {
		return nil, err
	}
	s.provision(ref.scope, ref.Name)
	return &api.DeleteProvisionedConcurrencyConfigOutput{}, nil
}

// ListProvisionedConcurrencyConfigs lists a function's configurations.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListProvisionedConcurrencyConfigs.html
func (s *Service) ListProvisionedConcurrencyConfigs(ctx context.Context, in *api.ListProvisionedConcurrencyConfigsRequest) (
	*api.ListProvisionedConcurrencyConfigsResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListProvisionedConcurrencyConfigsResponse{ProvisionedConcurrencyConfigs: []api.ProvisionedConcurrencyConfigListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		if _, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name}); err != nil {
			return err
		}
		over := store.Prefix("lambda", "provisioned", ref.Account, ref.Region, ref.Name)
		configs, next, err := page[provisioned](r, over, in.Marker, in.MaxItems, nil)
		for i := range configs {
			p := &configs[i]
			o := p.shown()
			out.ProvisionedConcurrencyConfigs = append(out.ProvisionedConcurrencyConfigs, api.ProvisionedConcurrencyConfigListItem{
				FunctionArn: new(p.arn("function", p.Function, p.Qualifier)), LastModified: o.LastModified,
				RequestedProvisionedConcurrentExecutions: o.RequestedProvisionedConcurrentExecutions,
				AvailableProvisionedConcurrentExecutions: o.AvailableProvisionedConcurrentExecutions,
				AllocatedProvisionedConcurrentExecutions: o.AllocatedProvisionedConcurrentExecutions,
				Status:                                   o.Status, StatusReason: o.StatusReason,
			})
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// provisionAll makes the environments ready that were before a stop.
func (s *Service) provisionAll(ctx context.Context) {
	functions := map[reference]bool{}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		var all []provisioned
		for p, err := range store.Records[provisioned](tx, store.Prefix("lambda", "provisioned")) {
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		for _, p := range all {
			functions[reference{scope: p.scope, Name: p.Function}] = true
			p.Status, p.Reason, p.Available, p.Ready = api.ProvisionedConcurrencyStatusEnumInProgress, "", 0, nil
			if err := store.SetRecord(tx, provisionedKey(p.scope, p.Function, p.Qualifier), p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		s.Log.Error("lambda: provisioned concurrency", "error", err)
	}
	for f := range functions {
		s.provision(f.scope, f.Name)
	}
}

// provision brings the environments kept ready of a function to what its configurations ask for, in
// the background.
func (s *Service) provision(in scope, name string) {
	if s.Runner == nil {
		return
	}
	ref := reference{scope: in, Name: name}
	s.background(func(ctx context.Context) {
		defer s.provisioning.lock(ref.ARN())()
		if err := s.reconcile(ctx, ref); err != nil && ctx.Err() == nil {
			s.Log.Error("lambda: provisioned concurrency", "function", ref.ARN(), "error", err)
		}
	})
}

// readiness is what became of making a version's environments ready.
type readiness struct {
	wanted, ready int
	failed        bool
}

// reconcile does the work of provision. Its caller holds the function's lock.
func (s *Service) reconcile(ctx context.Context, ref reference) error {
	var configs []provisioned
	wanted := map[string]int{}
	versions := map[string]*version{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		for p, err := range store.Records[provisioned](r, store.Prefix("lambda", "provisioned", ref.Account, ref.Region, ref.Name)) {
			if err != nil {
				return err
			}
			targets, err := targetsOf(r, &p)
			if err != nil {
				return err
			}
			configs = append(configs, p)
			for number, n := range targets {
				wanted[number] += n
			}
		}
		for number := range wanted {
			v, found, err := store.GetRecord[version](r, versionKey(ref.scope, ref.Name, number))
			if err != nil {
				return err
			}
			if found {
				versions[number] = &v
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	results := s.prepareVersions(ctx, ref, wanted, versions)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return s.recordReadiness(ctx, configs, results)
}

// prepareVersions makes the environments of each version ready, and lets those go that are not wanted
// any more.
func (s *Service) prepareVersions(ctx context.Context, ref reference, wanted map[string]int, versions map[string]*version) map[string]readiness {
	results := map[string]readiness{}
	now := map[string]*sandbox.Spec{}
	for number, n := range wanted {
		result := readiness{wanted: n, failed: true}
		if v := versions[number]; v != nil {
			if spec, err := s.spec(ctx, v, prepared); err == nil {
				now[spec.ID] = spec
				ready, err := s.prepare(ctx, spec, n)
				result = readiness{wanted: n, ready: min(ready, n), failed: err != nil || ready < n}
				if err != nil && ctx.Err() == nil {
					s.Log.Warn("lambda: provisioned concurrency", "function", v.ARN(), "wanted", n, "ready", ready, "error", err)
				}
			}
		}
		results[number] = result
	}
	before, _ := s.kept.Load(ref)
	specs, _ := before.(map[string]*sandbox.Spec)
	for id := range specs {
		if now[id] == nil {
			s.Runner.Retire(id) // at once, but for those that are busy
		}
	}
	if len(now) == 0 {
		s.kept.Delete(ref)
	} else {
		s.kept.Store(ref, now)
	}
	return results
}

// prepareTries is how often it is tried to make environments ready: once more than needed, as an
// initialization that fails is also repeated before an invocation.
const prepareTries = 2

func (s *Service) prepare(ctx context.Context, spec *sandbox.Spec, n int) (ready int, err error) {
	for range prepareTries {
		if ready, err = s.Runner.Prepare(ctx, spec, n); err == nil && ready >= n || ctx.Err() != nil {
			break
		}
	}
	return ready, err
}

// recordReadiness writes how far the configurations have come, unless they changed meanwhile.
func (s *Service) recordReadiness(ctx context.Context, configs []provisioned, results map[string]readiness) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for _, c := range configs {
			key := provisionedKey(c.scope, c.Function, c.Qualifier)
			p, found, err := store.GetRecord[provisioned](tx, key)
			if err != nil {
				return err
			}
			if !found || p.Revision != c.Revision {
				continue
			}
			targets, err := targetsOf(tx, &p)
			if err != nil {
				return err
			}
			p.Available, p.Ready, p.Status, p.Reason = 0, map[string]int{}, api.ProvisionedConcurrencyStatusEnumReady, ""
			for number, n := range targets {
				p.have(number, min(n, results[number].ready))
				if results[number].failed {
					p.Status, p.Reason = api.ProvisionedConcurrencyStatusEnumFailed, "FUNCTION_ERROR_INIT_FAILURE"
				}
			}
			if err := store.SetRecord(tx, key, p); err != nil {
				return err
			}
		}
		return nil
	})
}
