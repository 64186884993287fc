package lambda

import (
	"context"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// DeleteFunction deletes a function with all that belongs to it, or one of its versions.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html
func (s *Service) DeleteFunction(ctx context.Context, in *api.DeleteFunctionRequest) (*api.DeleteFunctionOutput, error) {
	ref, err := own(ctx, *in.FunctionName, awsapi.Val(in.Qualifier))
	if err != nil {
		return nil, err
	}
	switch {
	case ref.Qualifier == latest:
		return nil, invalid("$LATEST version cannot be deleted without deleting the function.")
	case ref.Qualifier != "" && versionNumber(ref.Qualifier) < 0:
		return nil, invalid("Deletion of aliases is not currently supported.")
	}
	var gone []version
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		number := ref.Qualifier
		if _, err := functionOf(tx, reference{scope: ref.scope, Name: ref.Name}); err != nil {
			return err
		}
		if number != "" {
			gone, err = s.removeVersion(tx, ref, number)
		} else {
			gone, err = s.removeAll(tx, ref)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, v := range gone {
		s.retire(v.SpecID)
	}
	s.provision(ref.scope, ref.Name)
	s.sweepSoon()
	return &api.DeleteFunctionOutput{}, nil
}

// removeVersion deletes a published version that no alias points at; one that is not there is no error.
func (s *Service) removeVersion(tx store.Tx, ref reference, number string) ([]version, error) {
	var using []string
	for a, err := range store.Records[alias](tx, store.Prefix("lambda", "alias", ref.Account, ref.Region, ref.Name)) {
		if err != nil {
			return nil, err
		}
		if _, weighted := a.Weights[number]; weighted || a.Version == number {
			using = append(using, a.Name)
		}
	}
	if len(using) > 0 {
		return nil, conflict("Unable to delete version because the following aliases reference it: [%s]", strings.Join(using, ", "))
	}
	v, found, err := store.GetRecord[version](tx, versionKey(ref.scope, ref.Name, number))
	if err != nil || !found {
		return nil, err
	}
	for _, key := range [][]byte{versionKey(ref.scope, ref.Name, number), activationKey(ref.scope, ref.Name, number),
		policyKey(ref.scope, ref.Name, number), eventInvokeKey(ref.scope, ref.Name, number),
		provisionedKey(ref.scope, ref.Name, number)} {
		if err := tx.Delete(key); err != nil {
			return nil, err
		}
	}
	return []version{v}, s.releaseAll(tx, &v)
}

// removeAll deletes a function with all that belongs to it.
func (s *Service) removeAll(tx store.Tx, ref reference) ([]version, error) {
	var gone []version
	for v, err := range store.Records[version](tx, store.Prefix("lambda", "version", ref.Account, ref.Region, ref.Name)) {
		if err != nil {
			return nil, err
		}
		gone = append(gone, v)
	}
	for i := range gone {
		if err := s.releaseAll(tx, &gone[i]); err != nil {
			return nil, err
		}
	}
	if err := dropURLs(tx, ref); err != nil {
		return nil, err
	}
	for _, kind := range []string{"version", "alias", "policy", "event-invoke", "provisioned", "activation"} {
		over := store.Prefix("lambda", kind, ref.Account, ref.Region, ref.Name)
		if err := tx.DeleteRange(over.Start, over.End); err != nil {
			return nil, err
		}
	}
	return gone, tx.Delete(functionKey(ref.scope, ref.Name))
}

func (s *Service) releaseAll(tx store.Tx, v *version) error {
	for _, c := range v.codes() {
		if err := s.release(tx, c); err != nil {
			return err
		}
	}
	return nil
}

// retire lets the environments of a version go that is no more.
func (s *Service) retire(specID string) {
	if s.Runner != nil {
		s.Runner.Retire(specID)
	}
}
