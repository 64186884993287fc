package scheduler

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/store"
)

// place is where a resource is.
type place struct{ Account, Region string }

func placeOf(ctx context.Context) place {
	r := awsapi.RequestOf(ctx)
	return place{r.Account(), r.Region}
}

func (p place) arn(resource string) string {
	return "arn:aws:scheduler:" + p.Region + ":" + p.Account + ":" + resource
}

// ref names a schedule.
type ref struct {
	place
	Group, Name string
}

const defaultGroup = "default"

func refOf(ctx context.Context, group, name *string) ref {
	r := ref{placeOf(ctx), defaultGroup, *name}
	if group != nil {
		r.Group = *group
	}
	return r
}

func (r ref) arn() string { return r.place.arn("schedule/" + r.Group + "/" + r.Name) }

func (r ref) key() []byte {
	return store.Key("scheduler", "schedule", r.Account, r.Region, r.Group, r.Name)
}

// id is how the schedule's alarm is called: names hold no slash.
func (r ref) id() string { return strings.Join([]string{r.Account, r.Region, r.Group, r.Name}, "/") }

func parseID(id string) (ref, bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 4 {
		return ref{}, false
	}
	return ref{place{parts[0], parts[1]}, parts[2], parts[3]}, true
}

// schedules are the schedules of a group, or of all where it is "".
func (p place) schedules(group string) store.Range {
	if group == "" {
		return store.Prefix("scheduler", "schedule", p.Account, p.Region)
	}
	return store.Prefix("scheduler", "schedule", p.Account, p.Region, group)
}

func invalid(format string, args ...any) error {
	return api.ValidationException.New(format, args...)
}

// pageLength is the length of a page where the request gives none.
const pageLength = 100

// page reads one page of records, from where the page before ended.
func page[T any](r store.Reader, over store.Range, token *string, max *int32, keep func(*T) bool) (records []T, next *string, err error) {
	if token != nil {
		after, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || bytes.Compare(after, over.Start) < 0 || bytes.Compare(after, over.End) >= 0 {
			return nil, nil, invalid("Invalid NextToken.")
		}
		over = over.After(after)
	}
	length := pageLength
	if max != nil {
		length = int(*max)
	}
	records, last, err := store.Page(r, over, length, keep)
	if err == nil && last != nil {
		next = new(base64.RawURLEncoding.EncodeToString(last))
	}
	return records, next, err
}
