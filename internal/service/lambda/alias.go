package lambda

import (
	"context"
	"fmt"
	"regexp"
	"strconv"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"

	"github.com/google/uuid"
)

var digits = regexp.MustCompile(`^[0-9]+$`)

// CreateAlias names a version of a function.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateAlias.html
func (s *Service) CreateAlias(ctx context.Context, in *api.CreateAliasRequest) (*api.AliasConfiguration, error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if digits.MatchString(*in.Name) {
		return nil, awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'name' failed to satisfy "+
			"constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)", *in.Name)
	}
	a := alias{scope: ref.scope, Function: ref.Name, Name: *in.Name, Description: awsapi.Val(in.Description),
		Version: awsapi.Val(in.FunctionVersion), RevisionID: uuid.NewString()}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		ref := reference{scope: ref.scope, Name: ref.Name}
		if _, found, err := store.GetRecord[function](tx, functionKey(ref.scope, ref.Name)); err != nil || !found {
			ref.Qualifier = a.Version
			return orNotFound(err, "Function not found: %s", ref.ARN())
		}
		key := aliasKey(ref.scope, ref.Name, a.Name)
		if _, found, err := store.GetRecord[alias](tx, key); err != nil || found {
			if err == nil {
				err = conflict("Alias already exists: %s", a.ARN())
			}
			return err
		}
		if err := a.point(tx, ref, in.FunctionVersion, in.RoutingConfig); err != nil {
			return err
		}
		return store.SetRecord(tx, key, a)
	})
	if err != nil {
		return nil, err
	}
	return a.shown(), nil
}

// orNotFound is err, or where there is none the error for what is not there.
func orNotFound(err error, format string, args ...any) error {
	if err != nil {
		return err
	}
	return notFound(format, args...)
}

// point checks and writes where an alias points. What is nil stays.
func (a *alias) point(r store.Reader, ref reference, number *string, routing *api.AliasRoutingConfiguration) error {
	if number != nil {
		if _, err := versionOf(r, ref, *number); err != nil {
			return err
		}
		a.Version = *number
	}
	if routing != nil {
		a.Weights = routing.AdditionalVersionWeights
	}
	return a.checkWeights(r, ref)
}

// checkWeights checks the additional versions of an alias.
// https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html
func (a *alias) checkWeights(r store.Reader, ref reference) error {
	if len(a.Weights) > 1 {
		return invalid("Number of items in AdditionalVersionWeights cannot be greater than 1")
	}
	for number, weight := range a.Weights {
		value := fmt.Sprintf("{%s=%s}", number, javaDouble(weight))
		switch {
		case weight < 0 || weight > 1:
			return awsapi.ValidationException.New("1 validation error detected: Value '%s' at "+
				"'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: "+
				"[Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, "+
				"Member must not be null]", value)
		case number == a.Version:
			return invalid("Invalid function version %s. Function version %s is already included in routing configuration.",
				number, number)
		case a.Version == latest:
			return invalid("$LATEST is not supported for an alias pointing to more than 1 version")
		case !digits.MatchString(number):
			return awsapi.ValidationException.New("1 validation error detected: Value '%s' at "+
				"'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys must satisfy constraint: "+
				"[Member must have length less than or equal to 1024, Member must have length greater than or equal to 1, "+
				"Member must satisfy regular expression pattern: [0-9]+, Member must not be null]", value)
		}
		if _, err := versionOf(r, ref, number); err != nil {
			return err
		}
	}
	return nil
}

// javaDouble writes a number as AWS's messages do: 1.0, 0.5.
func javaDouble(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if f == float64(int64(f)) {
		s += ".0"
	}
	return s
}

func (a *alias) shown() *api.AliasConfiguration {
	c := &api.AliasConfiguration{AliasArn: new(a.ARN()), Name: &a.Name, FunctionVersion: &a.Version,
		Description: &a.Description, RevisionId: &a.RevisionID}
	if len(a.Weights) > 0 {
		c.RoutingConfig = &api.AliasRoutingConfiguration{AdditionalVersionWeights: a.Weights}
	}
	return c
}

// GetAlias returns an alias.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetAlias.html
func (s *Service) GetAlias(ctx context.Context, in *api.GetAliasRequest) (out *api.AliasConfiguration, err error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		a, found, err := store.GetRecord[alias](r, aliasKey(ref.scope, ref.Name, *in.Name))
		if err != nil || !found {
			return orNotFound(err, "Cannot find alias arn: %s", ref.arn("function", ref.Name, *in.Name))
		}
		out = a.shown()
		return nil
	})
	return out, err
}

// UpdateAlias changes where an alias points, its weights or its description.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateAlias.html
func (s *Service) UpdateAlias(ctx context.Context, in *api.UpdateAliasRequest) (out *api.AliasConfiguration, err error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		key := aliasKey(ref.scope, ref.Name, *in.Name)
		a, found, err := store.GetRecord[alias](tx, key)
		if err != nil || !found {
			return orNotFound(err, "Alias not found: %s", ref.arn("function", ref.Name, *in.Name))
		}
		if err := matchRevision(in.RevisionId, a.RevisionID); err != nil {
			return err
		}
		if err := a.point(tx, reference{scope: ref.scope, Name: ref.Name}, in.FunctionVersion, in.RoutingConfig); err != nil {
			return err
		}
		set(&a.Description, in.Description)
		a.RevisionID = uuid.NewString()
		out = a.shown()
		if err := store.SetRecord(tx, key, a); err != nil || in.FunctionVersion == nil && in.RoutingConfig == nil {
			return err
		}
		return s.follow(tx, &a)
	})
	if err != nil {
		return nil, err
	}
	s.provision(ref.scope, ref.Name) // what is kept ready moves with the alias
	return out, nil
}

// DeleteAlias deletes an alias with its permissions, URL and settings; one that is not there is no
// error. https://docs.aws.amazon.com/lambda/latest/api/API_DeleteAlias.html
func (s *Service) DeleteAlias(ctx context.Context, in *api.DeleteAliasRequest) (*api.DeleteAliasOutput, error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	name := *in.Name
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := functionOf(tx, reference{scope: ref.scope, Name: ref.Name}); err != nil {
			return err
		}
		if err := dropURL(tx, ref, name); err != nil {
			return err
		}
		for _, key := range [][]byte{aliasKey(ref.scope, ref.Name, name), policyKey(ref.scope, ref.Name, name),
			eventInvokeKey(ref.scope, ref.Name, name), provisionedKey(ref.scope, ref.Name, name)} {
			if err := tx.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.provision(ref.scope, ref.Name)
	return &api.DeleteAliasOutput{}, nil
}

// ListAliases lists a function's aliases, or those of one version.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html
func (s *Service) ListAliases(ctx context.Context, in *api.ListAliasesRequest) (*api.ListAliasesResponse, error) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListAliasesResponse{Aliases: []api.AliasConfiguration{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		if _, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name}); err != nil {
			return err
		}
		over := store.Prefix("lambda", "alias", ref.Account, ref.Region, ref.Name)
		aliases, next, err := page(r, over, in.Marker, in.MaxItems, func(a *alias) (bool, error) {
			_, weighted := a.Weights[awsapi.Val(in.FunctionVersion)]
			return in.FunctionVersion == nil || weighted || a.Version == *in.FunctionVersion, nil
		})
		for i := range aliases {
			out.Aliases = append(out.Aliases, *aliases[i].shown())
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
