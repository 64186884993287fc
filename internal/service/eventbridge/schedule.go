package eventbridge

import (
	"time"

	"cirro/internal/store"
)

// due is when a rule's schedule is due next after a moment; the zero time for never.
func (u *rule) due(after time.Time) time.Time {
	if u.Schedule == nil || !u.enabled() {
		return time.Time{}
	}
	parsed, err := parseSchedule(*u.Schedule)
	if err != nil {
		return time.Time{}
	}
	// A rate is due for the first time when its period has passed.
	next := parsed.Next(u.Started, after)
	if next.Equal(u.Started) {
		next = parsed.Next(u.Started, next)
	}
	return next
}

// ring sends the event of a rule whose schedule is due. What came due while nobody was up comes once.
func (s *Service) ring(tx store.Tx, id string, due time.Time) (next time.Time, err error) {
	ref, name, ok := parseRule(id)
	if !ok {
		return time.Time{}, nil
	}
	u, found, err := store.GetRecord[rule](tx, ref.ruleKey(name))
	if err != nil || !found {
		return time.Time{}, err
	}
	if len(u.Targets) > 0 {
		if err := scheduled(ref, name, due).enqueue(tx, []string{name}); err != nil {
			return time.Time{}, err
		}
	}
	return u.due(s.Clock()), nil
}
