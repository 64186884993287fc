package states

import (
	"context"
	"strings"
	"time"

	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/store"
)

// lookedAt is how many executions one page of a list looks at: where a filter lets few of them through the page is short,
// or empty, and its token leads on.
const lookedAt = 1000

// startedKey lists the executions of a machine, the latest first.
func startedKey(at scope, machine string, started time.Time, id string) []byte {
	return store.Key("states", "started", at.Account, at.Region, machine, -started.UnixNano(), id)
}

// statusKey lists those of them that have a status. Those that succeeded are most of all, and are not listed apart.
func statusKey(run *engine.Run, status string) []byte {
	machine := run.Machine[strings.LastIndexByte(run.Machine, ':')+1:]
	return store.Key("states", "status", run.Account, run.Region, machine, status, -run.Started.UnixNano(), run.ID)
}

// recorded keeps what follows from an execution's events, in the transaction that records them. Those of express
// executions are recorded in none.
func (s *Service) recorded(tx engine.Tx, run *engine.Run, events []engine.Event) error {
	durable, ok := tx.(store.Tx)
	if !ok {
		return nil
	}
	var changes []string
	for i := range events {
		if status, ok := statuses[events[i].Type]; ok {
			changes = append(changes, status)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if run.MapRun == "" {
		if err := list(durable, run, events[0].ID == 1, changes); err != nil {
			return err
		}
	}
	return s.announce(durable, run, changes)
}

// list lists an execution by its status.
func list(tx store.Tx, run *engine.Run, begun bool, changes []string) error {
	before := []string{engine.Running}
	switch {
	case begun:
		before = nil
	case changes[0] == engine.Running: // it is redriven
		before = []string{engine.Failed, engine.TimedOut, engine.Aborted}
	}
	for _, status := range before {
		if err := tx.Delete(statusKey(run, status)); err != nil {
			return err
		}
	}
	now := changes[len(changes)-1]
	if now == engine.Succeeded {
		return nil
	}
	return tx.Set(statusKey(run, now), []byte(run.ID))
}

// ListExecutions lists a machine's executions, the latest first.
// https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
func (s *Service) ListExecutions(ctx context.Context, in *api.ListExecutionsInput) (*api.ListExecutionsOutput, error) {
	if (in.StateMachineArn == nil) == (in.MapRunArn == nil) {
		return nil, api.ValidationException.New("Exactly one of stateMachineArn and mapRunArn must be specified")
	}
	if in.MapRunArn != nil {
		return s.listChildren(ctx, in)
	}
	res, err := parseARN(*in.StateMachineArn, "stateMachine")
	if err != nil {
		return nil, err
	}
	name, qualifier := res.split()
	all := store.Prefix("states", "started", res.Account, res.Region, name)
	if f := in.StatusFilter; f != nil && *f != engine.Succeeded {
		all = store.Prefix("states", "status", res.Account, res.Region, name, *f)
	}
	span, limit, err := pageOf(all, in.NextToken, in.MaxResults)
	if err != nil {
		return nil, err
	}
	span.Limit = lookedAt + 1
	out := &api.ListExecutionsOutput{Executions: []api.ExecutionListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		c, err := choose(r, res, anyRoute)
		if err != nil {
			return err
		}
		if c.Type == api.StateMachineTypeExpress {
			return api.StateMachineTypeNotSupported.New("This operation is not supported by this type of state machine")
		}
		var last []byte
		looked := 0
		for kv, err := range r.Range(span) {
			if err != nil {
				return err
			}
			if looked == lookedAt || len(out.Executions) == limit {
				out.NextToken = tokenOf(last)
				return nil
			}
			run, err := engine.Find(r, string(kv.Value))
			if err != nil {
				return err
			}
			if wanted(run, in) && (qualifier == "" || run.Version == *in.StateMachineArn || run.Alias == *in.StateMachineArn) {
				out.Executions = append(out.Executions, listed(run))
			}
			looked, last = looked+1, append(last[:0], kv.Key...)
		}
		return nil
	})
	return out, err
}

// wanted reports whether a list's filters let an execution through.
func wanted(run *engine.Run, in *api.ListExecutionsInput) bool {
	if in.StatusFilter != nil && run.Status != *in.StatusFilter {
		return false
	}
	return in.RedriveFilter == nil || (*in.RedriveFilter == api.ExecutionRedriveFilterRedriven) == (run.Redrives > 0)
}

func listed(run *engine.Run) api.ExecutionListItem {
	item := api.ExecutionListItem{ExecutionArn: &run.ARN, StateMachineArn: &run.Machine, Name: &run.Name, Status: &run.Status,
		StartDate: &run.Started, RedriveCount: new(int32(run.Redrives))}
	if !run.Stopped.IsZero() {
		item.StopDate = &run.Stopped
	}
	if run.Redrives > 0 {
		item.RedriveDate = &run.Redriven
	}
	if run.Version != "" {
		item.StateMachineVersionArn = &run.Version
	}
	if run.Alias != "" {
		item.StateMachineAliasArn = &run.Alias
	}
	return item
}

// listChildren lists the executions of a map run, the first ones first.
func (s *Service) listChildren(ctx context.Context, in *api.ListExecutionsInput) (*api.ListExecutionsOutput, error) {
	_, limit, err := pageOf(store.Range{}, nil, in.MaxResults)
	if err != nil {
		return nil, err
	}
	from, err := numberOf(in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &api.ListExecutionsOutput{Executions: []api.ExecutionListItem{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		m, err := mapRun(r, *in.MapRunArn)
		if err != nil {
			return err
		}
		return engine.Children(r, m.ID, from, func(c *engine.Child) (bool, error) {
			if c.Index == from+lookedAt || len(out.Executions) == limit {
				out.NextToken = new(textOfNumber(c.Index))
				return false, nil
			}
			run := c.Run
			switch {
			case c.Ended:
			case m.Express: // it runs in memory
				run.Status = engine.Running
			default:
				if run, err = engine.Find(r, c.Run.ID); err != nil {
					return false, err
				}
			}
			if wanted(run, in) {
				item := listed(run)
				item.MapRunArn, item.ItemCount = &m.ARN, new(int32(c.Items))
				out.Executions = append(out.Executions, item)
			}
			return true, nil
		})
	})
	return out, err
}
