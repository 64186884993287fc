package s3

import (
	"crypto/sha256"
	"encoding/hex"

	api "cirro/internal/awsapi/s3"
)

// canonicalID is an account's canonical user id, by which S3 names owners and grantees: made up of the account.
// https://docs.aws.amazon.com/accounts/latest/reference/manage-acct-identifiers.html
func canonicalID(account string) string {
	h := sha256.Sum256([]byte("canonical user id of " + account))
	return hex.EncodeToString(h[:])
}

// ownerOf is an account as an owner.
func ownerOf(account string) *api.Owner { return &api.Owner{ID: new(canonicalID(account))} }
