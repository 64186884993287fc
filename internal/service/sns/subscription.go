package sns

import (
	"context"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// subscription is the record of a subscription.
type subscription struct {
	subscriptionRef
	Owner         string            `json:"owner"`     // account
	Principal     string            `json:"principal"` // ARN of who subscribed
	Protocol      string            `json:"protocol"`
	Endpoint      string            `json:"endpoint"`
	Attributes    map[string]string `json:"attributes"`
	Since         time.Time         `json:"since"` // what was published before is not delivered
	Pending       bool              `json:"pending,omitempty"`
	Token         string            `json:"token,omitempty"`         // that confirms it
	Authenticated bool              `json:"authenticated,omitempty"` // whoever confirmed it was
	// GuardedEnd says that only an authenticated request may end it.
	GuardedEnd bool `json:"guardedEnd,omitempty"`
	// Base is the platform's address as the subscriber knows it.
	Base string `json:"base,omitempty"`
}

// Protocols that are delivered to. Mail is not sent: those subscriptions stay unconfirmed.
const (
	protocolSQS    = "sqs"
	protocolLambda = "lambda"
	protocolHTTP   = "http"
	protocolHTTPS  = "https"
	protocolMail   = "email"
	protocolJSON   = "email-json"
)

const pendingARN = "PendingConfirmation"

func subscriptionKey(s subscriptionRef) []byte {
	return store.Key("sns", "subscription", s.Topic.Account, s.Topic.Region, s.Topic.Name, s.ID)
}

// subscriptions is the range of a topic's subscriptions.
func subscriptions(t topicRef) store.Range {
	return store.Prefix("sns", "subscription", t.Account, t.Region, t.Name)
}

// ownerKey lists a subscription with those of its owner.
func (s *subscription) ownerKey() []byte {
	return store.Key("sns", "owner", s.Owner, s.Topic.Region, s.Topic.Account, s.Topic.Name, s.ID)
}

func (s *subscription) put(tx store.Tx) error {
	if err := store.SetRecord(tx, s.ownerKey(), s.subscriptionRef); err != nil {
		return err
	}
	return store.SetRecord(tx, subscriptionKey(s.subscriptionRef), s)
}

func (s *subscription) remove(tx store.Tx) error {
	if err := tx.Delete(s.ownerKey()); err != nil {
		return err
	}
	if s.Token != "" {
		if err := tx.Delete(tokenKey(s.Token)); err != nil {
			return err
		}
	}
	return tx.Delete(subscriptionKey(s.subscriptionRef))
}

var errNoSubscription = api.NotFoundException.New("Subscription does not exist")

func getSubscription(r store.Reader, ref subscriptionRef) (*subscription, error) {
	s, found, err := store.GetRecord[subscription](r, subscriptionKey(ref))
	if err == nil && !found {
		err = errNoSubscription
	}
	return &s, err
}

// http reports whether the subscriber is called by HTTP.
func (s *subscription) http() bool { return s.Protocol == protocolHTTP || s.Protocol == protocolHTTPS }

func (s *subscription) raw() bool { return s.Attributes["RawMessageDelivery"] == "true" }

// Subscribe subscribes an endpoint to a topic. Queues and functions of the subscriber's own account are
// confirmed at once, others when they answer with the token that they are sent.
// https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html
func (s *Service) Subscribe(ctx context.Context, in *api.SubscribeInput) (*api.SubscribeResponse, error) {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	req := awsapi.RequestOf(ctx)
	sub := &subscription{subscriptionRef: subscriptionRef{Topic: ref, ID: uuid.NewString()}, Owner: req.Account(),
		Principal: req.Principal.ARN, Protocol: awsapi.Val(in.Protocol), Endpoint: awsapi.Val(in.Endpoint),
		Attributes: map[string]string{}, Since: s.Clock(), Base: req.Endpoint}
	if err := sub.checkEndpoint(); err != nil {
		return nil, err
	}
	for _, name := range inOrderOfSetting(in.Attributes) {
		if err := sub.setAttribute(name, in.Attributes[name], true); err != nil {
			return nil, err
		}
	}
	sub.Pending = !sub.own()
	sub.Authenticated = !sub.Pending
	if sub.Pending {
		sub.Token = newToken()
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error { return s.subscribe(tx, sub) })
	if err != nil {
		return nil, err
	}
	if sub.Pending && !awsapi.Val(in.ReturnSubscriptionArn) {
		return &api.SubscribeResponse{SubscriptionArn: new("pending confirmation")}, nil
	}
	return &api.SubscribeResponse{SubscriptionArn: new(sub.arn())}, nil
}

// subscribe writes a subscription, unless the endpoint is subscribed already: then sub becomes that one.
func (s *Service) subscribe(tx store.Tx, sub *subscription) error {
	t, err := getTopic(tx, sub.Topic)
	if err != nil {
		return err
	}
	for old, err := range store.Records[subscription](tx, subscriptions(sub.Topic)) {
		if err != nil {
			return err
		}
		if old.Protocol != sub.Protocol || old.Endpoint != sub.Endpoint {
			continue
		}
		for name, value := range sub.Attributes {
			if old.Attributes[name] != value {
				return api.InvalidParameterException.New("Invalid parameter: Attributes Reason: Subscription already exists with different attributes")
			}
		}
		*sub = old
		return s.askToConfirm(tx, sub)
	}
	if err := sub.put(tx); err != nil {
		return err
	}
	if err := s.askToConfirm(tx, sub); err != nil {
		return err
	}
	return t.put(tx)
}

// checkEndpoint checks the endpoint that is to be subscribed.
func (s *subscription) checkEndpoint() error {
	refuse := api.InvalidParameterException.New
	if s.Endpoint == "" {
		return api.NotFoundException.New("Endpoint not specified in subscription")
	}
	target, isARN := parseResource(s.Endpoint)
	switch s.Protocol {
	case protocolHTTP, protocolHTTPS:
		if !strings.HasPrefix(s.Endpoint, s.Protocol+"://") {
			return refuse("Invalid parameter: Endpoint must match the specified protocol")
		}
	case protocolSQS:
		if !isARN || target.Service != "sqs" {
			return refuse("Invalid parameter: SQS endpoint ARN")
		}
		if strings.HasSuffix(s.Endpoint, ".fifo") && !s.Topic.fifo() {
			return refuse("Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to standard SNS topics")
		}
	case protocolLambda:
		if !isARN || target.Service != "lambda" {
			return refuse("Invalid parameter: Lambda endpoint ARN")
		}
	case protocolMail, protocolJSON:
		if !strings.Contains(s.Endpoint, "@") {
			return refuse("Invalid parameter: Email address")
		}
	case "sms", "application", "firehose":
		return unsupported("the protocol " + s.Protocol)
	default:
		return refuse("Invalid parameter: Amazon SNS does not support this protocol string: %s", s.Protocol)
	}
	if s.Topic.fifo() && s.Protocol != protocolSQS {
		return refuse("Invalid parameter: Invalid protocol type: %s", s.Protocol)
	}
	return nil
}

// own reports whether the endpoint belongs to the subscriber, so that nobody else needs to agree.
func (s *subscription) own() bool {
	target, isARN := parseResource(s.Endpoint)
	return (s.Protocol == protocolSQS || s.Protocol == protocolLambda) && isARN && target.Account == s.Owner
}

// Unsubscribe ends a subscription. One that is not there has ended already.
// https://docs.aws.amazon.com/sns/latest/api/API_Unsubscribe.html
func (s *Service) Unsubscribe(ctx context.Context, in *api.UnsubscribeInput) (*api.UnsubscribeOutput, error) {
	return nil, s.unsubscribe(ctx, awsapi.Val(in.SubscriptionArn), true)
}

// unsubscribe ends a subscription; whoever asks without being authenticated may do so unless the subscription
// forbids it, and the endpoint is told how to take it back.
func (s *Service) unsubscribe(ctx context.Context, arn string, authenticated bool) error {
	ref, err := parseSubscription(arn)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		sub, found, err := store.GetRecord[subscription](tx, subscriptionKey(ref))
		if err != nil || !found {
			return err
		}
		if !authenticated && sub.GuardedEnd {
			return api.AuthorizationErrorException.New("The subscription can be ended by an authenticated request only")
		}
		if err := sub.remove(tx); err != nil {
			return err
		}
		if !authenticated && sub.http() {
			if err := s.tellOfEnd(tx, &sub); err != nil {
				return err
			}
		}
		t, found, err := store.GetRecord[topic](tx, topicKey(ref.Topic))
		if err != nil || !found {
			return err
		}
		t.Deleted++
		return t.put(tx)
	})
}

// view is a subscription as a client sees it in a list.
func (s *subscription) view() api.Subscription {
	arn := s.arn()
	if s.Pending {
		arn = pendingARN
	}
	return api.Subscription{SubscriptionArn: &arn, Owner: &s.Owner, Protocol: &s.Protocol, Endpoint: &s.Endpoint, TopicArn: new(s.Topic.arn())}
}

// ListSubscriptions lists an account's subscriptions.
// https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptions.html
func (s *Service) ListSubscriptions(ctx context.Context, in *api.ListSubscriptionsInput) (*api.ListSubscriptionsResponse, error) {
	req := awsapi.RequestOf(ctx)
	out := &api.ListSubscriptionsResponse{Subscriptions: []api.Subscription{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		refs, next, err := page[subscriptionRef](r, store.Prefix("sns", "owner", req.Account(), req.Region), in.NextToken)
		out.NextToken = next
		for _, ref := range refs {
			sub, err := getSubscription(r, ref)
			if err != nil {
				return err
			}
			out.Subscriptions = append(out.Subscriptions, sub.view())
		}
		return err
	})
	return out, err
}

// ListSubscriptionsByTopic lists a topic's subscriptions.
// https://docs.aws.amazon.com/sns/latest/api/API_ListSubscriptionsByTopic.html
func (s *Service) ListSubscriptionsByTopic(ctx context.Context, in *api.ListSubscriptionsByTopicInput) (*api.ListSubscriptionsByTopicResponse, error) {
	out := &api.ListSubscriptionsByTopicResponse{Subscriptions: []api.Subscription{}}
	err := s.viewTopic(ctx, in.TopicArn, func(r store.Reader, t *topic) error {
		list, next, err := page[subscription](r, subscriptions(t.topicRef), in.NextToken)
		out.NextToken = next
		for i := range list {
			out.Subscriptions = append(out.Subscriptions, list[i].view())
		}
		return err
	})
	return out, err
}

// inOrderOfSetting lists attributes such that the scope of a filter comes before the filter.
func inOrderOfSetting(attributes map[string]string) []string {
	names := sortedKeys(attributes)
	slices.SortStableFunc(names, func(a, b string) int {
		return strings.Compare(strings.TrimPrefix(a, "FilterPolicyScope"), strings.TrimPrefix(b, "FilterPolicyScope"))
	})
	return names
}
