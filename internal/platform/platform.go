// Package platform is the composition root: it builds every part, starts them in order and stops them
// in the reverse order. It is the one package that knows all others; it holds no behaviour of its own.
package platform

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	apigatewayapi "cirro/internal/awsapi/apigateway"
	scalingapi "cirro/internal/awsapi/applicationautoscaling"
	dynamodbapi "cirro/internal/awsapi/dynamodb"
	streamsapi "cirro/internal/awsapi/dynamodbstreams"
	eventsapi "cirro/internal/awsapi/events"
	iamapi "cirro/internal/awsapi/iam"
	kinesisapi "cirro/internal/awsapi/kinesis"
	lambdaapi "cirro/internal/awsapi/lambda"
	logsapi "cirro/internal/awsapi/logs"
	pipesapi "cirro/internal/awsapi/pipes"
	s3api "cirro/internal/awsapi/s3"
	schedulerapi "cirro/internal/awsapi/scheduler"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	statesapi "cirro/internal/awsapi/states"
	stsapi "cirro/internal/awsapi/sts"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/express"
	"cirro/internal/identity"
	"cirro/internal/sandbox"
	"cirro/internal/sandbox/jail"
	"cirro/internal/sandbox/jail/egress"
	"cirro/internal/service/apigateway"
	"cirro/internal/service/apigateway/headercase"
	"cirro/internal/service/applicationautoscaling"
	"cirro/internal/service/dynamodb"
	"cirro/internal/service/eventbridge"
	"cirro/internal/service/iam"
	"cirro/internal/service/kinesis"
	"cirro/internal/service/lambda"
	"cirro/internal/service/logs"
	"cirro/internal/service/pipes"
	"cirro/internal/service/s3"
	"cirro/internal/service/scheduler"
	"cirro/internal/service/sns"
	"cirro/internal/service/sqs"
	"cirro/internal/service/states"
	"cirro/internal/service/states/mock"
	"cirro/internal/service/sts"
	"cirro/internal/store"
)

// Options say how to run the platform.
type Options struct {
	Listen string // host:port
	Data   string // directory; made if missing
	Store  string // postgres:// URL of a database; "" for the embedded store in Data
	Blobs  string // directory or s3:// URL of bodies; "" for a directory in Data
	Auth   bool   // verify signatures
	// RootKeyID and RootSecret are the root user's access key where Auth is set.
	RootKeyID, RootSecret string
	Runtimes              string        // what managed runtimes carry; "" to look beside the program
	IdleFor               time.Duration // of an execution environment
	PoolMemory            int64         // bytes for what is made ahead of functions; 0 for the default, less for nothing
	Isolation             string        // auto, root, rootless or none
	Egress                string        // where functions may connect to: outside, all or none
	RetryScale            float64       // of the delays of asynchronous invocations and deliveries, and of what executions of Step Functions wait for
	StatesMocks           string        // file of what answers for tasks of Step Functions in tests; "" for none
	ScalingPeriod         time.Duration // of Application Auto Scaling's metrics; 0 for a minute
	ExpiryInterval        time.Duration // between two looks for items whose time to live has ended; 0 for the default
	Throttle              bool          // enforce the throughput of DynamoDB's tables and of Kinesis's shards
	StreamRetention       time.Duration // of the records of DynamoDB's streams; 0 for 24 hours
	Log                   *slog.Logger
}

// Platform is a running platform.
type Platform struct {
	listener net.Listener
	server   *express.Server
	failed   chan error
	jails    jail.Host
	closers  []func() error // in the order of starting
	endTails func()         // ends the requests that would last for hours
}

// Start starts the platform and returns when it serves.
func Start(ctx context.Context, o Options) (_ *Platform, err error) {
	if err := checkListen(o); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return nil, err
	}
	p := &Platform{failed: make(chan error, 1)}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	// The address first: that another server holds it is the likeliest failure, and costs nothing yet.
	if p.listener, err = net.Listen("tcp", o.Listen); err != nil {
		return nil, err
	}
	p.onClose(p.listener.Close)
	front, err := p.build(ctx, o)
	if err != nil {
		return nil, err
	}
	p.server = &express.Server{
		HTTP: &http.Server{Handler: front, ReadHeaderTimeout: 30 * time.Second, ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
			ConnContext: headercase.ConnContext, Protocols: protocols()},
		Takes: quick,
		Wrap:  headercase.Listener,
	}
	p.onClose(p.shutdown)
	go func() {
		if err := p.server.Serve(p.listener); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- err
		}
	}()
	return p, nil
}

// protocols are those of the platform's address: HTTP/1.1, and HTTP/2 without TLS for clients that know it, as AWS's SDK
// for Java does of Kinesis.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}

// quick says which requests are answered below net/http: those that come most often, and whose answer
// nobody breaks off.
func quick(h *express.Head) bool {
	operation := h.Get("X-Amz-Target")
	return lambda.Invokes(h.Method, h.Host, h.Target) || dynamodb.Operates(h.Method, h.Target, operation) ||
		sqs.Operates(h.Method, h.Target, operation) || eventbridge.Operates(h.Method, h.Target, operation) || s3.Operates(h.Method, h.Get("Authorization")) ||
		sns.Operates(h.Method, h.Target, h.Get("Authorization")) || states.Operates(h.Method, h.Target, operation)
}

// checkListen refuses to serve the network without authentication.
func checkListen(o Options) error {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return fmt.Errorf("--listen %q: %w", o.Listen, err)
	}
	ip := net.ParseIP(host)
	if loopback := host == "localhost" || ip != nil && ip.IsLoopback(); !loopback && !o.Auth {
		return fmt.Errorf("--listen %q is reachable from the network, where everybody could run code: "+
			"switch authentication on with --auth, or listen on 127.0.0.1", o.Listen)
	}
	if o.Auth && (o.RootKeyID == "" || o.RootSecret == "") {
		return errors.New("--auth needs a root access key: set CIRRO_ROOT_ACCESS_KEY_ID and CIRRO_ROOT_SECRET_ACCESS_KEY")
	}
	return nil
}

// build makes the parts, each from those before it.
func (p *Platform) build(ctx context.Context, o Options) (*endpoint.Endpoint, error) {
	jails, opening := make(chan jail.Host, 1), make(chan error, 1)
	go func() { // probing the kernel takes a while and needs nothing else
		h, err := jail.Open(filepath.Join(o.Data, "jails"), jail.Options{Mode: isolationMode(o.Isolation), Egress: egress.Policy(o.Egress), Log: o.Log})
		opening <- err
		jails <- h
	}()
	st, err := openStore(ctx, o)
	if err != nil {
		err = errors.Join(err, <-opening)
		if h := <-jails; h != nil {
			err = errors.Join(err, h.Close())
		}
		return nil, err
	}
	p.onClose(st.Close)
	if err := <-opening; err != nil {
		return nil, err
	}
	p.jails = <-jails
	p.onClose(p.jails.Close)

	authority, err := identity.New(ctx, st, identity.Options{RootKeyID: o.RootKeyID, RootSecret: o.RootSecret})
	if err != nil {
		return nil, err
	}
	front := endpoint.New(endpoint.Options{Identify: authority.Identify, Verify: o.Auth, Logger: o.Log})
	return front, p.services(ctx, o, st, authority, front)
}

func (p *Platform) services(ctx context.Context, o Options, st store.Store, authority *identity.Authority, front *endpoint.Endpoint) error {
	logService, err := logs.New(logs.Deps{Store: st, Caller: front, Log: o.Log})
	if err != nil {
		return err
	}
	p.onClose(logService.Close)
	p.endTails = logService.EndTails
	functionLog := newFunctionLog(logService, o.Log)
	p.onClose(functionLog.Close)
	fleet, err := sandbox.New(sandbox.Options{Jail: p.jails, Dir: filepath.Join(o.Data, "sandboxes"), Endpoint: front,
		Log: functionLog, IdleFor: o.IdleFor, Runtimes: o.Runtimes, PoolMemory: o.PoolMemory})
	if err != nil {
		return err
	}
	p.onClose(fleet.Close)
	blobs, err := openBlobs(ctx, o)
	if err != nil {
		return err
	}
	functions, err := lambda.New(lambda.Deps{Store: st, Blobs: blobs, Dir: filepath.Join(o.Data, "functions"), Caller: front,
		Runner: fleet, Expect: fleet.Expect, Credentials: sessionCredentials(authority), RetryScale: o.RetryScale, Authenticate: signedFor(front, "lambda"), Log: o.Log})
	if err != nil {
		return err
	}
	p.onClose(functions.Close)
	gateway, err := apigateway.New(apigateway.Deps{Store: st, Caller: front, Authenticate: signedFor(front, "execute-api"), Log: o.Log})
	if err != nil {
		return err
	}
	scaling := applicationautoscaling.New(applicationautoscaling.Deps{Store: st, Caller: front, Meter: functions,
		Period: o.ScalingPeriod, Log: o.Log})
	p.onClose(scaling.Close)
	tables := dynamodb.New(dynamodb.Deps{Store: st, Caller: front, Log: o.Log,
		ExpiryInterval: o.ExpiryInterval, StreamRetention: o.StreamRetention})
	p.onClose(tables.Close)
	queues := sqs.New(sqs.Deps{Store: st, Caller: front, Log: o.Log})
	p.onClose(queues.Close)
	buckets := s3.New(s3.Deps{Store: st, Blobs: blobs, Caller: front, Log: o.Log, Shared: o.Store != ""})
	p.onClose(buckets.Close)
	topics := sns.New(sns.Deps{Store: st, Caller: front, URL: p.reachable(), RetryScale: o.RetryScale, Log: o.Log})
	p.onClose(topics.Close)
	buses := eventbridge.New(eventbridge.Deps{Store: st, Caller: front, RetryScale: o.RetryScale, Log: o.Log})
	p.onClose(buses.Close)
	streams := kinesis.New(kinesis.Deps{Store: st, Caller: front, Throttle: o.Throttle, Log: o.Log})
	p.onClose(streams.Close)
	p.endTails = func() {
		logService.EndTails()
		queues.EndPolls()
		streams.EndReads()
	}
	schedules := scheduler.New(scheduler.Deps{Store: st, Caller: front, RetryScale: o.RetryScale, Log: o.Log})
	p.onClose(schedules.Close)
	pipeline := pipes.New(pipes.Deps{Store: st, Caller: front, RetryScale: o.RetryScale, Log: o.Log})
	p.onClose(pipeline.Close)
	mocks, err := readMocks(o.StatesMocks)
	if err != nil {
		return err
	}
	workflows, err := states.New(states.Deps{Store: st, Caller: front, Connections: buses, Stages: p.URL() + "/_aws/execute-api/", Log: o.Log, Scale: o.RetryScale, Mocks: mocks,
		Announce: func(tx store.Tx, c states.StatusChange) error {
			return buses.Announce(tx, eventbridge.Announcement{Account: c.Account, Region: c.Region, Source: states.EventSource, DetailType: states.EventType,
				Resources: []string{c.Execution}, Trace: c.Trace, Detail: c.Detail})
		}})
	if err != nil {
		return err
	}
	p.onClose(workflows.Close)
	front.Register(&logsapi.Service, logService)
	front.Register(&lambdaapi.Service, functions)
	front.Register(&apigatewayapi.Service, gateway)
	front.Register(&scalingapi.Service, scaling)
	if o.Throttle {
		front.Register(&dynamodbapi.Service, dynamodb.NewThrottled(tables))
	} else {
		front.Register(&dynamodbapi.Service, tables)
	}
	front.Register(&streamsapi.Service, tables.Streams())
	front.Register(&iamapi.Service, iam.New(st))
	front.Register(&sqsapi.Service, queues)
	front.Register(&s3api.Service, buckets)
	front.Register(&snsapi.Service, topics)
	front.Register(&eventsapi.Service, buses)
	front.Register(&kinesisapi.Service, streams)
	front.Register(&schedulerapi.Service, schedules)
	front.Register(&pipesapi.Service, pipeline)
	front.Register(&statesapi.Service, workflows)
	front.Register(&stsapi.Service, sts.New(authority, front))
	front.Mount(isHealth, http.HandlerFunc(health))
	front.Mount(gateway.Match, gateway)
	front.Mount(functions.Match, functions)
	front.Mount(topics.Match, topics)
	packages := functions.Packages()
	front.Mount(packages.Match, packages)
	mountBuckets(front, buckets, o.Auth)
	logService.Start(ctx)
	functions.Start(ctx)
	scaling.Start(ctx)
	tables.Start(ctx)
	queues.Start(ctx)
	buckets.Start(ctx)
	topics.Start(ctx)
	buses.Start(ctx)
	streams.Start(ctx)
	schedules.Start(ctx)
	pipeline.Start(ctx)
	workflows.Start(ctx)
	return nil
}

func (p *Platform) onClose(f func() error) { p.closers = append(p.closers, f) }

// shutdown lets the requests under way end, for a while.
func (p *Platform) shutdown() error {
	p.endTails()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.server.Shutdown(ctx); err != nil {
		return p.server.Close()
	}
	return nil
}

// Close stops the parts in the reverse order of their start.
func (p *Platform) Close() error {
	var errs []error
	for i := len(p.closers) - 1; i >= 0; i-- {
		if err := p.closers[i](); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	p.closers = nil
	return errors.Join(errs...)
}

// reachable is where clients reach the platform; "" where it listens on all addresses, so that each client knows
// another.
func (p *Platform) reachable() string {
	if a, ok := p.listener.Addr().(*net.TCPAddr); ok && a.IP.IsUnspecified() {
		return ""
	}
	return p.URL()
}

// URL is where the platform serves.
func (p *Platform) URL() string { return "http://" + p.listener.Addr().String() }

// Failed receives the error that ended serving, if one does.
func (p *Platform) Failed() <-chan error { return p.failed }

// Isolation names how functions are walled in.
func (p *Platform) Isolation() string { return string(p.jails.Mode()) }

// Warnings says what protection this machine lacks.
func (p *Platform) Warnings() []string { return p.jails.Warnings() }

// readMocks reads what answers for tasks of Step Functions; nil for nothing.
func readMocks(path string) (*mock.Config, error) {
	if path == "" {
		return nil, nil
	}
	return mock.Read(path)
}
