package logs

import (
	"errors"

	"cirro/internal/store"
)

// change is a group within a transaction: what was read of it, and what is to be written.
type change struct {
	service *Service
	tx      store.Tx
	key     groupKey
	now     int64

	group        *group // nil where there is none
	groupDirty   bool
	counter      counter
	counterDirty bool

	streams map[string]*openStream
	filters []filter // the group's subscriptions
	loaded  bool     // whether filters were read

	appended []*chunk // for the live tails
}

// openStream is a stream within a transaction.
type openStream struct {
	*stream
	last  int64 // under which the stream stands among the recent ones
	dirty bool
}

func (s *Service) newChange(tx store.Tx, k groupKey) (*change, error) {
	c := &change{service: s, tx: tx, key: k, now: s.millis(), streams: map[string]*openStream{}}
	g, err := getGroup(tx, k)
	if errors.Is(err, errNoGroup) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.group = g
	c.counter, _, err = store.GetRecord[counter](tx, key(kindCounter, g.ID))
	return c, err
}

// createGroup makes the group, which must not be there.
func (c *change) createGroup(class string) {
	c.group = &group{
		ID: newID(), Account: c.key.account, Region: c.key.region, Name: c.key.name,
		Created: c.now, Class: class,
	}
	c.groupDirty = true
	c.counter, c.counterDirty = counter{}, true
}

// stream returns the stream with the given name, or errNoStream.
func (c *change) stream(name string) (*openStream, error) {
	if s, ok := c.streams[name]; ok {
		if s == nil {
			return nil, errNoStream
		}
		return s, nil
	}
	found, err := getStream(c.tx, c.group.ID, name)
	if err != nil {
		if errors.Is(err, errNoStream) {
			c.streams[name] = nil
		}
		return nil, err
	}
	s := &openStream{stream: found, last: found.Last}
	c.streams[name] = s
	return s, nil
}

// createStream makes a stream, which must not be there.
func (c *change) createStream(name string) (*openStream, error) {
	s := &openStream{stream: &stream{ID: newID(), Name: name, Created: c.now}, dirty: true}
	c.streams[name] = s
	return s, c.tx.Set(key(kindRecent, c.group.ID, int64(0), name), nil)
}

// appendEvents writes events, which are in order of time, to a stream.
func (c *change) appendEvents(s *openStream, events []Event) error {
	for _, part := range divide(events) {
		c.counter.Chunk++
		ch := &chunk{number: c.counter.Chunk, streamID: s.ID, stream: s.Name, ingested: c.now, events: part}
		if err := c.tx.Set(key(kindChunk, c.group.ID, ch.first(), ch.number), ch.encode()); err != nil {
			return err
		}
		if err := c.tx.Set(key(kindIndex, c.group.ID, s.ID, ch.first(), ch.number), nil); err != nil {
			return err
		}
		c.count(s, ch)
		c.appended = append(c.appended, ch)
		if err := c.deliver(ch); err != nil {
			return err
		}
	}
	return nil
}

// count adds a chunk to the counters of its stream and group.
func (c *change) count(s *openStream, ch *chunk) {
	size := ch.size()
	c.counter.Bytes += size
	c.counterDirty = true
	if s.Events == 0 || ch.first() < s.First {
		s.First = ch.first()
	}
	s.Last = max(s.Last, ch.last())
	s.Events += int64(len(ch.events))
	s.Bytes += size
	s.Ingested = c.now
	s.dirty = true
}

// save writes what changed.
func (c *change) save() error {
	if c.group == nil {
		return nil
	}
	if c.groupDirty {
		if err := store.SetRecord(c.tx, c.key.bytes(), c.group); err != nil {
			return err
		}
	}
	if c.counterDirty {
		if err := store.SetRecord(c.tx, key(kindCounter, c.group.ID), c.counter); err != nil {
			return err
		}
	}
	for name, s := range c.streams {
		if s == nil || !s.dirty {
			continue
		}
		if err := store.SetRecord(c.tx, key(kindStream, c.group.ID, name), s.stream); err != nil {
			return err
		}
		if s.last == s.Last {
			continue
		}
		if err := c.tx.Delete(key(kindRecent, c.group.ID, s.last, name)); err != nil {
			return err
		}
		if err := c.tx.Set(key(kindRecent, c.group.ID, s.Last, name), nil); err != nil {
			return err
		}
	}
	return nil
}

// delete removes the group and all that is in it.
func (c *change) delete() error {
	for _, kind := range keysOfGroup {
		over := keys(kind, c.group.ID)
		if err := c.tx.DeleteRange(over.Start, over.End); err != nil {
			return err
		}
	}
	if err := c.tx.Delete(c.key.bytes()); err != nil {
		return err
	}
	*c = change{service: c.service, tx: c.tx, key: c.key, now: c.now, streams: map[string]*openStream{}}
	return nil
}

// deleteStream removes a stream. Its chunks follow in transactions of their own: until then its id is
// among those that readers skip.
func (c *change) deleteStream(s *openStream) error {
	for _, k := range [][]byte{key(kindStream, c.group.ID, s.Name), key(kindRecent, c.group.ID, s.last, s.Name)} {
		if err := c.tx.Delete(k); err != nil {
			return err
		}
	}
	c.counter.Bytes -= s.Bytes
	c.counterDirty = true
	c.streams[s.Name] = nil
	return c.tx.Set(key(kindGarbage, c.group.ID, s.ID), nil)
}
