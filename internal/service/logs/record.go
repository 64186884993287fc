package logs

import (
	"errors"
	"fmt"

	"cirro/internal/store"
)

// group is what is stored of a log group.
type group struct {
	ID        int64
	Account   string
	Region    string
	Name      string
	Created   int64 // ms
	Retention int   `json:",omitempty"` // days; 0 for ever
	Class     string
	KMSKey    string            `json:",omitempty"`
	Tags      map[string]string `json:",omitempty"`
	// Subscriptions is how many subscription filters there are, so that writers need not look.
	Subscriptions int `json:",omitempty"`
}

// groupKey names a group.
type groupKey struct{ account, region, name string }

func (g *group) key() groupKey { return groupKey{g.Account, g.Region, g.Name} }

func (k groupKey) bytes() []byte { return key(kindGroup, k.account, k.region, k.name) }

// counter is what every write to a group changes.
type counter struct {
	Chunk int64 // the number of the last chunk
	Bytes int64 // of all events: their messages in UTF-8 and 26 for each
}

// stream is what is stored of a log stream.
type stream struct {
	ID       int64
	Name     string
	Created  int64 // ms
	First    int64 `json:",omitempty"` // timestamp of the first event; ms
	Last     int64 `json:",omitempty"`
	Ingested int64 `json:",omitempty"` // when the last event arrived
	Events   int64 `json:",omitempty"`
	Bytes    int64 `json:",omitempty"`
}

// subscription is a subscription filter.
type subscription struct {
	Name         string
	Pattern      string
	Destination  string
	Distribution string
	Created      int64
}

func getGroup(r store.Reader, k groupKey) (*group, error) {
	g, found, err := store.GetRecord[group](r, k.bytes())
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNoGroup
	}
	return &g, nil
}

func getStream(r store.Reader, group int64, name string) (*stream, error) {
	s, found, err := store.GetRecord[stream](r, key(kindStream, group, name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, errNoStream
	}
	return &s, nil
}

// has reports whether there is a value under key.
func has(r store.Reader, key []byte) (bool, error) {
	_, err := r.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("logs: %q: %w", key, err)
	}
	return true, nil
}
