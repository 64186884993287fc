package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"cirro/internal/store"
)

// AccessKey is a long-lived access key of an IAM user.
type AccessKey struct {
	ID      string
	Secret  string
	Account string
	UserARN string
	UserID  string
	Active  bool
	Created time.Time
}

func accessKeyKey(id string) []byte { return store.Key("identity", "accesskey", id) }

// NewAccessKey makes an access key; it counts once SetAccessKey wrote it.
func NewAccessKey(account, userARN, userID string, now time.Time) AccessKey {
	var secret [30]byte
	rand.Read(secret[:])
	return AccessKey{ID: NewID("AKIA"), Secret: base64.StdEncoding.EncodeToString(secret[:]), Account: account,
		UserARN: userARN, UserID: userID, Active: true, Created: now}
}

// SetAccessKey writes a key in the transaction that changes its user.
func SetAccessKey(tx store.Tx, k AccessKey) error { return store.SetRecord(tx, accessKeyKey(k.ID), k) }

// DeleteAccessKey removes a key in the transaction that changes its user.
func DeleteAccessKey(tx store.Tx, id string) error { return tx.Delete(accessKeyKey(id)) }

// AccessKey looks an access key up.
func (a *Authority) AccessKey(ctx context.Context, id string) (k AccessKey, found bool, err error) {
	err = a.store.View(ctx, func(r store.Reader) error {
		k, found, err = FindAccessKey(r, id)
		return err
	})
	return k, found, err
}

// FindAccessKey reads an access key in a transaction.
func FindAccessKey(r store.Reader, id string) (k AccessKey, found bool, err error) {
	return store.GetRecord[AccessKey](r, accessKeyKey(id))
}
