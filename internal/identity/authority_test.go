package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/identity"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
)

func open(t *testing.T, dir string) store.Store {
	t.Helper()
	s, err := pebble.Open(dir, pebble.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func authority(t *testing.T, s store.Store, o identity.Options) *identity.Authority {
	t.Helper()
	a, err := identity.New(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func session() identity.Session {
	return identity.Session{Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-role/r/s",
		UserID: "AROAX:s", Expires: start.Add(time.Hour)}
}

func TestSessionSurvivesARestartAndExpires(t *testing.T) {
	dir, now := t.TempDir(), start
	clock := identity.Options{Now: func() time.Time { return now }}
	s := open(t, dir)
	c := authority(t, s, clock).Issue(session())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	defer s.Close()
	a := authority(t, s, clock)
	p, secret, err := a.Identify(t.Context(), c.AccessKeyID, c.SessionToken)
	if err != nil || p.ARN != session().ARN || p.Account != session().Account || secret != c.SecretAccessKey {
		t.Fatalf("Identify = %+v, %q, %v; want the session and its secret %q", p, secret, err, c.SecretAccessKey)
	}
	now = start.Add(time.Hour)
	if _, _, err := a.Identify(t.Context(), c.AccessKeyID, c.SessionToken); !errors.Is(err, identity.ErrExpiredToken) {
		t.Errorf("after its time: %v, want ErrExpiredToken", err)
	}
}

func TestSessionTokensCannotBeForged(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	a := authority(t, s, identity.Options{Now: func() time.Time { return start }})
	c, other := a.Issue(session()), a.Issue(session())
	flip := func(token string, i int) string {
		b := []byte(token)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		return string(b)
	}
	for name, token := range map[string]string{
		"another key's token": other.SessionToken,
		"a changed signature": flip(c.SessionToken, 3),
		"changed claims":      flip(c.SessionToken, 80),
		"no base64":           "!",
		"a short token":       "QUJD",
	} {
		if _, secret, err := a.Identify(t.Context(), c.AccessKeyID, token); !errors.Is(err, identity.ErrInvalidToken) || secret != "" {
			t.Errorf("%s: %q, %v; want ErrInvalidToken", name, secret, err)
		}
	}
}

func TestKeysThatNobodyIssued(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	a := authority(t, s, identity.Options{RootKeyID: "root-key", RootSecret: "root-secret"})
	for key, want := range map[string]string{
		"test":          "arn:aws:iam::000000000000:root",
		"111122223333":  "arn:aws:iam::111122223333:root",
		"1111222233334": "arn:aws:iam::000000000000:root",
		"AKIAUNKNOWN":   "arn:aws:iam::000000000000:root",
	} {
		p, secret, err := a.Identify(t.Context(), key, "")
		if p.ARN != want || secret != "" || !errors.Is(err, identity.ErrUnknownKey) {
			t.Errorf("%s is %s, %q, %v; want %s and ErrUnknownKey", key, p.ARN, secret, err, want)
		}
	}
	if p, secret, err := a.Identify(t.Context(), "root-key", ""); err != nil || secret != "root-secret" || p.UserID != awsapi.DefaultAccount {
		t.Errorf("the root key is %+v, %q, %v", p, secret, err)
	}
}

func TestAccessKeyOfAUser(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	a := authority(t, s, identity.Options{})
	k := identity.NewAccessKey("111122223333", "arn:aws:iam::111122223333:user/ann", "AIDAX", start)
	if !strings.HasPrefix(k.ID, "AKIA") || len(k.ID) != 20 || len(k.Secret) != 40 {
		t.Errorf("a key of AWS's form has 20 and 40 characters: %q, %q", k.ID, k.Secret)
	}
	set := func(k identity.AccessKey) {
		if err := s.Update(t.Context(), func(tx store.Tx) error { return identity.SetAccessKey(tx, k) }); err != nil {
			t.Fatal(err)
		}
	}
	set(k)
	p, secret, err := a.Identify(t.Context(), k.ID, "")
	if err != nil || p.ARN != k.UserARN || secret != k.Secret {
		t.Errorf("Identify = %+v, %q, %v", p, secret, err)
	}
	k.Active = false
	set(k)
	if _, secret, err := a.Identify(t.Context(), k.ID, ""); !errors.Is(err, identity.ErrUnknownKey) || secret != "" {
		t.Errorf("a key switched off: %q, %v; want ErrUnknownKey", secret, err)
	}
}
