package extensionsapi

import (
	"sync"

	"github.com/google/uuid"
)

// maxExtensions is how many an environment may have.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
const maxExtensions = 10

// The events that an extension may subscribe to.
const (
	Invoke   = "INVOKE"
	Shutdown = "SHUTDOWN"
)

// Function is what an extension is told about the function when it registers.
type Function struct {
	Name    string `json:"functionName"`
	Version string `json:"functionVersion"`
	Handler string `json:"handler"`
	Account string `json:"accountId,omitempty"`
}

// Failure is an error that an extension reported.
type Failure struct {
	Extension string
	Type      string // "Extension.InitError", "Extension.ExitError"
	Reported  string // the type that the extension named
}

// Registry is the extensions of one environment. It is an http.Handler for the paths under Prefix.
type Registry struct {
	function Function
	failed   chan Failure
	gone     chan struct{}
	goneOnce sync.Once

	lock       sync.Mutex
	external   map[string]bool // names of programs that have to register; true once they did
	extensions map[string]*extension
	shut       bool // no more registrations
	waiting    []waiter
	registered func(name string, events []string)
}

// extension is one that registered.
type extension struct {
	id, name string
	external bool
	events   map[string]bool
	resting  bool // it asked for the next event and has none
	mail     chan []byte
}

// waiter is somebody who waits for a condition.
type waiter struct {
	met  func() bool
	done chan struct{}
}

// New makes a Registry that expects the external extensions with the given names.
func New(f Function, external []string) *Registry {
	g := &Registry{
		function: f, failed: make(chan Failure, 1), gone: make(chan struct{}),
		external: map[string]bool{}, extensions: map[string]*extension{},
	}
	for _, name := range external {
		g.external[name] = false
	}
	return g
}

// OnRegister makes f be called for every extension that registers. Set it before anything runs.
func (g *Registry) OnRegister(f func(name string, events []string)) { g.registered = f }

// Empty says that no extension registered.
func (g *Registry) Empty() bool {
	g.lock.Lock()
	defer g.lock.Unlock()
	return len(g.extensions) == 0
}

// HasExternal says whether an external extension registered.
func (g *Registry) HasExternal() bool {
	g.lock.Lock()
	defer g.lock.Unlock()
	for _, x := range g.extensions {
		if x.external {
			return true
		}
	}
	return false
}

// Registered is closed once all external extensions have registered.
func (g *Registry) Registered() <-chan struct{} {
	return g.when(func() bool {
		for _, done := range g.external {
			if !done {
				return false
			}
		}
		return true
	})
}

// Resting is closed once every extension has asked for its next event.
func (g *Registry) Resting() <-chan struct{} {
	return g.when(func() bool {
		for _, x := range g.extensions {
			if !x.resting {
				return false
			}
		}
		return true
	})
}

// Failed receives the first error of an extension.
func (g *Registry) Failed() <-chan Failure { return g.failed }

// Name returns the name of the extension with an identifier.
func (g *Registry) Name(id string) (name string, ok bool) {
	g.lock.Lock()
	defer g.lock.Unlock()
	x := g.extensions[id]
	if x == nil {
		return "", false
	}
	return x.name, true
}

// Seal ends the time in which extensions may register.
func (g *Registry) Seal() {
	g.lock.Lock()
	defer g.lock.Unlock()
	g.shut = true
}

// Send gives an event to all that subscribed to its kind, and says how many they are.
func (g *Registry) Send(kind string, event []byte) int {
	g.lock.Lock()
	defer g.lock.Unlock()
	n := 0
	for _, x := range g.extensions {
		if !x.events[kind] {
			continue
		}
		n++
		x.resting = false
		select {
		case x.mail <- event:
		default: // it has not fetched the one before
		}
	}
	return n
}

// Close ends requests that wait.
func (g *Registry) Close() { g.goneOnce.Do(func() { close(g.gone) }) }

// when returns a channel that is closed once a condition is met, which is evaluated with the lock held.
func (g *Registry) when(met func() bool) <-chan struct{} {
	g.lock.Lock()
	defer g.lock.Unlock()
	w := waiter{met, make(chan struct{})}
	if met() {
		close(w.done)
		return w.done
	}
	g.waiting = append(g.waiting, w)
	return w.done
}

// changed wakes those whose condition is met now. The lock is held.
func (g *Registry) changed() {
	rest := g.waiting[:0]
	for _, w := range g.waiting {
		if w.met() {
			close(w.done)
			continue
		}
		rest = append(rest, w)
	}
	g.waiting = rest
}

// refusal is an error of this API's.
type refusal struct{ kind, message string }

// register adds an extension.
func (g *Registry) register(name string, events []string) (*extension, *refusal) {
	g.lock.Lock()
	defer g.lock.Unlock()
	_, external := g.external[name]
	x := &extension{name: name, external: external, events: map[string]bool{}, mail: make(chan []byte, 2)}
	for _, e := range events {
		switch {
		case e == Shutdown && !external:
			return nil, &refusal{"Extension.InvalidEventType", e + ": ShutdownEventNotSupportedForInternalExtension"}
		case e != Invoke && e != Shutdown:
			return nil, &refusal{"Extension.InvalidEventType", e + ": InvalidEventType"}
		}
		x.events[e] = true
	}
	if !external && g.shut {
		return nil, &refusal{"Extension.RegistrationClosed", "Extension registration closed already"}
	}
	if len(g.extensions) >= maxExtensions {
		return nil, &refusal{"Extension.TooManyExtensions", "Extension limit (10) reached"}
	}
	for _, other := range g.extensions {
		if other.name == name {
			return nil, &refusal{"Extension.InvalidExtensionState", "Extension with this name already registered"}
		}
	}
	if external {
		g.external[name] = true
	}
	x.id = uuid.NewString()
	g.extensions[x.id] = x
	g.changed()
	return x, nil
}

// Fail records the error of an extension: one that it reported, or that its program ended.
func (g *Registry) Fail(f Failure) {
	select {
	case g.failed <- f:
	default:
	}
}
