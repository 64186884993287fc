package endpoint

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/rest"
	"cirro/internal/endpoint/wire"

	"github.com/google/uuid"
)

// Each request has an id: randomness for many at once costs about as much as for one.
func init() { uuid.EnableRandPool() }

// DefaultRegion is the region of requests whose credentials name none; awsapi.DefaultAccount is the account.
const DefaultRegion = "us-east-1"

// Options says how an Endpoint works. The zero value accepts any credentials.
type Options struct {
	// Identify returns whom an access key belongs to, and its secret. nil knows nobody. Where signatures
	// are not verified, an error means that the account is taken from the access key instead.
	Identify func(ctx context.Context, accessKey, sessionToken string) (p awsapi.Principal, secret string, err error)
	// Verify switches the checking of signatures on.
	Verify bool
	// Origins are the web origins whose pages may call the APIs, besides those on this machine.
	// "*" stands for all.
	Origins []string
	Logger  *slog.Logger     // nil for slog.Default()
	Now     func() time.Time // nil for time.Now
}

// Endpoint is the front door. Register and Mount everything before it serves its first request.
type Endpoint struct {
	options  Options
	log      *slog.Logger
	now      func() time.Time
	services []*service
	byName   map[string]*service
	bySigner map[string][]*service // by signing name, endpoint prefix and name
	byTarget map[string]*service   // by X-Amz-Target's prefix
	mounts   []mount

	unchecked bool // leaves the models' constraints unchecked, for tests
}

// service is a registered service.
type service struct {
	*wire.Service
	impl   any
	router func() *rest.Router // of a REST service
}

type mount struct {
	match   func(*http.Request) bool
	handler http.Handler
}

var (
	_ http.Handler  = (*Endpoint)(nil)
	_ awsapi.Caller = (*Endpoint)(nil)
)

// New returns an endpoint without services.
func New(o Options) *Endpoint {
	e := &Endpoint{options: o, log: o.Logger, now: o.Now, byName: map[string]*service{},
		bySigner: map[string][]*service{}, byTarget: map[string]*service{}}
	if e.log == nil {
		e.log = slog.Default()
	}
	if e.now == nil {
		e.now = time.Now
	}
	return e
}

// Register adds a service: its table, and what implements the table's API interface.
func (e *Endpoint) Register(s *awsapi.Service, impl any) {
	ws := wire.NewService(s)
	entry := &service{Service: ws, impl: impl}
	if s.Protocol == awsapi.RestJSON || s.Protocol == awsapi.RestXML {
		entry.router = sync.OnceValue(func() *rest.Router { return rest.NewRouter(ws) })
	}
	e.services = append(e.services, entry)
	e.byName[s.Name] = entry
	if s.TargetPrefix != "" {
		e.byTarget[s.TargetPrefix] = entry
	}
	names := []string{s.SigningName, s.EndpointPrefix, s.Name}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name != "" {
			e.bySigner[name] = append(e.bySigner[name], entry)
		}
	}
}

// Mount gives the requests that match to h: those that are no operation of an AWS API. The first that
// matches takes the request, before any service.
func (e *Endpoint) Mount(match func(*http.Request) bool, h http.Handler) {
	e.mounts = append(e.mounts, mount{match, h})
}
