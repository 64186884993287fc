package eventbridge

import (
	"cirro/internal/store"

	"github.com/google/uuid"
)

// Announcement is an event of a service of AWS's own.
type Announcement struct {
	Account, Region    string
	Source, DetailType string
	Resources          []string
	Trace              string                 // X-Amzn-Trace-Id; "" for none
	Detail             func() ([]byte, error) // a JSON object, compact; asked for where somebody may want it
}

// Announce puts an event on the default bus in a transaction of the service's: it is there with what it tells of, or
// not at all. Where no rule and no archive wants it, nothing is written; where there are none, its detail is not made.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html
func (s *Service) Announce(tx store.Tx, a Announcement) error {
	bus := busRef{place{a.Account, a.Region}, defaultBus}
	b, err := s.book(tx, bus)
	if err != nil || b.idle() {
		return err
	}
	detail, err := a.Detail()
	if err != nil {
		return err
	}
	now := s.Clock()
	f := fields{ID: uuid.NewString(), DetailType: a.DetailType, Source: a.Source, Account: a.Account, Region: a.Region, Time: now, Resources: a.Resources}
	return s.put(tx, &parcel{Bus: bus, ID: f.ID, At: now, Time: now, Trace: a.Trace, event: f.write(detail)})
}

// idle reports whether nobody wants anything of a bus.
func (b *book) idle() bool { return len(b.matched) == 0 && len(b.archives) == 0 && len(b.always) == 0 }
