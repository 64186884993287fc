// Package identity says who a request comes from: it turns an access key into a principal and its
// secret, and issues the temporary credentials of sessions.
//
// It owns the platform's signing key and the index of IAM users' access keys. What a principal may do
// is no concern of it.
package identity

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/store"
)

// Errors of Identify.
var (
	ErrUnknownKey   = errors.New("identity: unknown access key")
	ErrInvalidToken = errors.New("identity: invalid session token")
	ErrExpiredToken = errors.New("identity: expired session token")
)

// Authority issues and recognises credentials.
type Authority struct {
	store store.Store
	key   []byte // 32 bytes; what sessions are signed with
	root  *rootKey
	now   func() time.Time
}

// rootKey is the access key given to the platform at its start.
type rootKey struct{ id, secret string }

// Options are what an Authority is made with. RootKeyID and RootSecret, where not empty, are an access
// key of the default account's root.
type Options struct {
	RootKeyID, RootSecret string
	Now                   func() time.Time // nil for time.Now
}

var platformKey = store.Key("identity", "key")

// New opens the authority of a store; the first call makes its signing key.
func New(ctx context.Context, s store.Store, o Options) (*Authority, error) {
	a := &Authority{store: s, now: o.Now}
	if a.now == nil {
		a.now = time.Now
	}
	if o.RootKeyID != "" {
		a.root = &rootKey{id: o.RootKeyID, secret: o.RootSecret}
	}
	err := s.View(ctx, func(r store.Reader) (err error) {
		a.key, err = r.Get(platformKey)
		return err
	})
	if !errors.Is(err, store.ErrNotFound) {
		return a, err
	}
	err = s.Update(ctx, func(tx store.Tx) error {
		key, err := tx.Get(platformKey)
		if errors.Is(err, store.ErrNotFound) {
			key = make([]byte, 32)
			rand.Read(key)
			err = tx.Set(platformKey, key)
		}
		a.key = key
		return err
	})
	return a, err
}

// Session is a temporary identity.
type Session struct {
	Account string
	ARN     string // arn:aws:sts::<account>:assumed-role/<role>/<name>
	UserID  string // AROA…:<name>
	Expires time.Time
}

// Credentials are an access key; SessionToken and Expires are a session's alone.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// claims are what a session token says; it is trusted for its signature, so that no session needs a
// place in the store.
type claims struct {
	AccessKey string `json:"k"`
	Account   string `json:"a"`
	ARN       string `json:"r"`
	UserID    string `json:"u"`
	Expires   int64  `json:"e"` // seconds since the epoch
}

// Issue makes credentials for a session.
func (a *Authority) Issue(s Session) Credentials {
	c := claims{AccessKey: NewID("ASIA"), Account: s.Account, ARN: s.ARN, UserID: s.UserID, Expires: s.Expires.Unix()}
	body, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings and a number
	}
	token := base64.StdEncoding.EncodeToString(append(a.sign("token", body), body...))
	return Credentials{AccessKeyID: c.AccessKey, SecretAccessKey: a.secret(c.AccessKey),
		SessionToken: token, Expires: s.Expires}
}

// secret derives the secret of a session's access key.
func (a *Authority) secret(accessKey string) string {
	return base64.StdEncoding.EncodeToString(a.sign("secret", []byte(accessKey)))[:40]
}

func (a *Authority) sign(purpose string, b []byte) []byte {
	h := hmac.New(sha256.New, a.key)
	h.Write([]byte(purpose))
	h.Write([]byte{0})
	h.Write(b)
	return h.Sum(nil)
}

// Identify returns the principal that an access key stands for, with its secret. A key that the
// platform did not issue answers ErrUnknownKey together with the principal that it stands for where
// signatures are not verified: the root of the account that it names with 12 digits, or of the
// default account.
func (a *Authority) Identify(ctx context.Context, accessKey, sessionToken string) (awsapi.Principal, string, error) {
	switch {
	case a.root != nil && accessKey == a.root.id:
		return awsapi.RootPrincipal(awsapi.DefaultAccount, accessKey), a.root.secret, nil
	case strings.HasPrefix(accessKey, "ASIA") && sessionToken != "":
		return a.session(accessKey, sessionToken)
	case strings.HasPrefix(accessKey, "AKIA"):
		key, found, err := a.AccessKey(ctx, accessKey)
		if err != nil {
			return awsapi.Principal{}, "", err
		}
		if found && key.Active {
			p := awsapi.Principal{Account: key.Account, ARN: key.UserARN, UserID: key.UserID, AccessKey: accessKey}
			return p, key.Secret, nil
		}
	}
	return awsapi.RootPrincipal(awsapi.AccountOf(accessKey), accessKey), "", ErrUnknownKey
}

func (a *Authority) session(accessKey, token string) (awsapi.Principal, string, error) {
	fallback := awsapi.RootPrincipal(awsapi.DefaultAccount, accessKey)
	b, err := base64.StdEncoding.DecodeString(token)
	if err != nil || len(b) < sha256.Size {
		return fallback, "", ErrInvalidToken
	}
	var c claims
	mac, body := b[:sha256.Size], b[sha256.Size:]
	if !hmac.Equal(mac, a.sign("token", body)) || json.Unmarshal(body, &c) != nil || c.AccessKey != accessKey {
		return fallback, "", ErrInvalidToken
	}
	if a.now().Unix() >= c.Expires {
		return fallback, "", ErrExpiredToken
	}
	p := awsapi.Principal{Account: c.Account, ARN: c.ARN, UserID: c.UserID, AccessKey: accessKey}
	return p, a.secret(accessKey), nil
}

// NewID makes a unique id as IAM does: the four letters of its kind (AKIA, ASIA, AIDA, AROA, …)
// before 16 of base 32.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func NewID(kind string) string {
	var b [10]byte
	rand.Read(b[:])
	return kind + base32.StdEncoding.EncodeToString(b[:])
}
