package dynamodb

import (
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/stream"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// updateStream opens or closes the table's stream.
func (s *Service) updateStream(tx store.Tx, r *table.Record, spec *api.StreamSpecification) error {
	if spec == nil {
		return nil
	}
	if *spec.StreamEnabled {
		switch {
		case spec.StreamViewType == nil:
			return wrong("If stream is being enabled then UpdateViewType is required")
		case r.Stream != nil:
			return invalid("Table already has an enabled stream: TableName: %s", r.Name)
		}
		return s.openStream(tx, r, *spec.StreamViewType)
	}
	switch {
	case spec.StreamViewType != nil:
		return wrong("If stream is being disabled, then UpdateViewType must not be specified")
	case r.Stream == nil:
		return invalid("Table has no stream to disable: TableName: %s", r.Name)
	}
	return s.closeStream(tx, r)
}

func streamOwnerOf(ref table.Ref) stream.Owner {
	return stream.Owner{Account: ref.Account, Region: ref.Region}
}

// Shards of a new stream: AWS has one for each of a table's partitions, of which a table on demand has four.
const (
	shardsOnDemand    = 4
	shardsProvisioned = 1
)

func (s *Service) openStream(tx store.Tx, r *table.Record, view string) error {
	shards := shardsProvisioned
	if isOnDemand(r) {
		shards = shardsOnDemand
	}
	o := streamOwnerOf(r.Ref)
	opened, err := stream.Open(tx, o, stream.Stream{Table: r.Name, View: view, Keys: names(r.API.KeySchema), Shards: shards}, s.Clock())
	if err != nil {
		return err
	}
	r.Stream = opened
	r.API.StreamSpecification = &api.StreamSpecification{StreamEnabled: new(true), StreamViewType: &view}
	r.API.LatestStreamLabel, r.API.LatestStreamArn = &opened.Label, new(opened.ARN(o))
	return nil
}

// closeStream closes a table's stream, if it has one. Its label and its name stay in the description, as on AWS.
func (s *Service) closeStream(tx store.Tx, r *table.Record) error {
	if r.Stream == nil {
		return nil
	}
	err := stream.Close(tx, streamOwnerOf(r.Ref), r.Stream, s.Clock())
	r.Stream, r.API.StreamSpecification = nil, nil
	return err
}

// checkCreateStream checks the stream of a table that is to be made.
func checkCreateStream(spec *api.StreamSpecification) error {
	switch {
	case spec == nil:
		return nil
	case *spec.StreamEnabled && spec.StreamViewType == nil:
		return wrong("Table is being created with a stream enabled, UpdateViewType is required")
	case !*spec.StreamEnabled && spec.StreamViewType != nil:
		return wrong("Table is being created with a stream disabled, UpdateViewType should not be specified")
	}
	return nil
}
