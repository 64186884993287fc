package dynamodb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/store"
)

// tokenLife is how long a transaction's token is remembered after it has been done.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-apis-txwriteitems
const tokenLife = 10 * time.Minute

// token is what a transaction is remembered by, so that its repetition is none. A nil one is not remembered.
//
// It lies under ("dynamodb", "token", period, account, region, token), a period being a tokenLife long: so what is
// forgotten is a range.
type token struct {
	keys   [2][]byte // in this period and in the one before
	digest [sha256.Size]byte
	now    time.Time
}

func tokenPeriod(at time.Time) int64 { return at.UnixNano() / int64(tokenLife) }

// token returns the token of a request that has one.
func (s *Service) token(ctx context.Context, in *api.TransactWriteItemsInput) (*token, error) {
	return s.tokenOf(ctx, in.ClientRequestToken, in.TransactItems)
}

// tokenOf returns the token of a request with the given payload; nil where it has none.
func (s *Service) tokenOf(ctx context.Context, given *string, payload any) (*token, error) {
	if awsapi.Val(given) == "" {
		return nil, nil
	}
	b, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	t := &token{digest: sha256.Sum256(b), now: s.Clock()}
	r := awsapi.RequestOf(ctx)
	for i := range t.keys {
		t.keys[i] = store.Key("dynamodb", "token", tokenPeriod(t.now)-int64(i), r.Account(), r.Region, *given)
	}
	return t, nil
}

// find says whether the transaction was done before; it is an error if that was another one.
func (t *token) find(tx store.Tx) (bool, error) {
	if t == nil {
		return false, nil
	}
	for _, k := range t.keys {
		b, err := tx.Get(k)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		done := time.Unix(0, int64(binary.BigEndian.Uint64(b)))
		if t.now.Sub(done) >= tokenLife {
			continue
		}
		if !bytes.Equal(b[8:], t.digest[:]) {
			return false, api.IdempotentParameterMismatchException.New("DynamoDB rejected the request because you retried a request with a different payload but with an idempotent token that was already used.")
		}
		return true, nil
	}
	return false, nil
}

// keep remembers the transaction.
func (t *token) keep(tx store.Tx) error {
	if t == nil {
		return nil
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(t.digest)), uint64(t.now.UnixNano()))
	return tx.Set(t.keys[0], append(b, t.digest[:]...))
}

// forgetTokens forgets the tokens of periods that are over.
func (s *Service) forgetTokens(ctx context.Context) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		return tx.DeleteRange(store.Key("dynamodb", "token"), store.Key("dynamodb", "token", tokenPeriod(s.Clock())-1))
	})
}
