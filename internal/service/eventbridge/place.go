package eventbridge

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/store"
	"cirro/internal/target"
)

// place is where a resource is.
type place struct{ Account, Region string }

func placeOf(ctx context.Context) place {
	r := awsapi.RequestOf(ctx)
	return place{r.Account(), r.Region}
}

func (p place) arn(resource string) string {
	return fmt.Sprintf("arn:aws:events:%s:%s:%s", p.Region, p.Account, resource)
}

// key is the key of a resource.
func (p place) key(kind string, names ...any) []byte {
	return store.AppendKey(store.Key("events", kind, p.Account, p.Region), names...)
}

// all is the range of the resources of a kind, or of those below some names.
func (p place) all(kind string, names ...any) store.Range {
	return store.Prefix(append([]any{"events", kind, p.Account, p.Region}, names...)...)
}

// resource names a resource in a queue of those that something is being done with.
type resource struct {
	Place place
	Name  string
}

// busRef names a bus.
type busRef struct {
	place
	Name string
}

const defaultBus = "default"

func (b busRef) arn() string { return b.place.arn("event-bus/" + b.Name) }

// busOf takes a bus's name or ARN; nil stands for the default bus.
func busOf(ctx context.Context, nameOrARN *string) busRef {
	b := busRef{placeOf(ctx), defaultBus}
	if name := awsapi.Val(nameOrARN); name != "" {
		b.Name = name
		if other, ok := parseBus(name); ok {
			return other
		}
	}
	return b
}

// ownBus is busOf for what an account does to its own buses: another's is none of its.
func ownBus(ctx context.Context, nameOrARN *string) busRef {
	b, here := busOf(ctx, nameOrARN), placeOf(ctx)
	if b.place != here {
		return busRef{here, *nameOrARN} // which is no bus's name
	}
	return b
}

// parseBus reads a bus's ARN.
func parseBus(arn string) (busRef, bool) {
	a, ok := target.ParseARN(arn)
	name, isBus := strings.CutPrefix(a.Resource, "event-bus/")
	return busRef{place{a.Account, a.Region}, name}, ok && a.Service == "events" && isBus && name != ""
}

// ruleARN is a rule's ARN, which names its bus where that is not the default one.
func (b busRef) ruleARN(name string) string {
	if b.Name == defaultBus {
		return b.place.arn("rule/" + name)
	}
	return b.place.arn("rule/" + b.Name + "/" + name)
}

// parseRule reads a rule's ARN.
func parseRule(arn string) (b busRef, name string, ok bool) {
	a, ok := target.ParseARN(arn)
	rest, isRule := strings.CutPrefix(a.Resource, "rule/")
	if !ok || a.Service != "events" || !isRule {
		return b, "", false
	}
	b = busRef{place{a.Account, a.Region}, defaultBus}
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		b.Name, rest = rest[:i], rest[i+1:]
	}
	return b, rest, rest != "" && b.Name != ""
}

// invalid is the answer to a request that cannot be carried out as it is.
func invalid(format string, args ...any) error {
	return awsapi.ValidationException.New(format, args...)
}

// pageLength is the length of a page where the request gives none.
const pageLength = 100

// page reads one page of records, from where the page before ended.
func page[T any](r store.Reader, over store.Range, token *string, limit *int32, keep func(*T) bool) (records []T, next *string, err error) {
	if token != nil {
		after, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil || bytes.Compare(after, over.Start) < 0 || bytes.Compare(after, over.End) >= 0 {
			return nil, nil, invalid("Invalid token provided.")
		}
		over = over.After(after)
	}
	length := pageLength
	if limit != nil {
		length = int(*limit)
	}
	records, last, err := store.Page(r, over, length, keep)
	if err == nil && last != nil {
		next = new(base64.RawURLEncoding.EncodeToString(last))
	}
	return records, next, err
}

// named keeps records whose name begins with a prefix.
func named[T any](prefix *string, name func(*T) string) func(*T) bool {
	return func(t *T) bool { return strings.HasPrefix(name(t), awsapi.Val(prefix)) }
}
