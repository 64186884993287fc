package kinesis

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

const (
	shardsListed = 1000
	tokenLife    = 5 * time.Minute
)

// shardToken is where a listing of shards goes on, and what it is of.
type shardToken struct {
	Account, Region, Name string
	After                 string
	Filter                *api.ShardFilter
	Made                  int64
}

func (t shardToken) String() string {
	b, _ := json.Marshal(t) // it cannot fail
	return base64.StdEncoding.EncodeToString(b)
}

func parseShardToken(text string) (t shardToken, ok bool) {
	b, err := base64.StdEncoding.DecodeString(text)
	return t, err == nil && json.Unmarshal(b, &t) == nil && t.Name != ""
}

// ListShards lists a stream's shards, those that a filter asks for.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_ListShards.html
func (s *Service) ListShards(ctx context.Context, in *api.ListShardsInput) (*api.ListShardsOutput, error) {
	named := in.StreamName != nil || in.StreamARN != nil || in.StreamId != nil
	switch {
	case in.NextToken != nil && named:
		return nil, api.InvalidArgumentException.New("NextToken and StreamName cannot be provided together.")
	case in.NextToken == nil && !named:
		return nil, api.InvalidArgumentException.New("Either NextToken or StreamName should be provided.")
	}
	limit := shardsListed
	if in.MaxResults != nil {
		limit = int(*in.MaxResults)
	}
	token, after, filter := shardToken{}, in.ExclusiveStartShardId, in.ShardFilter
	if in.NextToken != nil {
		var ok bool
		if token, ok = parseShardToken(*in.NextToken); !ok {
			return nil, api.InvalidArgumentException.New("The NextToken is not valid.")
		}
		if s.Clock().Sub(time.UnixMilli(token.Made)) > tokenLife {
			return nil, api.ExpiredNextTokenException.New("The NextToken has expired.")
		}
		after, filter = &token.After, token.Filter
	}
	out := new(api.ListShardsOutput)
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		var st *stream
		if in.NextToken != nil {
			st, err = s.stream(r, address{token.Account, token.Region, token.Name})
		} else {
			st, err = s.find(ctx, r, in.StreamName, in.StreamARN, in.StreamId)
		}
		if err != nil {
			return err
		}
		keep, start, err := s.filter(st, filter)
		if err != nil {
			return err
		}
		if after == nil {
			after = start
		}
		var more bool
		if out.Shards, more, err = s.shards(r, st, after, limit, keep); err == nil && more {
			last := *out.Shards[len(out.Shards)-1].ShardId
			out.NextToken = new(shardToken{st.account, st.region, st.name, last, filter, s.Clock().UnixMilli()}.String())
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// filter says which shards a filter asks for, and after which the list begins.
func (s *Service) filter(st *stream, f *api.ShardFilter) (keep func(i int) bool, after *string, err error) {
	if f == nil {
		return nil, nil, nil
	}
	shards := st.record.Shards
	// A shard was open at a time if it was made by then and not closed. When it was made its parents tell.
	since := func(i int) time.Time {
		made := st.record.Created
		for _, p := range shards[i].Parents {
			made = shards[p].Closed
		}
		return made
	}
	openAt := func(i int, at time.Time) bool {
		return !since(i).After(at) && (shards[i].open() || shards[i].Closed.After(at))
	}
	at := s.Clock().Add(-st.retention())
	if f.Timestamp != nil {
		at = *f.Timestamp
	}
	if at.Before(st.record.Created) {
		at = st.record.Created
	}
	switch kind := *f.Type; kind {
	case api.ShardFilterTypeAtLatest:
		return func(i int) bool { return shards[i].open() }, nil, nil
	case api.ShardFilterTypeAfterShardId:
		if f.ShardId == nil {
			return nil, nil, api.InvalidArgumentException.New("ShardId must be provided with the shard filter type AFTER_SHARD_ID.")
		}
		return nil, f.ShardId, nil
	case api.ShardFilterTypeAtTimestamp, api.ShardFilterTypeFromTimestamp:
		if f.Timestamp == nil {
			return nil, nil, api.InvalidArgumentException.New("Timestamp must be provided with the shard filter type %s.", kind)
		}
		if kind == api.ShardFilterTypeAtTimestamp {
			return func(i int) bool { return openAt(i, at) }, nil, nil
		}
		return func(i int) bool { return shards[i].open() || shards[i].Closed.After(at) }, nil, nil
	case api.ShardFilterTypeAtTrimHorizon:
		return func(i int) bool { return openAt(i, at) }, nil, nil
	}
	return nil, nil, nil // FROM_TRIM_HORIZON: all there are
}
