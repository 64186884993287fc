package states

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/store"
)

// alias is a name for one version of a state machine, or for two by weight.
type alias struct {
	Name        string
	Description string
	Routes      []route
	Created     time.Time
	Updated     time.Time
}

// route is a version and its share in percent.
type route struct{ Version, Weight int64 }

func aliasKey(at scope, machine, name string) []byte {
	return store.Key("states", "alias", at.Account, at.Region, machine, name)
}

// route is the version for a number from 0 to 99.
func (a alias) route(pick int64) int64 {
	if len(a.Routes) > 1 && pick >= a.Routes[0].Weight {
		return a.Routes[1].Version
	}
	return a.Routes[0].Version
}

func anyRoute() int64 { return rand.Int64N(100) }

// routesOf checks a routing configuration and finds the machine that it is for.
func routesOf(list []api.RoutingConfigurationListItem) (res resource, routes []route, err error) {
	var arns, weights []string
	var sum int64
	valid := true
	for _, item := range list {
		arn, weight := awsapi.Val(item.StateMachineVersionArn), int64(awsapi.Val(item.Weight))
		arns, weights = append(arns, arn), append(weights, strconv.FormatInt(weight, 10))
		sum += weight
		one, err := parseARN(arn, "stateMachine")
		if err != nil {
			return res, nil, err
		}
		name, qualifier := one.split()
		number, err := strconv.ParseInt(qualifier, 10, 64)
		valid = valid && err == nil
		if res.Rest != "" && res.Rest != name {
			return res, nil, api.ValidationException.New("Routing configuration must contain versions of the same state machine. Received: [%s]", strings.Join(arns, ", "))
		}
		res = resource{one.scope, one.Kind, name}
		routes = append(routes, route{number, weight})
	}
	switch {
	case !valid:
		err = api.ValidationException.New("Routing configuration must contain state machine version ARNs. Received: [%s]", strings.Join(allARNs(list), ", "))
	case len(arns) == 2 && arns[0] == arns[1]:
		err = api.ValidationException.New("Routing configuration must contain distinct state machine version ARNs. Received: [%s]", strings.Join(arns, ", "))
	case sum != 100:
		err = api.ValidationException.New("Sum of routing configuration weights must equal 100. Received: [%s]", strings.Join(weights, ", "))
	}
	return res, routes, err
}

func allARNs(list []api.RoutingConfigurationListItem) (arns []string) {
	for _, item := range list {
		arns = append(arns, awsapi.Val(item.StateMachineVersionArn))
	}
	return arns
}

// lead checks that an alias's versions are there.
func (a alias) lead(r store.Reader, res resource) error {
	for _, to := range a.Routes {
		_, found, err := store.GetRecord[version](r, versionKey(res.scope, res.Rest, to.Version))
		if err != nil {
			return err
		}
		if !found {
			return missingMachine(nil, resource{res.scope, res.Kind, fmt.Sprintf("%s:%d", res.Rest, to.Version)})
		}
	}
	return nil
}

// CreateStateMachineAlias makes an alias; the same again is no error.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachineAlias.html
func (s *Service) CreateStateMachineAlias(ctx context.Context, in *api.CreateStateMachineAliasInput) (*api.CreateStateMachineAliasOutput, error) {
	res, routes, err := routesOf(in.RoutingConfiguration)
	if err != nil {
		return nil, err
	}
	now := s.Clock()
	a := alias{*in.Name, awsapi.Val(in.Description), routes, now, now}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, _, err := find(tx, res); err != nil {
			return err
		}
		if err := a.lead(tx, res); err != nil {
			return err
		}
		known, found, err := store.GetRecord[alias](tx, aliasKey(res.scope, res.Rest, a.Name))
		if err != nil {
			return err
		}
		if found {
			if known.Description != a.Description || !slices.Equal(known.Routes, a.Routes) {
				return api.ConflictException.New("Failed to create alias because an alias with the same name and a different routing configuration already exists.")
			}
			a = known
			return nil
		}
		return store.SetRecord(tx, aliasKey(res.scope, res.Rest, a.Name), a)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateStateMachineAliasOutput{StateMachineAliasArn: new(res.arn("stateMachine", res.Rest+":"+a.Name)), CreationDate: &a.Created}, nil
}

// aliasAt reads the ARN of an alias.
func aliasAt(arn string) (res resource, name string, err error) {
	if res, err = parseARN(arn, "stateMachine"); err != nil {
		return res, "", err
	}
	machine, name := res.split()
	if name == "" {
		return res, "", api.InvalidArn.New("Invalid Arn: 'Invalid state machine alias ARN: %s'", arn)
	}
	return resource{res.scope, res.Kind, machine}, name, nil
}

func findAlias(r store.Reader, res resource, name string) (alias, error) {
	a, found, err := store.GetRecord[alias](r, aliasKey(res.scope, res.Rest, name))
	if err == nil && !found {
		err = api.ResourceNotFound.New("Request references a resource that does not exist.").With("resourceName", res.arn("stateMachine", res.Rest+":"+name))
	}
	return a, err
}

// DescribeStateMachineAlias tells what an alias leads to.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachineAlias.html
func (s *Service) DescribeStateMachineAlias(ctx context.Context, in *api.DescribeStateMachineAliasInput) (out *api.DescribeStateMachineAliasOutput, err error) {
	res, name, err := aliasAt(*in.StateMachineAliasArn)
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		a, err := findAlias(r, res, name)
		if err != nil {
			return err
		}
		out = &api.DescribeStateMachineAliasOutput{StateMachineAliasArn: in.StateMachineAliasArn, Name: &a.Name, Description: some(a.Description),
			CreationDate: &a.Created, UpdateDate: &a.Updated}
		for _, to := range a.Routes {
			out.RoutingConfiguration = append(out.RoutingConfiguration, api.RoutingConfigurationListItem{
				StateMachineVersionArn: new(version{Number: to.Version}.arn(res.scope, res.Rest)), Weight: new(int32(to.Weight))})
		}
		return nil
	})
	return out, err
}

// UpdateStateMachineAlias has an alias lead elsewhere.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_UpdateStateMachineAlias.html
func (s *Service) UpdateStateMachineAlias(ctx context.Context, in *api.UpdateStateMachineAliasInput) (*api.UpdateStateMachineAliasOutput, error) {
	res, name, err := aliasAt(*in.StateMachineAliasArn)
	if err != nil {
		return nil, err
	}
	if in.Description == nil && in.RoutingConfiguration == nil {
		return nil, api.ValidationException.New("Either the description or the routing configuration must be specified")
	}
	var routes []route
	if in.RoutingConfiguration != nil {
		var to resource
		if to, routes, err = routesOf(in.RoutingConfiguration); err != nil {
			return nil, err
		}
		if to.Rest != res.Rest {
			return nil, api.ValidationException.New("Routing configuration must contain versions of the state machine of the alias")
		}
	}
	now := s.Clock()
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		a, err := findAlias(tx, res, name)
		if err != nil {
			return err
		}
		if in.Description != nil {
			a.Description = *in.Description
		}
		if routes != nil {
			a.Routes = routes
		}
		a.Updated = now
		if err := a.lead(tx, res); err != nil {
			return err
		}
		return store.SetRecord(tx, aliasKey(res.scope, res.Rest, name), a)
	})
	if err != nil {
		return nil, err
	}
	return &api.UpdateStateMachineAliasOutput{UpdateDate: &now}, nil
}

// DeleteStateMachineAlias removes an alias.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DeleteStateMachineAlias.html
func (s *Service) DeleteStateMachineAlias(ctx context.Context, in *api.DeleteStateMachineAliasInput) (*api.DeleteStateMachineAliasOutput, error) {
	res, name, err := aliasAt(*in.StateMachineAliasArn)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := findAlias(tx, res, name); err != nil {
			return err
		}
		return tx.Delete(aliasKey(res.scope, res.Rest, name))
	})
	return &api.DeleteStateMachineAliasOutput{}, err
}

// ListStateMachineAliases lists the aliases of a state machine, or of one of its versions, by name.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListStateMachineAliases.html
func (s *Service) ListStateMachineAliases(ctx context.Context, in *api.ListStateMachineAliasesInput) (*api.ListStateMachineAliasesOutput, error) {
	res, err := parseARN(*in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	name, qualifier := res.split()
	number, _ := strconv.ParseInt(qualifier, 10, 64) // 0 for all versions
	span, limit, err := pageOf(store.Prefix("states", "alias", res.Account, res.Region, name), in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	out := &api.ListStateMachineAliasesOutput{StateMachineAliases: []api.StateMachineAliasListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		if _, _, err := find(r, resource{res.scope, res.Kind, name}); err != nil {
			return err
		}
		list, last, err := store.Page(r, span, limit, func(a *alias) bool {
			return number == 0 || slices.ContainsFunc(a.Routes, func(to route) bool { return to.Version == number })
		})
		for _, a := range list {
			out.StateMachineAliases = append(out.StateMachineAliases, api.StateMachineAliasListItem{
				StateMachineAliasArn: new(res.arn("stateMachine", name+":"+a.Name)), CreationDate: &a.Created})
		}
		out.NextToken = tokenOf(last)
		return err
	})
	return out, err
}
