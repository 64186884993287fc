package dynamodb

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	Log    *slog.Logger

	StreamRetention time.Duration // how long the records of streams are kept; 0 for AWS's 24 hours
	ExpiryInterval  time.Duration // between two looks for items whose time to live has ended; 0 for 5 seconds
}

// Service is DynamoDB. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	catalog *table.Catalog
	streams *Streams
	workers *workers
}

var _ api.API = (*Service)(nil)

// New makes the service over what the store holds.
func New(d Deps) *Service {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	if d.ExpiryInterval <= 0 {
		d.ExpiryInterval = expiryInterval
	}
	return &Service{Deps: d, catalog: table.NewCatalog(d.Store), workers: newWorkers(),
		streams: NewStreams(StreamsDeps{Store: d.Store, Clock: d.Clock, Retention: d.StreamRetention})}
}

// Streams is the API of the tables' streams.
func (s *Service) Streams() *Streams { return s.streams }

// trimInterval is how often what is out of reach is removed from streams.
const trimInterval = time.Minute

// Start begins the work in the background: it goes on with what the last process left. It ends with ctx or at Close.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.workers.stop)
	s.resume(ctx)
	s.workers.every(s.ExpiryInterval, s.expire)
	s.workers.every(tokenLife, func(ctx context.Context) {
		s.complain(s.forgetTokens(ctx), "tokens of transactions that are forgotten")
	})
	s.workers.every(countInterval, s.countLarge)
	s.workers.every(trimInterval, s.forget)
	s.workers.every(trimInterval, func(ctx context.Context) { s.complain(s.streams.Trim(ctx), "streams that are trimmed") })
}

// Close ends the work in the background.
func (s *Service) Close() error {
	s.workers.close()
	return nil
}

// refOf is the table that a request means, by its name or its ARN.
func refOf(ctx context.Context, name *string) (table.Ref, error) {
	r := awsapi.RequestOf(ctx)
	ref := table.Ref{Account: r.Account(), Region: r.Region, Name: awsapi.Val(name)}
	if !strings.HasPrefix(ref.Name, "arn:") {
		return ref, checkTableName(ref.Name)
	}
	parts := strings.SplitN(ref.Name, ":", 6)
	if len(parts) != 6 || parts[2] != "dynamodb" || !strings.HasPrefix(parts[5], "table/") {
		return ref, invalid("Invalid table name or ARN: %s", ref.Name)
	}
	if parts[3] != ref.Region || parts[4] != ref.Account {
		return ref, errForeign(r, ref.Name)
	}
	ref.Name = strings.TrimPrefix(parts[5], "table/")
	return ref, nil
}

// errForeign is the answer to an ARN of another account: whether it has such a resource is not for the caller to know.
func errForeign(r *awsapi.Request, arn string) error {
	return awsapi.AccessDenied.New("User: %s is not authorized to access the resource %s, which another account or region has", r.Principal.ARN, arn)
}

// use returns a table for one operation on its items.
func (s *Service) use(ctx context.Context, name *string) (table.Use, error) {
	ref, err := refOf(ctx, name)
	if err != nil {
		return table.Use{}, err
	}
	t, err := s.catalog.Use(ctx, ref)
	if errors.Is(err, table.ErrNotFound) {
		return t, api.ResourceNotFoundException.New("Requested resource not found")
	}
	if err == nil && t.Creating() {
		t.End()
		return t, api.ResourceNotFoundException.New("Requested resource not found")
	}
	return t, err
}

func invalid(format string, args ...any) error {
	return awsapi.ValidationException.New(format, args...)
}
