package kinesis

import (
	"context"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// maxConsumers is how many a stream may have.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const maxConsumers = 20

// consumer has enhanced fan-out of a stream.
type consumer struct {
	Name    string
	Created time.Time
	Tags    map[string]string `json:",omitempty"`
	Policy  string            `json:",omitempty"`
}

func (st *stream) consumerKey(name string) []byte {
	return store.Key("kinesis", "consumer", st.record.ID, name)
}

func (st *stream) consumers() store.Range { return store.Prefix("kinesis", "consumer", st.record.ID) }

func (st *stream) countConsumers(r store.Reader) (n int, err error) {
	for _, err := range r.Range(st.consumers()) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (st *stream) consumerARN(c consumer) string {
	return st.arn() + "/consumer/" + c.Name + ":" + strconv.FormatInt(c.Created.Unix(), 10)
}

// consumerByARN finds a consumer and its stream.
func (s *Service) consumerByARN(r store.Reader, arn string) (*stream, consumer, error) {
	missing := api.ResourceNotFoundException.New("Consumer %s not found.", arn)
	of, rest, ok := strings.Cut(arn, "/consumer/")
	a, valid := streamOf(of)
	if !ok || !valid {
		return nil, consumer{}, missing
	}
	name, _, _ := strings.Cut(rest, ":")
	st, err := s.stream(r, a)
	if err != nil {
		return nil, consumer{}, err
	}
	c, found, err := store.GetRecord[consumer](r, st.consumerKey(name))
	if err == nil && (!found || st.consumerARN(c) != arn) {
		err = missing
	}
	return st, c, err
}

// findConsumer finds the consumer that a request names by its ARN, or by its stream's and its name.
func (s *Service) findConsumer(ctx context.Context, r store.Reader, arn, streamARN, streamID, name *string) (*stream, consumer, error) {
	if arn != nil {
		return s.consumerByARN(r, *arn)
	}
	if name == nil {
		return nil, consumer{}, api.InvalidArgumentException.New("Either ConsumerARN or both StreamARN and ConsumerName must be provided.")
	}
	st, err := s.find(ctx, r, nil, streamARN, streamID)
	if err != nil {
		return nil, consumer{}, err
	}
	c, found, err := store.GetRecord[consumer](r, st.consumerKey(*name))
	if err == nil && !found {
		err = api.ResourceNotFoundException.New("Consumer %s, account %s not found.", *name, st.account)
	}
	return st, c, err
}

func (st *stream) consumerView(c consumer) *api.Consumer {
	return &api.Consumer{ConsumerName: &c.Name, ConsumerARN: new(st.consumerARN(c)), ConsumerStatus: new(api.ConsumerStatusActive), ConsumerCreationTimestamp: &c.Created}
}

// RegisterStreamConsumer registers a consumer, which is active at once.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
func (s *Service) RegisterStreamConsumer(ctx context.Context, in *api.RegisterStreamConsumerInput) (*api.RegisterStreamConsumerOutput, error) {
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	c := consumer{Name: *in.ConsumerName, Created: s.Clock().Truncate(time.Second), Tags: in.Tags}
	var out *api.Consumer
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		st, err := s.find(ctx, tx, nil, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		if _, err := tx.Get(st.consumerKey(c.Name)); err == nil {
			return api.ResourceInUseException.New("Consumer %s under stream %s already exists for account %s.", c.Name, st.name, st.account)
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		n, err := st.countConsumers(tx)
		if err != nil {
			return err
		}
		if n >= maxConsumers {
			return api.LimitExceededException.New("Stream %s under account %s has reached the limit of %d registered consumers.", st.name, st.account, maxConsumers)
		}
		out = st.consumerView(c)
		return store.SetRecord(tx, st.consumerKey(c.Name), c)
	})
	if err != nil {
		return nil, err
	}
	return &api.RegisterStreamConsumerOutput{Consumer: out}, nil
}

// DeregisterStreamConsumer removes a consumer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeregisterStreamConsumer.html
func (s *Service) DeregisterStreamConsumer(ctx context.Context, in *api.DeregisterStreamConsumerInput) (*api.DeregisterStreamConsumerOutput, error) {
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		st, c, err := s.findConsumer(ctx, tx, in.ConsumerARN, in.StreamARN, in.StreamId, in.ConsumerName)
		if err != nil {
			return err
		}
		return tx.Delete(st.consumerKey(c.Name))
	})
}

// DescribeStreamConsumer tells about a consumer.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamConsumer.html
func (s *Service) DescribeStreamConsumer(ctx context.Context, in *api.DescribeStreamConsumerInput) (*api.DescribeStreamConsumerOutput, error) {
	var d *api.ConsumerDescription
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, c, err := s.findConsumer(ctx, r, in.ConsumerARN, in.StreamARN, in.StreamId, in.ConsumerName)
		if err != nil {
			return err
		}
		v := st.consumerView(c)
		d = &api.ConsumerDescription{ConsumerName: v.ConsumerName, ConsumerARN: v.ConsumerARN, ConsumerStatus: v.ConsumerStatus,
			ConsumerCreationTimestamp: v.ConsumerCreationTimestamp, StreamARN: new(st.arn())}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DescribeStreamConsumerOutput{ConsumerDescription: d}, nil
}

// ListStreamConsumers lists a stream's consumers by their names.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListStreamConsumers.html
func (s *Service) ListStreamConsumers(ctx context.Context, in *api.ListStreamConsumersInput) (*api.ListStreamConsumersOutput, error) {
	limit := 100
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	out := &api.ListStreamConsumersOutput{Consumers: []api.Consumer{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		st, err := s.find(ctx, r, nil, in.StreamARN, in.StreamId)
		if err != nil {
			return err
		}
		over := st.consumers()
		if in.NextToken != nil {
			name, err := base64.StdEncoding.DecodeString(awsapi.Val(in.NextToken))
			if err != nil {
				return api.InvalidArgumentException.New("The NextToken is not valid.")
			}
			over = over.After(st.consumerKey(string(name)))
		}
		page, more, err := store.Page[consumer](r, over, limit, nil)
		for _, c := range page {
			out.Consumers = append(out.Consumers, *st.consumerView(c))
		}
		if more != nil {
			out.NextToken = new(base64.StdEncoding.EncodeToString([]byte(page[len(page)-1].Name)))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
