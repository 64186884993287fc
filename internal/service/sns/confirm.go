package sns

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"
)

// How long a token is, in bytes, and how long it confirms: two days.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
const (
	tokenSize = 144
	tokenLife = 2 * 24 * time.Hour
)

// token is the record of what confirms a subscription, or brings one back that was ended by its URL.
type token struct {
	Text         string       `json:"text"`
	Subscription subscription `json:"subscription"`
	Issued       time.Time    `json:"issued"`
}

func tokenKey(token string) []byte { return store.Key("sns", "token", token) }

func newToken() string {
	var b [tokenSize]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// askToConfirm sends a pending subscription's endpoint the token that confirms it. No mail is sent.
func (s *Service) askToConfirm(tx store.Tx, sub *subscription) error {
	if !sub.Pending {
		return nil
	}
	if err := store.SetRecord(tx, tokenKey(sub.Token), token{sub.Token, *sub, s.Clock()}); err != nil {
		return err
	}
	return s.enqueueNotice(tx, sub, kindConfirm, sub.Token)
}

// tellOfEnd tells an endpoint that its subscription has ended, and how it comes back.
func (s *Service) tellOfEnd(tx store.Tx, sub *subscription) error {
	back := newToken()
	if err := store.SetRecord(tx, tokenKey(back), token{back, *sub, s.Clock()}); err != nil {
		return err
	}
	return s.enqueueNotice(tx, sub, kindEnd, back)
}

// expireTokens removes tokens that confirm no longer, with the subscriptions that nobody confirmed.
func (s *Service) expireTokens(ctx context.Context) error {
	var old []token
	err := s.Store.View(ctx, func(r store.Reader) error {
		for k, err := range store.Records[token](r, store.Prefix("sns", "token")) {
			if err != nil {
				return err
			}
			if s.Clock().Sub(k.Issued) > tokenLife {
				old = append(old, k)
			}
		}
		return nil
	})
	if err != nil || len(old) == 0 {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for i := range old {
			if err := old[i].expire(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// expire removes a token and the subscription that it was to confirm.
func (k *token) expire(tx store.Tx) error {
	if err := tx.Delete(tokenKey(k.Text)); err != nil {
		return err
	}
	sub, found, err := store.GetRecord[subscription](tx, subscriptionKey(k.Subscription.subscriptionRef))
	if err != nil || !found || !sub.Pending || sub.Token != k.Text {
		return err
	}
	return sub.remove(tx)
}

// ConfirmSubscription confirms a subscription with the token that its endpoint was sent.
// https://docs.aws.amazon.com/sns/latest/api/API_ConfirmSubscription.html
func (s *Service) ConfirmSubscription(ctx context.Context, in *api.ConfirmSubscriptionInput) (*api.ConfirmSubscriptionResponse, error) {
	arn, err := s.confirm(ctx, awsapi.Val(in.TopicArn), awsapi.Val(in.Token), isTrue(awsapi.Val(in.AuthenticateOnUnsubscribe)), true)
	if err != nil {
		return nil, err
	}
	return &api.ConfirmSubscriptionResponse{SubscriptionArn: &arn}, nil
}

// confirm confirms a subscription; guard says that only an authenticated request may end it.
func (s *Service) confirm(ctx context.Context, topicARN, text string, guard, authenticated bool) (arn string, err error) {
	f, err := fields("TopicArn", topicARN)
	if err != nil {
		return "", err
	}
	if _, err := hex.DecodeString(text); err != nil || len(text) != 2*tokenSize {
		return "", api.InvalidParameterException.New("Invalid token")
	}
	invalid := api.InvalidParameterException.New("Invalid parameter: Token")
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		k, found, err := store.GetRecord[token](tx, tokenKey(text))
		if err != nil {
			return err
		}
		if !found || s.Clock().Sub(k.Issued) > tokenLife {
			return invalid
		}
		if ref := k.Subscription.Topic; f[3] != ref.Region || topicARN != ref.arn() {
			return api.InvalidParameterException.New("Invalid parameter: Topic")
		}
		switch k.Subscription.Protocol {
		case protocolMail, protocolJSON:
			return unsupported("mail")
		}
		sub, found, err := store.GetRecord[subscription](tx, subscriptionKey(k.Subscription.subscriptionRef))
		if err != nil {
			return err
		}
		if !found {
			sub = k.Subscription
		}
		arn = sub.arn()
		if found && !sub.Pending {
			return nil
		}
		sub.Pending, sub.Authenticated, sub.Since = false, authenticated, s.Clock()
		sub.GuardedEnd, sub.Token = guard && authenticated, text
		if err := sub.put(tx); err != nil {
			return err
		}
		return s.touch(tx, sub.Topic)
	})
	return arn, err
}
