package logs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// retentions are the days that a group can keep its events.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
var retentions = []int32{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

// PutRetentionPolicy sets how long the group keeps its events. Older ones are no longer read at once,
// and deleted in the background.
func (s *Service) PutRetentionPolicy(ctx context.Context, in *logs.PutRetentionPolicyRequest) (*logs.PutRetentionPolicyOutput, error) {
	days := *in.RetentionInDays
	if !slices.Contains(retentions, days) {
		return nil, invalid("1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %s",
			days, strings.ReplaceAll(fmt.Sprint(retentions), " ", ", "))
	}
	err := s.changeGroup(ctx, keyOf(ctx, in.LogGroupName), func(g *group) error {
		g.Retention = int(days)
		return nil
	})
	return &logs.PutRetentionPolicyOutput{}, err
}

// DeleteRetentionPolicy lets the group keep its events for ever.
func (s *Service) DeleteRetentionPolicy(ctx context.Context, in *logs.DeleteRetentionPolicyRequest) (*logs.DeleteRetentionPolicyOutput, error) {
	err := s.changeGroup(ctx, keyOf(ctx, in.LogGroupName), func(g *group) error {
		g.Retention = 0
		return nil
	})
	return &logs.DeleteRetentionPolicyOutput{}, err
}

// cutoff is the oldest timestamp that the group keeps.
func (g *group) cutoff(now int64) int64 {
	if g.Retention == 0 {
		return 0
	}
	return max(0, now-int64(g.Retention)*24*time.Hour.Milliseconds())
}

// sweepPage and sweepBytes bound the chunks that are deleted in one transaction: their number, and how
// much of them is read for that.
const (
	sweepPage  = 500
	sweepBytes = 8 << 20
)

func (s *Service) sweepForever(ctx context.Context) {
	tick := time.NewTicker(s.sweepEvery)
	defer tick.Stop()
	for {
		if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("logs: expired events could not be deleted", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Sweep deletes all events that are past their group's retention, and what is left of deleted
// streams. Start does so from time to time.
func (s *Service) Sweep(ctx context.Context) error {
	groups, streams, err := s.toSweep(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, k := range groups {
		failed = append(failed, s.sweepGroup(ctx, k))
	}
	for id, k := range streams {
		failed = append(failed, s.sweepStream(ctx, k, id))
	}
	return errors.Join(failed...)
}

// toSweep lists the groups that expire events, and the ids of the deleted streams with their groups.
func (s *Service) toSweep(ctx context.Context) (groups []groupKey, streams map[int64]groupKey, err error) {
	streams = map[int64]groupKey{}
	err = s.store.View(ctx, func(r store.Reader) error {
		for g, err := range store.Records[group](r, keys(kindGroup)) {
			if err != nil {
				return err
			}
			if g.Retention > 0 {
				groups = append(groups, g.key())
			}
			ids, err := deletedStreams(r, g.ID)
			if err != nil {
				return err
			}
			for id := range ids {
				streams[id] = g.key()
			}
		}
		return nil
	})
	return groups, streams, err
}

// sweepGroup deletes the expired chunks of a group, page by page.
func (s *Service) sweepGroup(ctx context.Context, k groupKey) error {
	for done := false; !done; {
		err := s.change(ctx, k, 0, func(c *change) (err error) {
			done, err = c.expire()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// expire deletes a page of expired chunks. A chunk goes when the slot it lies in has expired.
func (c *change) expire() (done bool, err error) {
	if c.group == nil {
		return true, nil
	}
	over := store.Range{
		Start: key(kindChunk, c.group.ID),
		End:   key(kindChunk, c.group.ID, slotOf(c.group.cutoff(c.now))),
	}
	done = true
	size := 0
	var expired []*chunk
	for kv, err := range c.tx.Range(over) {
		if err != nil {
			return false, err
		}
		ch, err := decodeChunk(kv.Key, kv.Value)
		if err != nil {
			return false, err
		}
		expired = append(expired, ch)
		if size += len(kv.Value); len(expired) == sweepPage || size > sweepBytes {
			done = false
			break
		}
	}
	for _, ch := range expired {
		if err := c.deleteChunk(ch); err != nil {
			return false, err
		}
	}
	return done, c.refreshFirst(expired)
}

// deleteChunk deletes a chunk and takes it off the counters of its stream and group.
func (c *change) deleteChunk(ch *chunk) error {
	for _, k := range [][]byte{
		key(kindChunk, c.group.ID, ch.first(), ch.number),
		key(kindIndex, c.group.ID, ch.streamID, ch.first(), ch.number),
	} {
		if err := c.tx.Delete(k); err != nil {
			return err
		}
	}
	st, err := c.stream(ch.stream)
	if errors.Is(err, errNoStream) || err == nil && st.ID != ch.streamID {
		return nil // a deleted stream's bytes no longer count
	}
	if err != nil {
		return err
	}
	size := ch.size()
	c.counter.Bytes -= size
	c.counterDirty = true
	st.Bytes -= size
	st.Events -= int64(len(ch.events))
	st.dirty = true
	return nil
}

// refreshFirst sets the timestamps of the streams whose chunks were deleted.
func (c *change) refreshFirst(deleted []*chunk) error {
	seen := map[int64]bool{}
	for _, ch := range deleted {
		if seen[ch.streamID] {
			continue
		}
		seen[ch.streamID] = true
		st, err := c.stream(ch.stream)
		if errors.Is(err, errNoStream) || err == nil && st.ID != ch.streamID {
			continue
		}
		if err != nil {
			return err
		}
		over := keys(kindIndex, c.group.ID, st.ID)
		over.Limit = 1
		st.First = 0
		for kv, err := range c.tx.Range(over) {
			if err == nil {
				st.First, _, err = chunkPlace(kv.Key)
			}
			if err != nil {
				return err
			}
		}
		if st.First == 0 {
			st.Last = 0
		}
	}
	return nil
}

// sweepStream deletes the chunks of a deleted stream, page by page.
func (s *Service) sweepStream(ctx context.Context, k groupKey, id int64) error {
	for done := false; !done; {
		err := s.change(ctx, k, 0, func(c *change) (err error) {
			done, err = c.clear(id)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// clear deletes a page of a deleted stream's chunks, and with the last of them what says so.
func (c *change) clear(id int64) (done bool, err error) {
	if c.group == nil {
		return true, nil
	}
	marker := key(kindGarbage, c.group.ID, id)
	if there, err := has(c.tx, marker); err != nil || !there {
		return true, err
	}
	over := keys(kindIndex, c.group.ID, id)
	over.Limit = sweepPage
	var doomed [][]byte
	for kv, err := range c.tx.Range(over) {
		if err != nil {
			return false, err
		}
		first, number, err := chunkPlace(kv.Key)
		if err != nil {
			return false, err
		}
		doomed = append(doomed, slices.Clone(kv.Key), key(kindChunk, c.group.ID, first, number))
	}
	if done = len(doomed) < 2*sweepPage; done {
		doomed = append(doomed, marker)
	}
	for _, k := range doomed {
		if err := c.tx.Delete(k); err != nil {
			return false, err
		}
	}
	return done, nil
}
