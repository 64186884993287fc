package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cirro/internal/asl"
	"cirro/internal/store"

	"github.com/fxamacker/cbor/v2"
)

// The bounds of redrives. https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
const (
	redrivableFor = 14 * 24 * time.Hour
	openFor       = 365 * 24 * time.Hour // of an execution, redrives included
	maxRedrives   = 1000
)

// NotRedrivable says why an execution cannot be redriven; "" where it can.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeExecution.html#StepFunctions-DescribeExecution-response-redriveStatusReason
func NotRedrivable(run *Run, now time.Time) string {
	switch {
	case run.Status == Running || run.Status == Succeeded:
		return fmt.Sprintf("Execution is %s and cannot be redriven", run.Status)
	case run.LastEvent >= MaxEvents-1:
		return "Execution history event limit exceeded"
	case now.Sub(run.Started) > openFor:
		return "Execution has exceeded the max execution time"
	case now.Sub(run.Stopped) > redrivableFor:
		return "Execution redrivable period exceeded"
	case run.Redrives >= maxRedrives:
		return "Execution has exceeded the maximum number of redrives"
	}
	return ""
}

// How long a client's token says that a redrive is the same, and how many of them are known.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_RedriveExecution.html
const (
	tokensKnown = 10
	tokenValid  = 15 * time.Minute
)

// redriveToken is the token of a redrive.
type redriveToken struct {
	Token string    `cbor:"1,keyasint"`
	At    time.Time `cbor:"2,keyasint"`
}

func redriveTokensKey(id string) []byte { return store.Key("states", "redrivetokens", id) }

// Redrive goes on with an execution that did not end well, and says when it did: the same token asks for the same
// redrive; "" for none. ErrLate is the answer where it cannot be redriven.
func (e *Engine) Redrive(ctx context.Context, id, token string) (at time.Time, err error) {
	defer e.lock(id)()
	err = e.Store.Update(ctx, func(tx store.Tx) error {
		var known []redriveToken
		b, err := tx.Get(redriveTokensKey(id))
		if err == nil {
			err = cbor.Unmarshal(b, &known)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		now := e.Clock()
		for _, k := range known {
			if token != "" && k.Token == token && now.Sub(k.At) < tokenValid {
				at = k.At
				return nil
			}
		}
		if err := e.step(tx, id, Happening{Kind: redriven}); err != nil {
			return err
		}
		run, err := Find(tx, id)
		if err != nil {
			return err
		}
		if at = run.Redriven; token == "" {
			return nil
		}
		known = append(known, redriveToken{token, at})
		return tx.Set(redriveTokensKey(id), encode(known[max(0, len(known)-tokensKnown):]))
	})
	return at, err
}

// redriveMapRun has the map run of a frame's state go on, and reports whether it does: one that ended well, or that
// failed of too much or of wrong data, is begun anew instead.
// https://docs.aws.amazon.com/step-functions/latest/dg/redrive-map-run.html
func (s *step) redriveMapRun(f *frame) (bool, error) {
	if f.MapRun == "" {
		return false, nil
	}
	m, err := FindMapRun(s.tx, f.MapRun)
	if errors.Is(err, ErrNoMapRun) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if m.Status == Succeeded || m.Error == asl.DataLimitExceeded || m.Error == asl.Runtime {
		return false, nil
	}
	if m.Redrives >= maxRedrives {
		s.ready = append(s.ready, f)
		return true, s.failed(f, &asl.Failure{Error: asl.Runtime, Cause: fmt.Sprintf("The map run %s has been redriven %d times, the most there may be", m.ARN, maxRedrives)})
	}
	f.Phase = joining
	m.Redrives++
	m.Redriven, m.Parent = s.now, &Parent{s.run.ID, f.ID, f.Turn}
	s.record(f, Event{Type: "MapRunRedriven", ARN: m.ARN, Count: m.Redrives})
	if m.Wanted = m.Driven; !m.Wanted {
		if err := m.again(s.tx); err != nil {
			return false, err
		}
	}
	return true, s.tx.Set(mapRunKey(m.ID), encode(m))
}

// again has a map run that nobody drives be driven once more: all its children that did not end well wait for it.
func (m *MapRun) again(tx interface {
	Enqueue(queue string, m store.NewMessage) (string, error)
},
) error {
	m.Status, m.Stopped, m.Error, m.Cause = Running, time.Time{}, "", ""
	m.Driven, m.Wanted, m.Redriving, m.Looked = true, false, true, 0
	m.Pending, m.PendingItems = m.Executed.Unwell(), m.Items.Unwell()
	m.NotRedrivable, m.LostItems = 0, 0
	for _, c := range []*Counts{&m.Executed, &m.Items} {
		c.Failed, c.TimedOut, c.Aborted = 0, 0, 0
	}
	_, err := tx.Enqueue(mapQueue, store.NewMessage{Body: []byte(m.ID)})
	return err
}

// toRedrive are the next children to be redriven, as many as there is room for, and the number of the first that was
// not looked at.
func (d *driver) toRedrive(ctx context.Context) (list []*Child, looked int64, err error) {
	looked = d.run.Looked
	room := min(d.bound()-d.run.Executed.Running, childrenAtATime)
	if !d.run.Redriving || room <= 0 {
		return nil, looked, nil
	}
	err = d.Store.View(ctx, func(r store.Reader) error {
		return Children(r, d.run.ID, looked, func(c *Child) (bool, error) {
			if int64(len(list)) == room {
				return false, nil
			}
			if looked = c.Index + 1; c.Ended && c.Run.Status != Succeeded {
				list = append(list, c)
			}
			return true, nil
		})
	})
	return list, looked, err
}

// redriveChildren has children go on, or begin anew that are kept nowhere; those that cannot stay as they ended.
func (d *driver) redriveChildren(tx store.Tx, run *MapRun, list []*Child, looked int64) error {
	if !run.Redriving || len(list) == 0 && looked == run.Looked && looked < run.Begun {
		return nil
	}
	run.Looked, run.Redriving = looked, looked < run.Begun
	now := d.Clock()
	for _, c := range list {
		run.Pending--
		run.PendingItems -= c.Items
		run.Executed.Running++
		run.Items.Running += c.Items
		lost := !run.Express && NotRedrivable(c.Run, now) != ""
		if !run.Express && !lost {
			err := d.step(tx, c.Run.ID, Happening{Kind: redriven})
			if lost = errors.Is(err, ErrLate); err != nil && !lost {
				return err
			}
		}
		if lost {
			run.Executed.end(c.Run.Status, 1)
			run.Items.end(c.Run.Status, c.Items)
			run.NotRedrivable++
			run.LostItems += c.Items
			continue
		}
		again := *c
		again.Ended, again.Output = false, ""
		if run.Express {
			r := *c.Run
			r.Status, r.Stopped, r.Error, r.Cause, r.HasError, r.LastEvent, r.LastFrame = "", time.Time{}, "", "", false, 0, 0
			again.Run, c.Run = &r, &r
		}
		if err := tx.Set(childKey(run.ID, c.Index), encode(&again)); err != nil {
			return err
		}
	}
	return nil
}
