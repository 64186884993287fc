package lambda

import (
	"context"
	"maps"

	api "cirro/internal/awsapi/lambda"
	"cirro/internal/eventsource"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// CreateEventSourceMapping has a function invoked for what a queue or a stream has.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
func (s *Service) CreateEventSourceMapping(ctx context.Context, in *api.CreateEventSourceMappingRequest) (
	*api.EventSourceMappingConfiguration, error,
) {
	m, err := newMapping(ctx, in)
	if err != nil {
		return nil, err
	}
	if err := s.checkMappingSource(ctx, m); err != nil {
		return nil, err
	}
	m.Modified = s.Clock()
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := m.checkFunction(tx); err != nil {
			return err
		}
		if err := m.checkAlone(tx); err != nil {
			return err
		}
		return store.SetRecord(tx, m.key(), m)
	})
	if err != nil {
		return nil, err
	}
	s.followMapping(m.key(), m.UUID)
	return m.shown(), nil
}

// GetEventSourceMapping returns a mapping.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetEventSourceMapping.html
func (s *Service) GetEventSourceMapping(ctx context.Context, in *api.GetEventSourceMappingRequest) (
	out *api.EventSourceMappingConfiguration, err error,
) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		m, err := findMapping(r, scopeOf(ctx), in.UUID)
		if err == nil {
			out = m.shown()
		}
		return err
	})
	return out, err
}

// maxMappings is how many mappings a list has at most.
const maxMappings = 100

// ListEventSourceMappings lists mappings, of one function or of one source where the request names it.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListEventSourceMappings.html
func (s *Service) ListEventSourceMappings(ctx context.Context, in *api.ListEventSourceMappingsRequest) (
	*api.ListEventSourceMappingsResponse, error,
) {
	here := scopeOf(ctx)
	var of reference
	if in.FunctionName != nil {
		var err error
		if of, err = own(ctx, *in.FunctionName, ""); err != nil {
			return nil, err
		}
	}
	out := &api.ListEventSourceMappingsResponse{EventSourceMappings: []api.EventSourceMappingConfiguration{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		limit := int32(maxMappings)
		if in.MaxItems != nil {
			limit = min(limit, *in.MaxItems)
		}
		found, next, err := page(r, store.Prefix("lambda", "mapping", here.Account, here.Region), in.Marker, &limit,
			func(m *mapping) (bool, error) {
				return (of.Name == "" || m.Function == of.Name && m.Qualifier == of.Qualifier) &&
					(in.EventSourceArn == nil || m.Source == *in.EventSourceArn), nil
			})
		for i := range found {
			out.EventSourceMappings = append(out.EventSourceMappings, *found[i].shown())
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// UpdateEventSourceMapping changes a mapping, and enables or disables it.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateEventSourceMapping.html
func (s *Service) UpdateEventSourceMapping(ctx context.Context, in *api.UpdateEventSourceMappingRequest) (
	*api.EventSourceMappingConfiguration, error,
) {
	var m *mapping
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		m, err = findMapping(r, scopeOf(ctx), in.UUID)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := m.update(ctx, in); err != nil {
		return nil, err
	}
	if in.FunctionName != nil {
		if err := s.checkMappingSource(ctx, m); err != nil {
			return nil, err
		}
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if m, err = findMapping(tx, scopeOf(ctx), in.UUID); err != nil {
			return err
		}
		if !m.settled() {
			return mappingInUse("update")
		}
		before := m.Enabled
		if err := m.update(ctx, in); err != nil {
			return err
		}
		if err := m.checkFunction(tx); err != nil {
			return err
		}
		if err := m.checkAlone(tx); err != nil {
			return err
		}
		m.State = mappingUpdating
		if m.Enabled != before {
			m.State = mappingDisabling
			if m.Enabled {
				m.State = mappingEnabling
			}
		}
		m.Modified, m.Revision = s.Clock(), uuid.NewString()
		return store.SetRecord(tx, m.key(), m)
	})
	if err != nil {
		return nil, err
	}
	s.followMapping(m.key(), m.UUID)
	return m.shown(), nil
}

// DeleteEventSourceMapping ends a mapping. What was read is handled, what was not stays where it is.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteEventSourceMapping.html
func (s *Service) DeleteEventSourceMapping(ctx context.Context, in *api.DeleteEventSourceMappingRequest) (
	*api.EventSourceMappingConfiguration, error,
) {
	var m *mapping
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if m, err = findMapping(tx, scopeOf(ctx), in.UUID); err != nil {
			return err
		}
		if m.State == mappingDeleting {
			return mappingInUse("delete")
		}
		m.State, m.Revision = mappingDeleting, uuid.NewString()
		return store.SetRecord(tx, m.key(), m)
	})
	if err != nil {
		return nil, err
	}
	s.followMapping(m.key(), m.UUID)
	return m.shown(), nil
}

// mappingInUse refuses a change of a mapping that is on its way to a state.
func mappingInUse(verb string) error {
	return api.ResourceInUseException.New("Cannot %s the event source mapping because it is in use.", verb).With("Type", "User")
}

// changeMappingTags changes a mapping's tags.
func (s *Service) changeMappingTags(ctx context.Context, id string, f func(map[string]string)) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		m, err := findMapping(tx, scopeOf(ctx), &id)
		if err != nil {
			return err
		}
		tags := maps.Clone(m.Tags)
		if tags == nil {
			tags = map[string]string{}
		}
		f(tags)
		if err := checkTags(tags); err != nil {
			return err
		}
		m.Tags = tags
		return store.SetRecord(tx, m.key(), m)
	})
}

// listMappingTags returns a mapping's tags.
func (s *Service) listMappingTags(ctx context.Context, id string) (out *api.ListTagsResponse, err error) {
	err = s.Store.View(ctx, func(r store.Reader) error {
		m, err := findMapping(r, scopeOf(ctx), &id)
		if err != nil {
			return err
		}
		out = &api.ListTagsResponse{Tags: maps.Clone(m.Tags)}
		if out.Tags == nil {
			out.Tags = map[string]string{}
		}
		return nil
	})
	return out, err
}

// newMapping makes a mapping of a request.
func newMapping(ctx context.Context, in *api.CreateEventSourceMappingRequest) (*mapping, error) {
	if err := checkMappingKind(in); err != nil {
		return nil, err
	}
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	if err := checkTags(in.Tags); err != nil {
		return nil, err
	}
	m := &mapping{scope: ref.scope, UUID: uuid.NewString(), Source: *in.EventSourceArn, Function: ref.Name, Qualifier: ref.Qualifier,
		Enabled: in.Enabled == nil || *in.Enabled, State: mappingCreating, Result: eventsource.ResultNone, Revision: uuid.NewString(),
		Tags: in.Tags, BatchSize: 100, Parallel: 1, Retries: -1, Age: -1}
	if m.kind() == eventsource.SQS {
		m.BatchSize = 10
	}
	if err := m.start(in); err != nil {
		return nil, err
	}
	err = m.update(ctx, &api.UpdateEventSourceMappingRequest{
		UUID: &m.UUID, Enabled: in.Enabled, BatchSize: in.BatchSize, FilterCriteria: in.FilterCriteria,
		MaximumBatchingWindowInSeconds: in.MaximumBatchingWindowInSeconds, DestinationConfig: in.DestinationConfig,
		MaximumRecordAgeInSeconds: in.MaximumRecordAgeInSeconds, BisectBatchOnFunctionError: in.BisectBatchOnFunctionError,
		MaximumRetryAttempts: in.MaximumRetryAttempts, ParallelizationFactor: in.ParallelizationFactor,
		SourceAccessConfigurations: in.SourceAccessConfigurations, TumblingWindowInSeconds: in.TumblingWindowInSeconds,
		FunctionResponseTypes: in.FunctionResponseTypes, ScalingConfig: in.ScalingConfig,
		DocumentDBEventSourceConfig: in.DocumentDBEventSourceConfig, KMSKeyArn: in.KMSKeyArn, MetricsConfig: in.MetricsConfig,
		LoggingConfig: in.LoggingConfig, AmazonManagedKafkaEventSourceConfig: in.AmazonManagedKafkaEventSourceConfig,
		SelfManagedKafkaEventSourceConfig: in.SelfManagedKafkaEventSourceConfig, ProvisionedPollerConfig: in.ProvisionedPollerConfig,
	})
	return m, err
}
