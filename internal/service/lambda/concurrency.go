package lambda

import (
	"context"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// minUnreserved is what an account keeps of its concurrency for functions without a reservation.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html
const minUnreserved = 100

// reserving reads the name of a function for its reserved concurrency, which versions do not have.
func reserving(ctx context.Context, name string) (reference, error) {
	ref, err := own(ctx, name, "")
	if err == nil && ref.Qualifier != "" {
		err = invalid("This operation is permitted on Lambda functions only. Aliases and versions do not support this " +
			"operation. Please specify either a function name or an unqualified function ARN.")
	}
	return ref, err
}

// PutFunctionConcurrency reserves concurrency for a function.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionConcurrency.html
func (s *Service) PutFunctionConcurrency(ctx context.Context, in *api.PutFunctionConcurrencyRequest) (*api.Concurrency, error) {
	ref, err := reserving(ctx, *in.FunctionName)
	if err != nil {
		return nil, err
	}
	n := int(*in.ReservedConcurrentExecutions)
	err = s.changeReserved(ctx, ref, func(tx store.Tx, f *function) error {
		use, err := concurrencyOf(tx, ref.scope)
		if err != nil {
			return err
		}
		left := s.Concurrency - use.reserved - n
		if f.Reserved != nil {
			left += *f.Reserved
		}
		if left < minUnreserved {
			return invalid("Specified ReservedConcurrentExecutions for function decreases account's "+
				"UnreservedConcurrentExecution below its minimum value of [%d].", minUnreserved)
		}
		if ready := use.provisioned[ref.Name]; ready > n {
			return invalid(" ReservedConcurrentExecutions  %d should not be lower than function's total provisioned "+
				"concurrency [%d].", n, ready)
		}
		f.Reserved = &n
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.Concurrency{ReservedConcurrentExecutions: in.ReservedConcurrentExecutions}, nil
}

// DeleteFunctionConcurrency takes a reservation back.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionConcurrency.html
func (s *Service) DeleteFunctionConcurrency(ctx context.Context, in *api.DeleteFunctionConcurrencyRequest) (
	*api.DeleteFunctionConcurrencyOutput, error,
) {
	ref, err := reserving(ctx, *in.FunctionName)
	if err != nil {
		return nil, err
	}
	err = s.changeReserved(ctx, ref, func(_ store.Tx, f *function) error {
		f.Reserved = nil
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteFunctionConcurrencyOutput{}, nil
}

func (s *Service) changeReserved(ctx context.Context, ref reference, f func(store.Tx, *function) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		owner, found, err := store.GetRecord[function](tx, functionKey(ref.scope, ref.Name))
		if err != nil || !found {
			return orNotFound(err, "Function not found: %s", ref.arn("function", ref.Name, latest))
		}
		if err := f(tx, &owner); err != nil {
			return err
		}
		return store.SetRecord(tx, functionKey(ref.scope, ref.Name), owner)
	})
}

// GetFunctionConcurrency returns a function's reservation.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConcurrency.html
func (s *Service) GetFunctionConcurrency(ctx context.Context, in *api.GetFunctionConcurrencyRequest) (
	out *api.GetFunctionConcurrencyResponse, err error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		f, err := functionOf(r, reference{scope: ref.scope, Name: ref.Name})
		if err != nil {
			return err
		}
		out = &api.GetFunctionConcurrencyResponse{}
		if f.Reserved != nil {
			out.ReservedConcurrentExecutions = new(int32(*f.Reserved))
		}
		return nil
	})
	return out, err
}

// concurrencyUse is how an account's concurrency in a region is shared out.
type concurrencyUse struct {
	reserved    int            // of all functions
	provisioned map[string]int // by function
	apart       int            // provisioned for functions without a reservation
}

func concurrencyOf(r store.Reader, in scope) (use concurrencyUse, err error) {
	use.provisioned = map[string]int{}
	for p, err := range store.Records[provisioned](r, store.Prefix("lambda", "provisioned", in.Account, in.Region)) {
		if err != nil {
			return use, err
		}
		use.provisioned[p.Function] += p.Requested
		use.apart += p.Requested
	}
	for f, err := range store.Records[function](r, store.Prefix("lambda", "function", in.Account, in.Region)) {
		if err != nil {
			return use, err
		}
		if f.Reserved != nil {
			use.reserved += *f.Reserved
			use.apart -= use.provisioned[f.Name]
		}
	}
	return use, nil
}
