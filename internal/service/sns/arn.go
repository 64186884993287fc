package sns

import (
	"context"
	"fmt"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
)

// topicRef names a topic.
type topicRef struct {
	Account string `json:"account"`
	Region  string `json:"region"`
	Name    string `json:"name"`
}

func (t topicRef) arn() string {
	return fmt.Sprintf("arn:aws:sns:%s:%s:%s", t.Region, t.Account, t.Name)
}

// fifo reports whether the topic is one that keeps order.
func (t topicRef) fifo() bool { return strings.HasSuffix(t.Name, ".fifo") }

// subscriptionRef names a subscription.
type subscriptionRef struct {
	Topic topicRef `json:"topic"`
	ID    string   `json:"id"`
}

func (s subscriptionRef) arn() string { return s.Topic.arn() + ":" + s.ID }

// fields splits an ARN and checks that it has enough of them.
func fields(parameter, arn string) ([]string, error) {
	f := strings.Split(arn, ":")
	if len(f) < 6 {
		return nil, api.InvalidParameterException.New("Invalid parameter: %s Reason: An ARN must have at least 6 elements, not %d", parameter, len(f))
	}
	return f, nil
}

// parseTopic reads a topic's ARN, which must be in the request's region.
func parseTopic(ctx context.Context, parameter, arn string) (topicRef, error) {
	f, err := fields(parameter, arn)
	if err != nil {
		return topicRef{}, err
	}
	if len(f) != 6 || f[0] != "arn" || f[2] != "sns" || f[3] != awsapi.RequestOf(ctx).Region || f[5] == "" {
		return topicRef{}, api.InvalidParameterException.New("Invalid parameter: %s", parameter)
	}
	return topicRef{Account: f[4], Region: f[3], Name: f[5]}, nil
}

// parseSubscription reads a subscription's ARN.
func parseSubscription(arn string) (subscriptionRef, error) {
	f, err := fields("SubscriptionArn", arn)
	if err != nil {
		return subscriptionRef{}, err
	}
	if len(f) != 7 || f[0] != "arn" || f[2] != "sns" {
		return subscriptionRef{}, api.InvalidParameterException.New("Invalid parameter: SubscriptionId")
	}
	return subscriptionRef{Topic: topicRef{Account: f[4], Region: f[3], Name: f[5]}, ID: f[6]}, nil
}

// resource is what the ARN of a queue or a function says.
type resource struct{ Service, Region, Account, Name string }

func parseResource(arn string) (resource, bool) {
	f := strings.SplitN(arn, ":", 6)
	if len(f) != 6 || f[0] != "arn" {
		return resource{}, false
	}
	return resource{Service: f[2], Region: f[3], Account: f[4], Name: f[5]}, true
}
