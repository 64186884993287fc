package dynamodb

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// describe returns a table, whatever its state.
func (s *Service) describe(ctx context.Context, name *string) (*table.Table, error) {
	ref, err := refOf(ctx, name)
	if err != nil {
		return nil, err
	}
	t, err := s.catalog.Use(ctx, ref)
	if errors.Is(err, table.ErrNotFound) {
		return nil, noTable(ref)
	}
	if err != nil {
		return nil, err
	}
	defer t.End()
	return t.Table, nil
}

// changeActive changes the record of a table that is active.
func (s *Service) changeActive(ctx context.Context, ref table.Ref, f func(store.Tx, *table.Record) error) error {
	return s.catalog.Change(ctx, ref, func(tx store.Tx, r *table.Record) (*table.Record, error) {
		if r == nil {
			return nil, noTable(ref)
		}
		if err := checkActive(r); err != nil {
			return nil, err
		}
		return r, f(tx, r)
	})
}

// checkActive refuses to change a table that is being changed.
func checkActive(r *table.Record) error {
	state := ""
	switch awsapi.Val(r.API.TableStatus) {
	case api.TableStatusCreating:
		state = "created"
	case api.TableStatusUpdating:
		state = "updated"
	case api.TableStatusDeleting:
		state = "deleted"
	default:
		return nil
	}
	return api.ResourceInUseException.New("Attempt to change a resource which is still in use: Table is being %s: %s", state, r.Name)
}
