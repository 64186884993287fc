package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cirro/internal/sandbox/extensionsapi"
	"cirro/internal/sandbox/family"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/telemetryapi"
)

// The time that an environment's end may take: with external extensions, and with internal ones alone.
// https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
const (
	externalGrace = 2 * time.Second
	internalGrace = 500 * time.Millisecond
)

// The reasons that an environment ends for, as extensions are told.
const (
	spindown = "spindown"
	timeout  = "timeout"
	failure  = "failure"
)

// extensions is what an environment has besides the runtime: extensions and their subscriptions.
type extensions struct {
	registry  *extensionsapi.Registry
	telemetry *telemetryapi.Hub
	external  []string // names of programs in /opt/extensions
	programs  []*extensionProgram
}

// extensionProgram is the process of an external extension.
type extensionProgram struct {
	name    string
	process jail.Process
	exited  chan struct{}
}

// newExtensions prepares for the extensions found in a directory, which becomes /opt; "" for none.
func newExtensions(s *Spec, log *journal, opt string, dial telemetryapi.Dialer) *extensions {
	names := externalExtensions(opt)
	x := &extensions{
		registry: extensionsapi.New(extensionsapi.Function{
			Name: s.Function, Version: s.Version, Handler: s.Handler, Account: s.Account,
		}, names),
		external: names,
	}
	x.telemetry = telemetryapi.New(dial, x.registry.Name)
	if len(names) > 0 {
		log.subscribe(x.telemetry.Publish)
	}
	x.registry.OnRegister(func(name string, events []string) {
		log.event(telemetryapi.Extension, "INFO", func() any {
			return telemetryapi.ExtensionRecord{Name: name, State: "Ready", Events: events}
		}, func() string {
			return fmt.Sprintf("EXTENSION\tName: %s\tState: Ready\tEvents: [%s]", name, strings.Join(events, ", "))
		})
	})
	x.telemetry.OnSubscribe(func(kind, name string, types []string) {
		log.subscribe(x.telemetry.Publish)
		word := "TELEMETRY"
		if kind == telemetryapi.LogsSubscription {
			word = "LOGS"
		}
		log.event(kind, "INFO", func() any {
			return telemetryapi.SubscriptionRecord{Name: name, State: "Subscribed", Types: types}
		}, func() string {
			return fmt.Sprintf("%s\tName: %s\tState: Subscribed\tTypes: [%s]", word, name, strings.Join(types, ", "))
		})
	})
	return x
}

// externalExtensions lists the programs in a layer's directory of extensions.
func externalExtensions(opt string) []string {
	if opt == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Join(opt, "extensions"))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if st, err := os.Stat(filepath.Join(opt, "extensions", e.Name())); err == nil && st.Mode().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names
}

// dialer connects to what listens inside a jail.
func dialer(j jail.Jail) telemetryapi.Dialer {
	return func(ctx context.Context, port string) (net.Conn, error) {
		return j.Dial(ctx, net.JoinHostPort("127.0.0.1", port))
	}
}

// startExtensions starts the external extensions and waits until they registered.
func (e *environment) startExtensions(env []string, limit time.Duration, over <-chan time.Time) *initFailure {
	for _, name := range e.extensions.external {
		if err := e.startExtension(name, env); err != nil {
			return &initFailure{Type: "Extension.LaunchError", message: err.Error()}
		}
	}
	select {
	case <-e.extensions.registry.Registered():
		return nil
	case f := <-e.extensions.registry.Failed():
		return extensionInitFailure(f)
	case <-over:
		return initTimeout(limit)
	}
}

func (e *environment) startExtension(name string, env []string) error {
	out, err := newOutput(func(record string) { e.journal.printed(telemetryapi.ExtensionLine, record) })
	if err != nil {
		return err
	}
	e.printing = append(e.printing, out)
	p, err := e.jail.Start(jail.Command{
		Path: family.Opt + "/extensions/" + name, Env: env, Dir: "/",
		Stdout: out.write, Stderr: out.write,
	})
	out.started()
	if err != nil {
		return err
	}
	program := &extensionProgram{name: name, process: p, exited: make(chan struct{})}
	e.extensions.programs = append(e.extensions.programs, program)
	go func() {
		exit := p.Wait()
		close(program.exited)
		e.extensions.registry.Fail(extensionsapi.Failure{
			Extension: name, Type: "Extension.Crash", Reported: exitReason(exit),
		})
	}()
	return nil
}

func extensionInitFailure(f extensionsapi.Failure) *initFailure {
	return &initFailure{Type: f.Type, message: extensionMessage(f)}
}

func extensionMessage(f extensionsapi.Failure) string { return f.Extension + ": " + f.Reported }

// stopExtensions tells the extensions of the environment's end and gives them their time. The runtime gets a
// SIGTERM where there are extensions, as on AWS.
func (e *environment) stopExtensions(reason string) {
	x := e.extensions
	if x.registry.Empty() && len(x.programs) == 0 {
		return
	}
	grace := internalGrace
	if len(x.programs) > 0 {
		grace = externalGrace
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if e.process != nil && e.alive() {
		e.process.Signal(syscall.SIGTERM)
	}
	x.registry.Send(extensionsapi.Shutdown, extensionsapi.ShutdownEvent(reason, deadline))
	if len(x.programs) == 0 && e.process != nil {
		select {
		case <-e.exited:
		case <-ctx.Done():
		}
	}
	for _, p := range x.programs {
		select {
		case <-p.exited:
		case <-ctx.Done():
		}
	}
	x.telemetry.Close(ctx)
}
