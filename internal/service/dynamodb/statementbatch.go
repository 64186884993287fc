package dynamodb

import (
	"context"
	"errors"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/partiql"
	"cirro/internal/store"
)

// BatchExecuteStatement runs statements one by one: all of them read one item each, or all of them write. One that
// fails does not keep the others from running.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchExecuteStatement.html
func (s *Service) BatchExecuteStatement(ctx context.Context, in *api.BatchExecuteStatementInput) (*api.BatchExecuteStatementOutput, error) {
	statements, failures := make([]partiql.Statement, len(in.Statements)), make([]error, len(in.Statements))
	for i, one := range in.Statements {
		statements[i], failures[i] = parseStatement(one.Statement, one.Parameters)
	}
	reads, writes := kindsOf(statements)
	if reads && writes {
		return nil, invalid("BatchExecuteStatement API does not support both read and write operations in the same request.")
	}
	out := &api.BatchExecuteStatementOutput{Responses: make([]api.BatchStatementResponse, len(statements))}
	used := meters{}
	for i, st := range statements {
		r := &out.Responses[i]
		if failures[i] == nil {
			m := used.of(in.ReturnConsumedCapacity, st.From().Table, writes, 1)
			var it item.Item
			var ran bool
			it, ran, failures[i] = s.executeOne(ctx, st, awsapi.Val(in.Statements[i].ConsistentRead), m)
			if it != nil {
				r.Item = it.API()
			}
			if ran {
				r.TableName = new(st.From().Table)
			}
		}
		if failures[i] != nil {
			if r.Error = statementError(failures[i]); r.Error == nil {
				return nil, failures[i]
			}
		}
	}
	out.ConsumedCapacity = used.report()
	return out, nil
}

// kindsOf says whether there are statements that read, and such that write. EXISTS is one of those.
func kindsOf(statements []partiql.Statement) (reads, writes bool) {
	for _, st := range statements {
		switch st.(type) {
		case nil:
		case *partiql.Select:
			reads = true
		default:
			writes = true
		}
	}
	return reads, writes
}

// executeOne runs a statement of a batch. ran says that it came to its item.
func (s *Service) executeOne(ctx context.Context, st partiql.Statement, consistent bool, m *meter) (it item.Item, ran bool, err error) {
	switch st := st.(type) {
	case *partiql.Exists:
		return nil, false, invalid("EXISTS can only be used in ExecuteTransaction write requests.")
	case *partiql.Select:
		return s.executeRead(ctx, st, consistent, m)
	}
	it, err = s.executeWrite(ctx, st, m, false)
	ran = err == nil || errors.Is(err, api.ConditionalCheckFailedException) || errors.Is(err, api.DuplicateItemException)
	return it, ran, err
}

func (s *Service) executeRead(ctx context.Context, st *partiql.Select, consistent bool, m *meter) (it item.Item, ran bool, err error) {
	t, err := s.use(ctx, &st.Table)
	if err != nil {
		return nil, false, err
	}
	defer t.End()
	k, ok := readKey(t.Table, st)
	if !ok {
		return nil, false, invalid("Select statements within BatchExecuteStatement must specify the primary key in the where clause.")
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		var whole item.Item
		it, whole, err = readOne(r, t.Table, st, k)
		m.read(nil, whole.Size(), consistent)
		return err
	})
	return it, true, err
}

// statementCodes are how a batch names the errors of its statements.
var statementCodes = map[string]string{
	awsapi.ValidationException.Code:                 api.BatchStatementErrorCodeEnumValidationError,
	api.ConditionalCheckFailedException.Code:        api.BatchStatementErrorCodeEnumConditionalCheckFailed,
	api.DuplicateItemException.Code:                 api.BatchStatementErrorCodeEnumDuplicateItem,
	api.ResourceNotFoundException.Code:              api.BatchStatementErrorCodeEnumResourceNotFound,
	api.ProvisionedThroughputExceededException.Code: api.BatchStatementErrorCodeEnumProvisionedThroughputExceeded,
	api.TransactionConflictException.Code:           api.BatchStatementErrorCodeEnumTransactionConflict,
	awsapi.AccessDenied.Code:                        api.BatchStatementErrorCodeEnumAccessDenied,
}

// statementError is a statement's error in a batch; nil where it is none of the client's.
func statementError(err error) *api.BatchStatementError {
	var e *awsapi.Error
	if !errors.As(err, &e) || statementCodes[e.Type.Code] == "" {
		return nil
	}
	return &api.BatchStatementError{Code: new(statementCodes[e.Type.Code]), Message: &e.Message}
}
