// Package sandbox runs functions: it makes execution environments (a jail with a runtime inside),
// keeps them while they are warm, speaks Lambda's Runtime, Extensions and Telemetry APIs with what
// runs inside, and replaces what crashes or times out.
//
// Whether an invocation may run (concurrency, versions, permissions) is decided by its caller; the
// walls are package jail's.
package sandbox

import (
	"context"
	"io"
	"net/http"
	"time"

	"cirro/internal/sandbox/jail"
)

// Spec says all that an environment of one version of a function is made from. Environments of equal
// Specs (by ID) are interchangeable.
type Spec struct {
	ID       string // names this version of this configuration: changes with any change of the function
	ARN      string // of the function, with the version: arn:aws:lambda:us-east-1:000000000000:function:f:1
	Function string
	Version  string // "$LATEST" or a number
	Account  string
	Region   string

	Runtime string   // "python3.12", "nodejs20.x", "provided.al2023", …
	Handler string   //
	Code    string   // host directory of the unpacked package; becomes /var/task
	Layers  []string // host directories, in order; merged they become /opt

	Environment map[string]string
	Memory      int           // MB
	Tmp         int           // MB
	Timeout     time.Duration // of one invocation

	LogFormat           string // "Text" or "JSON"
	ApplicationLogLevel string
	SystemLogLevel      string
	LogGroup            string
	Tracing             string // "Active" or "PassThrough"
	InitializationType  string // "on-demand", "provisioned-concurrency" or "snap-start"
	Tenant              string // of a function isolated by tenant, "" else
	// SnapStart says that environments start from a snapshot of the initialised function, which Snapshot
	// takes. Where there is none they start as any other.
	SnapStart bool

	// Credentials are asked for whenever an environment starts.
	Credentials func() Credentials
}

// Credentials are what the function's own calls to the platform are signed with.
// An environment ends before they do.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time // 0 for never
}

// Invocation is one call of a function.
type Invocation struct {
	RequestID     string
	InvokedARN    string // as the caller named it, with version or alias
	Payload       []byte
	ClientContext string // JSON, "" for none
	Identity      string // Cognito identity as JSON, "" for none
	TraceID       string // "" to make one
	TailLog       bool   // keep the last 4 KB of the log in Result.LogTail
	Tenant        string

	// Stream, where not nil, receives the response as it is made; Result.Payload is then nil. Start is
	// called once before the first byte, with the content type the function gave; what it returns is
	// written to and flushed at every chunk.
	Stream func(contentType string) io.Writer
}

// Result is how an invocation ended.
type Result struct {
	Payload       []byte
	ContentType   string
	FunctionError string // "" for success, "Unhandled" or "Handled" as in X-Amz-Function-Error
	LogTail       []byte
	Duration      time.Duration
	Billed        time.Duration
	Init          time.Duration // 0 when the environment was warm
	Restore       time.Duration // what restoring the environment from a snapshot took; 0 where it was warm or initialised
	MemoryUsed    int           // MB, the environment's peak
	TraceID       string
	// StreamError is set where the response broke off after its first byte.
	StreamError *StreamError
}

// StreamError is the error that a streamed response ended with.
type StreamError struct{ Type, Details string }

// Log receives what environments print. Its methods must not block for long; records of one stream
// arrive in order.
type Log interface {
	// Stream opens a log stream for a new environment.
	Stream(s *Spec, name string) LogStream
}

// LogStream is the log of one environment.
type LogStream interface {
	// Put appends one record: a line that the function printed (without its end) or a line of the
	// platform's (START, END, REPORT).
	Put(at time.Time, message string)
	// Close says that no more comes.
	Close()
}

// Runner runs functions. *Fleet is the one of this package.
type Runner interface {
	// Invoke runs one invocation in an environment of s that is idle, or in a new one. An error is
	// the platform's own failure: what the function does wrong is in the Result.
	Invoke(ctx context.Context, s *Spec, inv *Invocation) (*Result, error)
	// Prepare starts environments ahead until n of them are ready, and keeps them; 0 lets them go.
	Prepare(ctx context.Context, s *Spec, n int) (ready int, err error)
	// Retire ends the environments of the Spec with the given ID as they become idle.
	Retire(id string)
	// Close ends them all: extensions get their SHUTDOWN event and its time.
	Close() error
}

// Snapshotter is a Runner that can start functions from snapshots of them, initialised. *Fleet is the one of
// this package.
// https://docs.aws.amazon.com/lambda/latest/dg/snapstart.html
type Snapshotter interface {
	Runner
	// Snapshot initialises a function of a Spec with SnapStart, with its hooks, and keeps it as it is then:
	// environments of the Spec start from that. An *InitError is the function's own failure. What cannot be
	// kept (the log says why) is no error: environments then start as any other. Retire forgets the
	// snapshot. So does the end of this program: Invoke takes one anew, in the background.
	Snapshot(ctx context.Context, s *Spec) error
}

// InitError is how the initialisation of a function failed.
type InitError struct {
	Type string // "Runtime.ImportModuleError", …
	Body []byte // what an invocation would have been answered with, JSON
	// Timeout says that it took too long.
	Timeout bool
}

func (e *InitError) Error() string {
	return "initialization failed: " + e.Type + ": " + string(e.Body)
}

// Options are what a Fleet is made with.
type Options struct {
	Dir      string        // for what environments need on disk
	Endpoint http.Handler  // answers inside every environment at AWS_ENDPOINT_URL
	Log      Log           //
	IdleFor  time.Duration // after which an idle environment ends; 0 for the default
	// FreezeAfter is how long an environment is idle before its processes are frozen; 0 for the default,
	// less for never.
	FreezeAfter time.Duration
	// PoolMemory is how many bytes may be spent on what is made ahead of functions: jails, and runtimes
	// that wait in them. 0 is a sixteenth of this machine's memory, less than 0 is for nothing ahead.
	PoolMemory int64
	InitLimit  time.Duration // of an initialization ahead of an invocation; 0 for AWS's 10 seconds
	// RestoreLimit is of the way from a snapshot to the first invocation; 0 for AWS's 10 seconds.
	RestoreLimit time.Duration
	Runtimes     string    // directory with what managed runtimes carry: a directory of packages for each of "python3.12", …; "" to look beside the program
	Jail         jail.Host // makes the jails; it is not closed with the Fleet
}
