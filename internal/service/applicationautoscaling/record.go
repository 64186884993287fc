package applicationautoscaling

import (
	"time"

	"cirro/internal/store"
)

// target is a scalable target.
type target struct {
	resource
	ARN     string
	Min     int
	Max     int
	Role    string
	Created time.Time
	Tags    map[string]string

	// What is suspended.
	In, Out, Scheduled bool

	// Unfit names the change after which the capacity has yet to be brought between Min and Max; "" if it was.
	Unfit string
	// Pending is the key of the activity under way, if one is.
	Pending []byte
}

// policy is a target tracking policy, and how its alarms stand.
type policy struct {
	resource
	Name        string
	ARN         string
	Created     time.Time
	Target      float64
	OutCooldown *int32 // seconds
	InCooldown  *int32
	NoScaleIn   *bool
	High, Low   string // names of its alarms

	Above, Below    int // so many points in a row breached the high and the low alarm
	LastOut, LastIn time.Time
	Noted           string // why the alarm under way changed nothing, once that is recorded
}

// action is a scheduled action.
type action struct {
	resource
	Name       string
	ARN        string
	Created    time.Time
	Schedule   string
	Zone       string
	Start, End time.Time // zero for none
	Min, Max   *int32
	Next       time.Time // when it is due; zero for never again
}

// activity is one attempt to scale.
type activity struct {
	resource
	Activity    string // its id
	Description string
	Cause       string
	Start, End  time.Time
	Status      string
	Message     string
	Capacity    int    // that it asked for
	NotScaled   string // why nothing changed
	Limit       int    // that NotScaled speaks of
}

// Keys of the records. The activities of a service are in the order of their time.
func (r *resource) key(kind string, more ...any) []byte {
	return store.AppendKey(store.Key("autoscaling", kind, r.Account, r.Region, r.Namespace, r.ID, r.Dimension), more...)
}

func (t *target) key() []byte { return t.resource.key("target") }
func (p *policy) key() []byte { return p.resource.key("policy", p.Name) }
func (a *action) key() []byte { return a.resource.key("action", a.Name) }

func (a *activity) key() []byte {
	return store.Key("autoscaling", "activity", a.Account, a.Region, a.Namespace, a.Start.UnixNano(), a.Activity)
}

// targetOf reads a scalable target.
func targetOf(r store.Reader, of resource) (target, bool, error) {
	return store.GetRecord[target](r, of.key("target"))
}
