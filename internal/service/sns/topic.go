package sns

import (
	"context"
	"maps"
	"math/rand/v2"
	"regexp"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"
)

// topic is the record of a topic.
type topic struct {
	topicRef
	Created    time.Time         `json:"created"`
	Attributes map[string]string `json:"attributes"` // as they were set
	Tags       []api.Tag         `json:"tags,omitempty"`
	Deleted    int               `json:"deleted,omitempty"` // subscriptions that there were
	// Revision grows with every change of the topic and of its subscriptions. It begins anywhere, so that a topic
	// is not taken for another of its name.
	Revision int64 `json:"revision"`
}

func topicKey(t topicRef) []byte {
	return store.Key("sns", "topic", t.Account, t.Region, t.Name)
}

// errNoTopic is the answer where a topic is not there.
var errNoTopic = api.NotFoundException.New("Topic does not exist")

// getTopic reads a topic's record.
func getTopic(r store.Reader, ref topicRef) (*topic, error) {
	t, found, err := store.GetRecord[topic](r, topicKey(ref))
	if err == nil && !found {
		err = errNoTopic
	}
	return &t, err
}

// put writes a topic that was changed.
func (t *topic) put(tx store.Tx) error {
	t.Revision++
	return store.SetRecord(tx, topicKey(t.topicRef), t)
}

// changeTopic changes a topic in a transaction.
func (s *Service) changeTopic(ctx context.Context, ref topicRef, change func(store.Tx, *topic) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		t, err := getTopic(tx, ref)
		if err != nil {
			return err
		}
		if err := change(tx, t); err != nil {
			return err
		}
		return t.put(tx)
	})
}

// viewTopic reads the topic that an operation's input names.
func (s *Service) viewTopic(ctx context.Context, arn *string, view func(store.Reader, *topic) error) error {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(arn))
	if err != nil {
		return err
	}
	return s.Store.View(ctx, func(r store.Reader) error {
		t, err := getTopic(r, ref)
		if err != nil {
			return err
		}
		return view(r, t)
	})
}

// topicName is what a topic may be called; FIFO topics have the suffix besides.
var topicName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,256}(\.fifo)?$`)

func checkTopicName(name string, fifo bool) error {
	if !topicName.MatchString(name) || fifo != (topicRef{Name: name}).fifo() || len(name) > 256 {
		return api.InvalidParameterException.New("Invalid parameter: Topic Name")
	}
	return nil
}

// CreateTopic makes a topic, or finds the one that is there with the same attributes and tags.
// https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html
func (s *Service) CreateTopic(ctx context.Context, in *api.CreateTopicInput) (*api.CreateTopicResponse, error) {
	if awsapi.Val(in.DataProtectionPolicy) != "" {
		return nil, unsupported("data protection policies")
	}
	req := awsapi.RequestOf(ctx)
	t := topic{topicRef: topicRef{Account: req.Account(), Region: req.Region, Name: awsapi.Val(in.Name)},
		Created: s.Clock(), Attributes: map[string]string{}, Revision: rand.Int64N(1 << 62)}
	if err := checkTopicName(t.Name, isTrue(in.Attributes["FifoTopic"])); err != nil {
		return nil, err
	}
	for name, value := range in.Attributes {
		if err := t.setAttribute(name, value, true); err != nil {
			return nil, err
		}
	}
	if err := mergeTags(&t.Tags, in.Tags); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		old, found, err := store.GetRecord[topic](tx, topicKey(t.topicRef))
		if err != nil {
			return err
		}
		if found {
			return old.sameAs(&t)
		}
		return t.put(tx)
	})
	if err != nil {
		return nil, err
	}
	return &api.CreateTopicResponse{TopicArn: new(t.arn())}, nil
}

// sameAs says that a topic may be created again as another says.
func (t *topic) sameAs(other *topic) error {
	for name, value := range other.Attributes {
		if t.Attributes[name] != value {
			return api.InvalidParameterException.New("Invalid parameter: Attributes Reason: Topic already exists with different attributes")
		}
	}
	if len(other.Tags) > 0 && !maps.Equal(tagMap(t.Tags), tagMap(other.Tags)) {
		return api.InvalidParameterException.New("Invalid parameter: Tags Reason: Topic already exists with different tags")
	}
	return nil
}

// DeleteTopic removes a topic and its subscriptions. One that is not there is removed already.
// https://docs.aws.amazon.com/sns/latest/api/API_DeleteTopic.html
func (s *Service) DeleteTopic(ctx context.Context, in *api.DeleteTopicInput) (*api.DeleteTopicOutput, error) {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		for sub, err := range store.Records[subscription](tx, subscriptions(ref)) {
			if err != nil {
				return err
			}
			if err := sub.remove(tx); err != nil {
				return err
			}
		}
		if err := tx.Delete(sequenceKey(ref)); err != nil {
			return err
		}
		return tx.Delete(topicKey(ref))
	})
	s.rosters.forget(ref)
	return nil, err
}

// ListTopics lists an account's topics.
// https://docs.aws.amazon.com/sns/latest/api/API_ListTopics.html
func (s *Service) ListTopics(ctx context.Context, in *api.ListTopicsInput) (*api.ListTopicsResponse, error) {
	req := awsapi.RequestOf(ctx)
	out := &api.ListTopicsResponse{Topics: []api.Topic{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		list, next, err := page[topic](r, store.Prefix("sns", "topic", req.Account(), req.Region), in.NextToken)
		out.NextToken = next
		for _, t := range list {
			out.Topics = append(out.Topics, api.Topic{TopicArn: new(t.arn())})
		}
		return err
	})
	return out, err
}
