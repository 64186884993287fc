package states

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"cirro/internal/asl"
	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/states"
	"cirro/internal/service/states/engine"
	"cirro/internal/service/states/mock"
	"cirro/internal/store"
)

// Deps are what the service is made of. Clock and Log may be nil.
type Deps struct {
	Store  store.Store
	Caller awsapi.Caller
	Clock  func() time.Time
	Log    *slog.Logger
	// Connections authorize HTTP tasks; nil where there are none.
	Connections Connections
	// Stages is where the stages of REST APIs answer, up to the API's id; "" where there are none.
	Stages string
	// Announce puts a change of an execution on the event bus, in the transaction that changes it; nil for no bus.
	Announce func(tx store.Tx, c StatusChange) error
	// Mocks answer for the tasks of executions that are begun with a test case; nil for none.
	Mocks *mock.Config
	// Scale scales waits, retries and timeouts of executions, for tests; 0 for 1.
	Scale float64
}

// Service is Step Functions. Start makes it work in the background, Close stops that.
type Service struct {
	api.Unimplemented
	Deps

	engine   *engine.Engine
	machines machines
	http     *http.Client
	streams  sync.Map // of logs: by log group's ARN and day, the name of the stream that was made

	ctx  context.Context // of all work in the background
	stop func()
	done sync.WaitGroup
}

var _ api.API = (*Service)(nil)

// New makes the service over what the store holds.
func New(d Deps) (*Service, error) {
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	s := &Service{Deps: d, http: newHTTPClient()}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.engine = &engine.Engine{Store: d.Store, Clock: d.Clock, Log: d.Log, Scale: d.Scale, Machines: s.machineOf, Perform: s.perform,
		HasActivity: hasActivity, Mocked: s.mocked,
		OpenItems: s.openItems, WriteResults: s.writeResults, Recorded: s.recorded}
	return s, s.engine.Open(s.ctx)
}

// Start takes up the work that a stop left over, and goes on in the background until ctx ends or Close is
// called.
func (s *Service) Start(ctx context.Context) {
	context.AfterFunc(ctx, s.stop)
	s.done.Go(func() { s.engine.Run(s.ctx) })
	s.done.Go(func() { s.tellEnds(s.ctx) })
	s.done.Go(func() { s.log(s.ctx) })
}

// Close stops the work in the background and waits for its end.
func (s *Service) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}

// scope is an account in a region.
type scope struct{ Account, Region string }

func scopeOf(ctx context.Context) scope {
	r := awsapi.RequestOf(ctx)
	return scope{r.Account(), r.Region}
}

// machines are those parsed lately, by their revision.
type machines struct {
	mu     sync.Mutex
	parsed map[string]*asl.Machine
}

// maxParsed is how many machines are kept parsed.
const maxParsed = 1000

func (m *machines) get(revision string) *asl.Machine {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.parsed[revision]
}

func (m *machines) put(revision string, machine *asl.Machine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.parsed == nil || len(m.parsed) >= maxParsed {
		m.parsed = map[string]*asl.Machine{}
	}
	m.parsed[revision] = machine
}
