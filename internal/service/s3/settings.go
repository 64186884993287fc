package s3

import (
	"context"
	"net/http"
	"sync"

	"cirro/internal/awsapi"
	"cirro/internal/store"
)

// Kinds of configurations of a bucket, as configKey has them.
const (
	kindACL          = "acl"
	kindAccelerate   = "accelerate"
	kindCORS         = "cors"
	kindEncryption   = "encryption"
	kindLifecycle    = "lifecycle"
	kindLogging      = "logging"
	kindNotification = "notification"
	kindObjectLock   = "object-lock"
	kindOwnership    = "ownership"
	kindPayment      = "payment"
	kindPolicy       = "policy"
	kindPublicAccess = "public-access"
	kindTagging      = "tagging"
	kindWebsite      = "website"
)

// settings keeps what was made of buckets' configurations. Every change of one raises its number, so that what
// was made of it is right for as long as the bucket names that number.
type settings struct {
	mu   sync.RWMutex
	made map[setting]any
}

type setting struct {
	bucketID, kind string
	change         int64
}

// maxSettings bounds what is kept; beyond it all is made again.
const maxSettings = 4096

// configOf returns what compile makes of a bucket's configuration of a kind, the zero value where it has none.
// What it returns is shared, and must not be changed.
func configOf[T, C any](s *Service, r store.Reader, b *bucket, kind string, compile func(C) (T, error)) (made T, err error) {
	change, has := b.Configs[kind]
	if !has {
		return made, nil
	}
	k := setting{b.ID, kind, change}
	s.settings.mu.RLock()
	known, ok := s.settings.made[k]
	s.settings.mu.RUnlock()
	if ok {
		return known.(T), nil
	}
	var config C
	if _, err := s.getConfig(r, b, kind, &config); err != nil {
		return made, err
	}
	if made, err = compile(config); err != nil {
		return made, err
	}
	s.settings.mu.Lock()
	defer s.settings.mu.Unlock()
	if s.settings.made == nil || len(s.settings.made) >= maxSettings {
		s.settings.made = map[setting]any{}
	}
	s.settings.made[k] = made
	return made, nil
}

// asIs is what configOf makes of a configuration that is used as it is kept.
func asIs[T any](config T) (*T, error) { return &config, nil }

// change changes a bucket's settings in a transaction.
func (s *Service) change(ctx context.Context, name string, owner *string, action string, f func(store.Tx, *bucket) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		b, err := s.access(ctx, tx, name, owner, action, "")
		if err != nil {
			return err
		}
		return f(tx, b)
	})
}

// inspect reads a bucket's settings.
func (s *Service) inspect(ctx context.Context, name string, owner *string, action string, f func(store.Reader, *bucket) error) error {
	return s.Store.View(ctx, func(r store.Reader) error {
		b, err := s.access(ctx, r, name, owner, action, "")
		if err != nil {
			return err
		}
		return f(r, b)
	})
}

// keep writes a configuration of a bucket.
func (s *Service) keep(ctx context.Context, name string, owner *string, action, kind string, config any) error {
	return s.change(ctx, name, owner, action, func(tx store.Tx, b *bucket) error {
		_, err := s.setConfig(tx, b, kind, config)
		return err
	})
}

// drop removes a configuration of a bucket. That there is none is no error.
func (s *Service) drop(ctx context.Context, name string, owner *string, action, kind string) error {
	return s.change(ctx, name, owner, action, func(tx store.Tx, b *bucket) error {
		_, err := s.deleteConfig(tx, b, kind)
		return err
	})
}

// kept reads a configuration of a bucket; missing is the answer where there is none.
func kept[T any](ctx context.Context, s *Service, name string, owner *string, action, kind string, missing *awsapi.Error) (config T, err error) {
	err = s.inspect(ctx, name, owner, action, func(r store.Reader, b *bucket) error {
		has, err := s.getConfig(r, b, kind, &config)
		if err == nil && !has && missing != nil {
			return missing.With("BucketName", name)
		}
		return err
	})
	return config, err
}

// lacking is the error for a configuration that a bucket does not have.
func lacking(code, message string) *awsapi.Error {
	return (&awsapi.ErrorType{Code: code, Status: http.StatusNotFound}).New("%s", message)
}

// wrongArgument is S3's answer to a value that it does not take.
func wrongArgument(name, value, format string, args ...any) *awsapi.Error {
	return invalidArgument.New(format, args...).With("ArgumentName", name).With("ArgumentValue", value)
}

// badXML is S3's answer to a document whose parts do not go together.
func badXML() *awsapi.Error {
	return malformedXML.New("The XML you provided was not well-formed or did not validate against our published schema")
}
