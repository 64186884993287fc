package eventbridge

import (
	"context"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"
)

// bus is the record of a bus. The default one has none as long as nobody changes it.
type bus struct {
	Name        string
	Description *string               `json:",omitempty"`
	KmsKey      *string               `json:",omitempty"`
	DeadLetter  *api.DeadLetterConfig `json:",omitempty"`
	Log         *api.LogConfig        `json:",omitempty"`
	Policy      *policy               `json:",omitempty"`
	Tags        []api.Tag             `json:",omitempty"`
	Created     *time.Time            `json:",omitempty"`
	Modified    *time.Time            `json:",omitempty"`
}

func (b busRef) key() []byte { return b.place.key("bus", b.Name) }

// getBus reads the record of a bus that is there.
func getBus(r store.Reader, ref busRef) (bus, error) {
	record, found, err := store.GetRecord[bus](r, ref.key())
	if err == nil && !found {
		if ref.Name == defaultBus {
			return bus{Name: defaultBus}, nil
		}
		err = api.ResourceNotFoundException.New("Event bus %s does not exist.", ref.Name)
	}
	return record, err
}

// changeBus changes a bus in a transaction.
func (s *Service) changeBus(ctx context.Context, ref busRef, change func(*bus) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		record, err := getBus(tx, ref)
		if err != nil {
			return err
		}
		if err := change(&record); err != nil {
			return err
		}
		record.Modified = new(s.Clock())
		if err := store.SetRecord(tx, ref.key(), record); err != nil {
			return err
		}
		return touch(tx, ref)
	})
}

// CreateEventBus makes a custom bus.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateEventBus.html
func (s *Service) CreateEventBus(ctx context.Context, in *api.CreateEventBusRequest) (*api.CreateEventBusResponse, error) {
	if in.EventSourceName != nil {
		return nil, awsapi.Unimplemented("events", "CreateEventBus of a partner event source")
	}
	ref := busRef{placeOf(ctx), *in.Name}
	if strings.Contains(ref.Name, "/") {
		return nil, invalid("Event bus name must not contain '/'.")
	}
	now := s.Clock()
	record := bus{Name: ref.Name, Description: in.Description, KmsKey: in.KmsKeyIdentifier, DeadLetter: in.DeadLetterConfig, Log: in.LogConfig,
		Created: &now, Modified: &now}
	if err := mergeTags(&record.Tags, in.Tags); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		_, found, err := store.GetRecord[bus](tx, ref.key())
		if err != nil {
			return err
		}
		if found || ref.Name == defaultBus {
			return api.ResourceAlreadyExistsException.New("Event bus %s already exists.", ref.Name)
		}
		return store.SetRecord(tx, ref.key(), record)
	})
	return &api.CreateEventBusResponse{EventBusArn: new(ref.arn()), Description: in.Description, KmsKeyIdentifier: in.KmsKeyIdentifier,
		DeadLetterConfig: in.DeadLetterConfig, LogConfig: in.LogConfig}, err
}

// UpdateEventBus changes what a bus says of itself.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateEventBus.html
func (s *Service) UpdateEventBus(ctx context.Context, in *api.UpdateEventBusRequest) (*api.UpdateEventBusResponse, error) {
	ref := ownBus(ctx, in.Name)
	err := s.changeBus(ctx, ref, func(b *bus) error {
		b.Description, b.KmsKey, b.DeadLetter, b.Log = in.Description, in.KmsKeyIdentifier, in.DeadLetterConfig, in.LogConfig
		return nil
	})
	return &api.UpdateEventBusResponse{Arn: new(ref.arn()), Name: &ref.Name, KmsKeyIdentifier: in.KmsKeyIdentifier, Description: in.Description,
		DeadLetterConfig: in.DeadLetterConfig, LogConfig: in.LogConfig}, err
}

// DescribeEventBus describes a bus.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeEventBus.html
func (s *Service) DescribeEventBus(ctx context.Context, in *api.DescribeEventBusRequest) (*api.DescribeEventBusResponse, error) {
	ref := ownBus(ctx, in.Name)
	var record bus
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		record, err = getBus(r, ref)
		return err
	})
	return &api.DescribeEventBusResponse{Name: &ref.Name, Arn: new(ref.arn()), Policy: record.Policy.text(), Description: record.Description,
		KmsKeyIdentifier: record.KmsKey, DeadLetterConfig: record.DeadLetter, LogConfig: record.Log,
		CreationTime: record.Created, LastModifiedTime: record.Modified}, err
}

// DeleteEventBus deletes a custom bus that has no rules. One that is not there is deleted already.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteEventBus.html
func (s *Service) DeleteEventBus(ctx context.Context, in *api.DeleteEventBusRequest) (*api.DeleteEventBusOutput, error) {
	ref := ownBus(ctx, in.Name)
	if ref.Name == defaultBus {
		return nil, invalid("Cannot delete event bus default.")
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		for _, err := range tx.Range(ref.rules()) {
			if err != nil {
				return err
			}
			return invalid("Event bus %s can't be deleted since it has rules.", ref.Name)
		}
		if err := tx.Delete(ref.key()); err != nil {
			return err
		}
		return touch(tx, ref)
	})
	return nil, err
}

// ListEventBuses lists the buses, the default one among them.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListEventBuses.html
func (s *Service) ListEventBuses(ctx context.Context, in *api.ListEventBusesRequest) (*api.ListEventBusesResponse, error) {
	at := placeOf(ctx)
	out := &api.ListEventBusesResponse{EventBuses: []api.EventBus{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		prefix := awsapi.Val(in.NamePrefix)
		if in.NextToken == nil && strings.HasPrefix(defaultBus, prefix) {
			record, err := getBus(r, busRef{at, defaultBus})
			if err != nil {
				return err
			}
			out.EventBuses = append(out.EventBuses, record.listed(at))
		}
		limit := in.Limit
		if limit != nil && len(out.EventBuses) > 0 {
			if *limit == 1 { // the default one is the page; what follows begins the next
				out.NextToken = new(firstToken(at))
				return nil
			}
			limit = new(*limit - 1)
		}
		token := in.NextToken
		if token != nil && *token == firstToken(at) {
			token = nil
		}
		custom, next, err := page(r, at.all("bus"), token, limit, func(b *bus) bool {
			return b.Name != defaultBus && strings.HasPrefix(b.Name, prefix)
		})
		out.NextToken = next
		for _, b := range custom {
			out.EventBuses = append(out.EventBuses, b.listed(at))
		}
		return err
	})
	return out, err
}

// firstToken goes on with the first custom bus.
func firstToken(p place) string { return "default." + p.Account }

func (b *bus) listed(at place) api.EventBus {
	return api.EventBus{Name: &b.Name, Arn: new(busRef{at, b.Name}.arn()), Policy: b.Policy.text(), Description: b.Description,
		CreationTime: b.Created, LastModifiedTime: b.Modified}
}
