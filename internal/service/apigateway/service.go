package apigateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
	"cirro/internal/store"
)

// Deps is what the service is made of.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller // for the functions behind the APIs
	// Authenticate checks the signature of a request to a method whose authorizationType is AWS_IAM; it
	// may read the body. Where it is nil such methods answer nobody.
	Authenticate func(*http.Request) (awsapi.Principal, error)
	Log          *slog.Logger // nil for slog.Default()
}

// Service implements the operations, and http.Handler for the requests to stages.
type Service struct {
	api.Unimplemented
	store        store.Store
	caller       awsapi.Caller
	authenticate func(*http.Request) (awsapi.Principal, error)
	log          *slog.Logger
	stages       stageCache
}

var _ api.API = (*Service)(nil)

// New makes the service. It has no background work.
func New(d Deps) (*Service, error) {
	if d.Store == nil || d.Caller == nil {
		return nil, errors.New("apigateway: the service needs a store and a caller")
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return &Service{store: d.Store, caller: d.Caller, authenticate: d.Authenticate, log: d.Log}, nil
}

// view reads an API in a snapshot.
func (s *Service) view(ctx context.Context, id *string, f func(*restAPI) error) error {
	return s.store.View(ctx, func(r store.Reader) error {
		a, err := getAPI(ctx, r, awsapi.Val(id))
		if err != nil {
			return err
		}
		return f(a)
	})
}

// change changes an API in a transaction. f may be called more than once, each time with a fresh API.
func (s *Service) change(ctx context.Context, id *string, f func(*restAPI) error) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		a, err := getAPI(ctx, tx, awsapi.Val(id))
		if err != nil {
			return err
		}
		if err := f(a); err != nil {
			return err
		}
		return store.SetRecord(tx, apiKey(ctx, *a.API.Id), a)
	})
}

// badRequest makes the error that most refusals are.
func badRequest(format string, args ...any) error {
	return api.BadRequestException.New(format, args...)
}

// unimplemented refuses a part of an operation that the service otherwise has.
func unimplemented(what string) error { return awsapi.Unimplemented("apigateway", what) }

// apply applies patch operations by a table, answering API Gateway's error where one does not apply.
func apply[T any](table *patch.Table[T], t *T, operations []api.PatchOperation) error {
	steps := make([]patch.Operation, len(operations))
	for i, o := range operations {
		steps[i] = patch.Operation{Op: awsapi.Val(o.Op), Path: o.Path, Value: o.Value, From: o.From}
	}
	err := table.Apply(t, steps)
	if wrong, ok := errors.AsType[*patch.Error](err); ok {
		return badRequest("%s", wrong.Message)
	}
	return err
}
