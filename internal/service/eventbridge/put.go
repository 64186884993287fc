package eventbridge

import (
	"context"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// maxRequest is how much the entries of a request hold together, in bytes.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
const maxRequest = 1 << 20

// PutEvents puts events on buses: what rules and archives want of them is durable when it returns. An event
// for a bus that is not there disappears, as AWS has it.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
func (s *Service) PutEvents(ctx context.Context, in *api.PutEventsRequest) (*api.PutEventsResponse, error) {
	if in.EndpointId != nil {
		return nil, awsapi.Unimplemented("events", "PutEvents to a global endpoint")
	}
	size := 0
	for i := range in.Entries {
		size += sizeOf(&in.Entries[i])
	}
	if size > maxRequest {
		return nil, invalid("Total size of the entries in the request is over the limit.")
	}
	out := &api.PutEventsResponse{Entries: make([]api.PutEventsResultEntry, len(in.Entries)), FailedEntryCount: new(int32(0))}
	var parcels []*parcel
	for i := range in.Entries {
		p, failed := s.parcel(ctx, &in.Entries[i])
		if failed == nil {
			failed, p = s.admit(ctx, p)
		}
		if failed != nil {
			out.Entries[i] = *failed
			*out.FailedEntryCount++
			continue
		}
		out.Entries[i].EventId = &p.ID
		parcels = append(parcels, p)
	}
	return out, s.accept(ctx, parcels)
}

// sizeOf is the size of an entry as AWS counts it.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-event-size
func sizeOf(e *api.PutEventsRequestEntry) int {
	size := len(awsapi.Val(e.Source)) + len(awsapi.Val(e.DetailType)) + len(awsapi.Val(e.Detail))
	if e.Time != nil {
		size += 14
	}
	for _, r := range e.Resources {
		size += len(r)
	}
	return size
}

func failedEntry(code, message string) *api.PutEventsResultEntry {
	return &api.PutEventsResultEntry{ErrorCode: &code, ErrorMessage: &message}
}

// parcel makes an event of an entry, or says what is wrong with it.
func (s *Service) parcel(ctx context.Context, e *api.PutEventsRequestEntry) (*parcel, *api.PutEventsResultEntry) {
	r := awsapi.RequestOf(ctx)
	for _, required := range []struct {
		name  string
		value *string
	}{{"Source", e.Source}, {"DetailType", e.DetailType}, {"Detail", e.Detail}} {
		if awsapi.Val(required.value) == "" {
			return nil, failedEntry("InvalidArgument", "Parameter "+required.name+" is not valid. Reason: "+required.name+" is a required argument.")
		}
	}
	if strings.HasPrefix(*e.Source, "aws.") && r.Principal.Service == "" {
		return nil, failedEntry("NotAuthorizedForSourceException", "Not authorized for the source.")
	}
	detail, ok := compactObject(*e.Detail)
	if !ok {
		return nil, failedEntry("MalformedDetail", "Detail is malformed.")
	}
	now := s.Clock()
	f := fields{ID: uuid.NewString(), DetailType: *e.DetailType, Source: *e.Source, Account: r.Account(), Region: r.Region, Time: now, Resources: e.Resources}
	if e.Time != nil {
		f.Time = *e.Time
	}
	p := &parcel{Bus: busOf(ctx, e.EventBusName), ID: f.ID, At: now, Time: f.Time, Trace: r.TraceID, event: f.write(detail)}
	if e.TraceHeader != nil {
		p.Trace = *e.TraceHeader
	}
	return p, nil
}

// admit asks the policy of a bus in another account.
func (s *Service) admit(ctx context.Context, p *parcel) (*api.PutEventsResultEntry, *parcel) {
	account := awsapi.RequestOf(ctx).Account()
	if p.Bus.Account == account {
		return nil, p
	}
	var b *book
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		b, err = s.book(r, p.Bus)
		return err
	})
	if err != nil {
		return failedEntry("InternalFailure", "Service encountered unexpected problem. Please try again."), p
	}
	if !b.policy.admits(account) {
		return failedEntry("AccessDeniedException", "User is not authorized to perform: events:PutEvents on resource: "+p.Bus.arn()), p
	}
	return nil, p
}

// accept matches events and makes durable what rules and archives want of them. Where nobody wants any,
// nothing is written.
func (s *Service) accept(ctx context.Context, parcels []*parcel) error {
	wanted := false
	err := s.Store.View(ctx, func(r store.Reader) error {
		for _, p := range parcels {
			b, err := s.book(r, p.Bus)
			if err != nil {
				return err
			}
			rules, archives := b.match(p.event)
			wanted = wanted || len(rules) > 0 || len(archives) > 0
		}
		return nil
	})
	if err != nil || !wanted {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		for _, p := range parcels {
			if err := s.put(tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

// put matches an event in a transaction and enqueues it for the rules that want it.
func (s *Service) put(tx store.Tx, p *parcel) error {
	b, err := s.book(tx, p.Bus)
	if err != nil {
		return err
	}
	rules, archives := b.match(p.event)
	if p.Replay == "" {
		for _, a := range archives {
			if err := a.keep(tx, p); err != nil {
				return err
			}
		}
	}
	return p.enqueue(tx, rules)
}

// enqueue sends an event on its way to rules.
func (p *parcel) enqueue(tx store.Tx, rules []string) error {
	if len(rules) == 0 {
		return nil
	}
	fresh := *p
	fresh.Rules = rules
	_, err := tx.Enqueue(freshQueue, store.NewMessage{Body: fresh.encode()})
	return err
}

// scheduled is the event of a rule's schedule.
func scheduled(ref busRef, rule string, due time.Time) *parcel {
	f := fields{ID: uuid.NewString(), DetailType: "Scheduled Event", Source: "aws.events", Account: ref.Account, Region: ref.Region, Time: due,
		Resources: []string{ref.ruleARN(rule)}}
	return &parcel{Bus: ref, ID: f.ID, At: due, Time: due, event: f.write([]byte("{}"))}
}
