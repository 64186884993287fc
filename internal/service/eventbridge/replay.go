package eventbridge

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/courier"
	"cirro/internal/store"
)

// replay is the record of a replay.
type replay struct {
	Name        string
	Place       place
	Archive     string
	Bus         string
	Description *string   `json:",omitempty"`
	Filters     []string  `json:",omitempty"` // ARNs of the rules that get the events; none for all
	From, To    time.Time // the events' times
	State       string
	Reason      *string `json:",omitempty"`
	Started     time.Time
	Ended       *time.Time `json:",omitempty"`
	LastEvent   *time.Time `json:",omitempty"` // the time of the last one replayed
	Cursor      []byte     `json:",omitempty"` // its key
}

func (p place) replayKey(name string) []byte { return p.key("replay", name) }

func (y *replay) arn() string { return y.Place.arn("replay/" + y.Name) }

func (y *replay) active() bool {
	return y.State == api.ReplayStateStarting || y.State == api.ReplayStateRunning || y.State == api.ReplayStateCancelling
}

func getReplay(r store.Reader, at place, name string) (replay, error) {
	y, found, err := store.GetRecord[replay](r, at.replayKey(name))
	if err == nil && !found {
		err = api.ResourceNotFoundException.New("Replay %s does not exist.", name)
	}
	return y, err
}

// maxReplays is how many replays may be under way.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maxReplays = 10

// StartReplay sends the events of an archive to its bus's rules again.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_StartReplay.html
func (s *Service) StartReplay(ctx context.Context, in *api.StartReplayRequest) (*api.StartReplayResponse, error) {
	at := placeOf(ctx)
	bus, ok := parseBus(*in.Destination.Arn)
	if !ok {
		return nil, invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
	}
	_, name, ok := archiveOf(*in.EventSourceArn)
	if !ok {
		return nil, invalid("Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.")
	}
	y := replay{Name: *in.ReplayName, Place: at, Archive: name, Bus: bus.Name, Description: in.Description, Filters: in.Destination.FilterArns,
		From: *in.EventStartTime, To: *in.EventEndTime, State: api.ReplayStateStarting, Started: s.Clock()}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := getBus(tx, bus); err != nil {
			return err
		}
		a, found, err := store.GetRecord[archive](tx, at.archiveKey(name))
		switch {
		case err != nil:
			return err
		case !found:
			return invalid("Parameter EventSourceArn is not valid. Reason: Archive %s does not exist.", name)
		case bus != busRef{at, a.Bus}:
			return invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
		case !y.From.Before(y.To):
			return invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
		}
		active := 0
		for o, err := range store.Records[replay](tx, at.all("replay")) {
			if err != nil {
				return err
			}
			if o.Name == y.Name {
				return api.ResourceAlreadyExistsException.New("Replay %s already exists.", y.Name)
			}
			if o.active() {
				active++
			}
		}
		if active >= maxReplays {
			return api.LimitExceededException.New("The requested resource exceeds the maximum number allowed.")
		}
		if err := store.SetRecord(tx, at.replayKey(y.Name), y); err != nil {
			return err
		}
		_, err = tx.Enqueue(replayQueue, store.NewMessage{Body: raw(resource{at, y.Name})})
		return err
	})
	return &api.StartReplayResponse{ReplayArn: new(y.arn()), State: &y.State, ReplayStartTime: &y.Started}, err
}

// replayBatch is how many events are replayed in one transaction.
const replayBatch = 50

// replay carries out a replay, from where it stands.
func (s *Service) replay(ctx context.Context, m store.Message) courier.Verdict {
	var ref resource
	if err := json.Unmarshal(m.Body, &ref); err != nil {
		s.Log.Error("eventbridge: a replay cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	for more := true; more; {
		if ctx.Err() != nil {
			return courier.Again(0)
		}
		err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
			more, err = s.replaySome(tx, ref)
			return err
		})
		if err != nil {
			s.Log.Error("eventbridge: replay", "replay", ref.Name, "error", err)
			return courier.Again(time.Second)
		}
	}
	return courier.Verdict{}
}

// replaySome replays the next events, and keeps how far it came in the same transaction.
func (s *Service) replaySome(tx store.Tx, ref resource) (more bool, err error) {
	y, found, err := store.GetRecord[replay](tx, ref.Place.replayKey(ref.Name))
	if err != nil || !found || !y.active() {
		return false, err
	}
	a, found, err := store.GetRecord[archive](tx, y.Place.archiveKey(y.Archive))
	switch {
	case err != nil:
		return false, err
	case !found:
		y.State, y.Reason = api.ReplayStateFailed, new("The archive was deleted.")
	case y.State == api.ReplayStateCancelling:
		y.State = api.ReplayStateCancelled
	default:
		y.State = api.ReplayStateRunning
		if more, err = s.replayPage(tx, &y, &a); err != nil {
			return false, err
		}
		if !more {
			y.State = api.ReplayStateCompleted
		}
	}
	if !more {
		y.Ended = new(s.Clock())
	}
	return more, store.SetRecord(tx, y.Place.replayKey(y.Name), y)
}

func (s *Service) replayPage(tx store.Tx, y *replay, a *archive) (more bool, err error) {
	over := store.Range{Start: a.Place.key("archived", a.UID, y.From.UnixNano()), End: a.Place.key("archived", a.UID, y.To.UnixNano()), Limit: replayBatch}
	if y.Cursor != nil {
		over = over.After(y.Cursor)
	}
	b, err := s.book(tx, busRef{y.Place, y.Bus})
	if err != nil {
		return false, err
	}
	n := 0
	for kv, err := range tx.Range(over) {
		if err != nil {
			return false, err
		}
		n++
		if err := s.replayOne(tx, y, b, kv); err != nil {
			return false, err
		}
	}
	return n == replayBatch, nil
}

func (s *Service) replayOne(tx store.Tx, y *replay, b *book, kv store.KV) error {
	parts, err := store.Split(kv.Key)
	if err != nil {
		return err
	}
	at, id := time.Unix(0, parts[len(parts)-2].(int64)).UTC(), parts[len(parts)-1].(string)
	y.Cursor, y.LastEvent = slices.Clone(kv.Key), &at
	event, err := replayed(kv.Value, y.Name)
	if err != nil {
		return err
	}
	bus := busRef{y.Place, y.Bus}
	rules, _ := b.match(event)
	if len(y.Filters) > 0 {
		rules = slices.DeleteFunc(rules, func(name string) bool { return !slices.Contains(y.Filters, bus.ruleARN(name)) })
	}
	return (&parcel{Bus: bus, ID: id, At: s.Clock(), Time: at, Replay: y.Name, event: event}).enqueue(tx, rules)
}

// CancelReplay stops a replay.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CancelReplay.html
func (s *Service) CancelReplay(ctx context.Context, in *api.CancelReplayRequest) (*api.CancelReplayResponse, error) {
	at := placeOf(ctx)
	var y replay
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if y, err = getReplay(tx, at, *in.ReplayName); err != nil {
			return err
		}
		if y.State != api.ReplayStateStarting && y.State != api.ReplayStateRunning {
			return api.IllegalStatusException.New("Replay %s is not in a valid state for this operation.", y.Name)
		}
		y.State = api.ReplayStateCancelling
		return store.SetRecord(tx, at.replayKey(y.Name), y)
	})
	return &api.CancelReplayResponse{ReplayArn: new(y.arn()), State: &y.State}, err
}

// DescribeReplay describes a replay.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeReplay.html
func (s *Service) DescribeReplay(ctx context.Context, in *api.DescribeReplayRequest) (*api.DescribeReplayResponse, error) {
	at := placeOf(ctx)
	var y replay
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		y, err = getReplay(r, at, *in.ReplayName)
		return err
	})
	return &api.DescribeReplayResponse{ReplayName: &y.Name, ReplayArn: new(y.arn()), Description: y.Description, State: &y.State, StateReason: y.Reason,
		EventSourceArn: new(at.arn("archive/" + y.Archive)), Destination: &api.ReplayDestination{Arn: new(busRef{at, y.Bus}.arn()), FilterArns: y.Filters},
		EventStartTime: &y.From, EventEndTime: &y.To, EventLastReplayedTime: y.LastEvent, ReplayStartTime: &y.Started, ReplayEndTime: y.Ended}, err
}

// ListReplays lists replays, all or those that one filter wants.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListReplays.html
func (s *Service) ListReplays(ctx context.Context, in *api.ListReplaysRequest) (*api.ListReplaysResponse, error) {
	at := placeOf(ctx)
	if !atMostOne(in.NamePrefix, in.EventSourceArn, in.State) {
		return nil, invalid("At most one filter is allowed for ListReplays. Use either : State, EventSourceArn, or NamePrefix.")
	}
	out := &api.ListReplaysResponse{Replays: []api.Replay{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		replays, next, err := page(r, at.all("replay"), in.NextToken, in.Limit, func(y *replay) bool {
			return strings.HasPrefix(y.Name, awsapi.Val(in.NamePrefix)) && (in.State == nil || *in.State == y.State) &&
				(in.EventSourceArn == nil || *in.EventSourceArn == at.arn("archive/"+y.Archive))
		})
		out.NextToken = next
		for _, y := range replays {
			out.Replays = append(out.Replays, api.Replay{ReplayName: &y.Name, EventSourceArn: new(at.arn("archive/" + y.Archive)), State: &y.State,
				StateReason: y.Reason, EventStartTime: &y.From, EventEndTime: &y.To, EventLastReplayedTime: y.LastEvent, ReplayStartTime: &y.Started, ReplayEndTime: y.Ended})
		}
		return err
	})
	return out, err
}
