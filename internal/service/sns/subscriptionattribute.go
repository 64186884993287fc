package sns

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/service/sns/filter"
	"cirro/internal/store"
)

// redrivePolicy says where what could not be delivered goes.
type redrivePolicy struct {
	Target string `json:"deadLetterTargetArn"`
}

// setAttribute sets one attribute of a subscription, as Subscribe or SetSubscriptionAttributes says.
// https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
func (s *subscription) setAttribute(name, value string, subscribing bool) error {
	prefix := "Invalid parameter: "
	if subscribing {
		prefix += "Attributes Reason: "
	}
	refuse := func(format string, args ...any) error {
		return api.InvalidParameterException.New(prefix+format, args...)
	}
	switch name {
	case "RawMessageDelivery":
		if !isTrue(value) && !strings.EqualFold(value, "false") {
			return refuse("RawMessageDelivery: Invalid value [%s]. Must be true or false.", value)
		}
		value = strings.ToLower(value)
		if value == "true" && s.Protocol != protocolSQS && !s.http() {
			return refuse("Delivery protocol [%s] does not support raw message delivery.", s.Protocol)
		}
	case "FilterPolicyScope":
		if value != filter.ScopeAttributes && value != filter.ScopeBody {
			return refuse("FilterPolicyScope: Invalid value [%s]. Please use either MessageBody or MessageAttributes", value)
		}
		if _, err := filter.Compile(s.Attributes["FilterPolicy"], value); err != nil {
			return refuse("%s", err)
		}
	case "FilterPolicy":
		if _, err := filter.Compile(value, s.scope()); err != nil {
			return refuse("%s", err)
		}
	case "RedrivePolicy":
		if reason := s.checkRedrive(value); reason != "" {
			return refuse("RedrivePolicy: %s", reason)
		}
	case "DeliveryPolicy":
		d, err := parseSubscriptionDelivery(value)
		if err != nil {
			return refuse("DeliveryPolicy: %s", err)
		}
		if value != "" {
			value = string(encodeJSON(d))
		}
	case "SubscriptionRoleArn":
	case "ReplayPolicy":
		return unsupported("the archives of FIFO topics (ReplayPolicy)")
	default:
		return refuse("AttributeName")
	}
	if value == "" {
		delete(s.Attributes, name)
	} else {
		s.Attributes[name] = value
	}
	return nil
}

// scope is what the filter looks at.
func (s *subscription) scope() string {
	if v := s.Attributes["FilterPolicyScope"]; v != "" {
		return v
	}
	return filter.ScopeAttributes
}

// checkRedrive says what is wrong with a redrive policy.
func (s *subscription) checkRedrive(text string) string {
	if text == "" {
		return ""
	}
	var p redrivePolicy
	if err := filter.CheckJSON(text); err != nil {
		return "failed to parse JSON. " + err.Error()
	}
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return "failed to parse JSON. " + err.Error()
	}
	queue, ok := parseResource(p.Target)
	switch {
	case !ok || queue.Service != "sqs":
		return "deadLetterTargetArn is an invalid arn"
	case strings.HasSuffix(s.Endpoint, ".fifo") && !strings.HasSuffix(queue.Name, ".fifo"):
		return "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
	}
	return ""
}

// deadLetters is the ARN of the queue for what could not be delivered; "" for none.
func (s *subscription) deadLetters() string {
	var p redrivePolicy
	if json.Unmarshal([]byte(s.Attributes["RedrivePolicy"]), &p) != nil {
		return ""
	}
	return p.Target
}

// SetSubscriptionAttributes sets one attribute of a subscription.
// https://docs.aws.amazon.com/sns/latest/api/API_SetSubscriptionAttributes.html
func (s *Service) SetSubscriptionAttributes(ctx context.Context, in *api.SetSubscriptionAttributesInput) (*api.SetSubscriptionAttributesOutput, error) {
	ref, err := parseSubscription(awsapi.Val(in.SubscriptionArn))
	if err != nil {
		return nil, err
	}
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		sub, err := getSubscription(tx, ref)
		if err != nil {
			return err
		}
		if err := sub.setAttribute(awsapi.Val(in.AttributeName), awsapi.Val(in.AttributeValue), false); err != nil {
			return err
		}
		if err := sub.put(tx); err != nil {
			return err
		}
		return s.touch(tx, ref.Topic)
	})
}

// touch says that a topic's subscriptions have changed.
func (s *Service) touch(tx store.Tx, ref topicRef) error {
	t, err := getTopic(tx, ref)
	if err != nil {
		return err
	}
	return t.put(tx)
}

// GetSubscriptionAttributes returns a subscription's attributes.
// https://docs.aws.amazon.com/sns/latest/api/API_GetSubscriptionAttributes.html
func (s *Service) GetSubscriptionAttributes(ctx context.Context, in *api.GetSubscriptionAttributesInput) (*api.GetSubscriptionAttributesResponse, error) {
	ref, err := parseSubscription(awsapi.Val(in.SubscriptionArn))
	if err != nil {
		return nil, err
	}
	out := &api.GetSubscriptionAttributesResponse{}
	err = s.Store.View(ctx, func(r store.Reader) error {
		sub, err := getSubscription(r, ref)
		if err != nil {
			return err
		}
		t, err := getTopic(r, ref.Topic)
		if err != nil {
			return err
		}
		out.Attributes = sub.attributes(t)
		return nil
	})
	return out, err
}

// attributes are a subscription's attributes as a client sees them.
func (s *subscription) attributes(t *topic) map[string]string {
	a := map[string]string{
		"SubscriptionArn":              s.arn(),
		"TopicArn":                     s.Topic.arn(),
		"Owner":                        s.Owner,
		"Protocol":                     s.Protocol,
		"Endpoint":                     s.Endpoint,
		"PendingConfirmation":          strconv.FormatBool(s.Pending),
		"ConfirmationWasAuthenticated": strconv.FormatBool(s.Authenticated),
		"RawMessageDelivery":           "false",
		"SubscriptionPrincipal":        s.Principal,
	}
	for name, value := range s.Attributes {
		a[name] = value
	}
	delete(a, "FilterPolicyScope")
	if s.Attributes["FilterPolicy"] != "" {
		a["FilterPolicyScope"] = s.scope()
	}
	if s.http() {
		a["EffectiveDeliveryPolicy"] = string(encodeJSON(s.effectiveDelivery(t)))
	}
	return a
}
