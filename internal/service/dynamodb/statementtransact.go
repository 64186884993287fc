package dynamodb

import (
	"context"
	"errors"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/partiql"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// ExecuteTransaction runs statements as one transaction: all of them read one item each, or all of them write or
// demand that an item EXISTS.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_ExecuteTransaction.html
func (s *Service) ExecuteTransaction(ctx context.Context, in *api.ExecuteTransactionInput) (*api.ExecuteTransactionOutput, error) {
	statements, names := make([]partiql.Statement, len(in.TransactStatements)), make([]string, len(in.TransactStatements))
	for i, one := range in.TransactStatements {
		values, err := parseParameters(one.Parameters)
		if err != nil {
			return nil, err
		}
		st, err := partiql.Parse(awsapi.Val(one.Statement), values)
		if err != nil {
			return nil, inStatement(i, err)
		}
		if returns(st) {
			return nil, inStatement(i, invalid("RETURNING clause is not supported in ExecuteTransaction."))
		}
		statements[i], names[i] = st, st.From().Table
	}
	reads, writes := kindsOf(statements)
	if reads && writes {
		return nil, invalid("ExecuteTransaction API does not support both read and write operations in the same request.")
	}
	all, err := s.useAll(ctx, names)
	if err != nil {
		return nil, err
	}
	defer all.end()
	if reads {
		return s.transactReads(ctx, all, statements, in)
	}
	return s.transactWrites(ctx, all, statements, in)
}

// inStatement says which statement of a transaction is wrong.
func inStatement(i int, err error) error {
	var e *awsapi.Error
	if !errors.As(err, &e) || !errors.Is(err, awsapi.ValidationException) {
		return err
	}
	return invalid("Validation failed in TransactStatements[%d]: %s", i, e.Message)
}

func returns(st partiql.Statement) bool {
	switch st := st.(type) {
	case *partiql.Update:
		return st.Returning != partiql.ReturningNothing
	case *partiql.Delete:
		return st.Returning != partiql.ReturningNothing
	}
	return false
}

func (s *Service) transactReads(ctx context.Context, all *tables, statements []partiql.Statement, in *api.ExecuteTransactionInput) (*api.ExecuteTransactionOutput, error) {
	keys, seen := make([]table.Key, len(statements)), map[string]bool{}
	for i, st := range statements {
		st := st.(*partiql.Select)
		if st.Index != "" {
			return nil, inStatement(i, invalid("Reads on indices are not supported within transactions."))
		}
		k, ok := readKey(all.byName[st.Table], st)
		if !ok {
			return nil, inStatement(i, invalid("Select statements within ExecuteTransaction must specify the primary key in the where clause."))
		}
		if seen[string(k)] {
			return nil, errTwice()
		}
		keys[i], seen[string(k)] = k, true
	}
	out := &api.ExecuteTransactionOutput{Responses: make([]api.ItemResponse, len(statements))}
	used := meters{}
	err := s.Store.View(ctx, func(r store.Reader) error {
		size := 0
		for i, st := range statements {
			st := st.(*partiql.Select)
			shown, whole, err := readOne(r, all.byName[st.Table], st, keys[i])
			if err != nil {
				return err
			}
			if size += whole.Size(); size > maxTransaction {
				return errTooLarge(size)
			}
			used.of(in.ReturnConsumedCapacity, st.Table, false, transactionFactor).read(nil, whole.Size(), true)
			out.Responses[i].Item = shown.API()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.ConsumedCapacity = used.report()
	return out, nil
}

func (s *Service) transactWrites(ctx context.Context, all *tables, statements []partiql.Statement, in *api.ExecuteTransactionInput) (*api.ExecuteTransactionOutput, error) {
	changes, seen, size := make([]named, len(statements)), map[string]bool{}, 0
	for i, st := range statements {
		t := all.byName[st.From().Table]
		c, err := statementChange(t, st)
		if exists, is := st.(*partiql.Exists); is {
			err = checkExists(t, exists, err)
		}
		if err != nil {
			return nil, inStatement(i, err)
		}
		if seen[string(c.key)] {
			return nil, errTwice()
		}
		seen[string(c.key)] = true
		c.reveal = reveals(in.TransactStatements[i].ReturnValuesOnConditionCheckFailure)
		changes[i] = named{c, st.From().Table}
		size += c.attrs.Size()
	}
	if size > maxTransaction {
		return nil, errTooLarge(size)
	}
	token, err := s.tokenOf(ctx, in.ClientRequestToken, in.TransactStatements)
	if err != nil {
		return nil, err
	}
	outcomes, repeated, err := s.transact(ctx, changes, token, in.ReturnConsumedCapacity != nil)
	if err != nil {
		return nil, nameDuplicates(err, statements)
	}
	used := meters{}
	for i, c := range changes {
		if repeated {
			used.of(in.ReturnConsumedCapacity, c.name, false, transactionFactor).read(nil, outcomes[i].now.Size(), true)
		} else {
			used.of(in.ReturnConsumedCapacity, c.name, true, transactionFactor).wrote(c.table, outcomes[i].old, outcomes[i].now)
		}
	}
	return &api.ExecuteTransactionOutput{Responses: []api.ItemResponse{}, ConsumedCapacity: used.report()}, nil
}

// checkExists checks that an EXISTS reads one item by its key, with a condition besides; err is what its key lacks.
func checkExists(t *table.Table, st *partiql.Exists, err error) error {
	if st.Index != "" {
		return invalid("Operations on indices are not supported in transactions")
	}
	if _, plain := readKey(t, &st.Select); plain || errors.Is(err, awsapi.ValidationException) {
		return invalid("EXISTS() must contain a single item read with additional condition")
	}
	return err
}

// nameDuplicates names what an INSERT that found an item failed for.
func nameDuplicates(err error, statements []partiql.Statement) error {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		return err
	}
	reasons, ok := e.Fields["CancellationReasons"].([]api.CancellationReason)
	if !ok || len(reasons) != len(statements) {
		return err
	}
	codes := make([]string, len(reasons))
	for i := range reasons {
		codes[i] = awsapi.Val(reasons[i].Code)
		if _, inserts := statements[i].(*partiql.Insert); inserts && codes[i] == "ConditionalCheckFailed" {
			codes[i] = "DuplicateItem"
			reasons[i].Code, reasons[i].Message = &codes[i], new("Duplicate primary key exists in table")
		}
	}
	return api.TransactionCanceledException.New("Transaction cancelled, please refer cancellation reasons for specific reasons [%s]",
		strings.Join(codes, ", ")).With("CancellationReasons", reasons)
}
