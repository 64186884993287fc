package kinesis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// address says which stream.
type address struct{ account, region, name string }

func (a address) key() []byte { return store.Key("kinesis", "stream", a.account, a.region, a.name) }

func (a address) arn() string {
	return "arn:aws:kinesis:" + a.region + ":" + a.account + ":stream/" + a.name
}

// streamOf reads a stream's ARN.
func streamOf(arn string) (a address, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "kinesis" || !awsapi.IsAccount(parts[4]) {
		return a, false
	}
	name, ok := strings.CutPrefix(parts[5], "stream/")
	return address{account: parts[4], region: parts[3], name: name}, ok && name != "" && !strings.Contains(name, "/")
}

// find reads the stream that a request names, by its name, its ARN or its id.
func (s *Service) find(ctx context.Context, r store.Reader, name, arn, id *string) (*stream, error) {
	request := awsapi.RequestOf(ctx)
	a := address{account: request.Account(), region: request.Region, name: awsapi.Val(name)}
	switch {
	case arn != nil:
		named, ok := streamOf(*arn)
		if !ok || name != nil && *name != named.name {
			return nil, api.InvalidArgumentException.New("StreamARN %s is not valid, or names another stream than StreamName.", *arn)
		}
		a = named
	case name != nil:
	case id != nil:
		return s.findID(r, a, *id)
	default:
		return nil, api.InvalidArgumentException.New("Either StreamName or StreamARN must be provided.")
	}
	return s.stream(r, a)
}

func (s *Service) findID(r store.Reader, a address, id string) (*stream, error) {
	for found, err := range store.Records[record](r, store.Prefix("kinesis", "stream", a.account, a.region)) {
		if err != nil {
			return nil, err
		}
		if found.ID == id {
			a.name = found.Name
			return s.stream(r, a)
		}
	}
	return nil, api.ResourceNotFoundException.New("Stream with the id %s under account %s not found.", id, a.account)
}

// notFound is worded as AWS's answer in https://github.com/mhart/kinesalite/blob/master/test/describeStream.js.
func (a address) notFound() error {
	return api.ResourceNotFoundException.New("Stream %s under account %s not found.", a.name, a.account)
}

func isMissing(err error) bool { return errors.Is(err, api.ResourceNotFoundException) }

// shardID is a shard's name.
func shardID(index int) string { return fmt.Sprintf("shardId-%012d", index) }

// shardIndex reads a shard's name, or its number alone.
func shardIndex(id string) (index int, ok bool) {
	digits := strings.TrimPrefix(id, "shardId-")
	if digits == "" || len(digits) > 12 {
		return 0, false
	}
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			return 0, false
		}
		index = index*10 + int(c-'0')
	}
	return index, true
}

// shard finds a shard of the stream by its name.
func (st *stream) shard(id string) (int, error) {
	index, ok := shardIndex(id)
	if !ok || index >= len(st.record.Shards) {
		return 0, api.ResourceNotFoundException.New("Could not find shard %s in stream %s under account %s.", id, st.name, st.account)
	}
	return index, nil
}
