package awsapi

import (
	"context"
	"errors"
	"time"
)

// Principal is who makes a request.
type Principal struct {
	Account   string // 12 digits
	ARN       string // arn:aws:iam::000000000000:root, or of a user, an assumed role, a service
	UserID    string
	AccessKey string
	Service   string // "apigateway.amazonaws.com" where a service calls on its own behalf; else ""
	SourceARN string // the resource on whose behalf a service calls; "" for none
}

// DefaultAccount is the account of access keys that name none.
const DefaultAccount = "000000000000"

// AccountOf is the account that an access key nobody issued stands for: the one that it names with 12
// digits, or the default one.
func AccountOf(accessKey string) string {
	if IsAccount(accessKey) {
		return accessKey
	}
	return DefaultAccount
}

// IsAccount reports whether s is an account id: 12 digits.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

const defaultRoot = "arn:aws:iam::" + DefaultAccount + ":root"

// RootPrincipal is the root user of an account.
func RootPrincipal(account, accessKey string) Principal {
	arn := defaultRoot // most often
	if account != DefaultAccount {
		arn = "arn:aws:iam::" + account + ":root"
	}
	return Principal{Account: account, ARN: arn, UserID: account, AccessKey: accessKey}
}

// Request is what the front door knows of a request besides the operation's input.
type Request struct {
	ID        string // x-amzn-RequestId
	Region    string
	Principal Principal
	SourceIP  string
	UserAgent string
	Endpoint  string // scheme and host as the client addressed them: "http://127.0.0.1:4566"
	Time      time.Time
	TraceID   string // X-Amzn-Trace-Id as it came, "" for none
	// Wait is how long a read of a stream that finds no records may wait for the first. Only callers within
	// the platform set it: AWS has no such parameter.
	Wait time.Duration
	// NoWait says that the operation must not wait for what may come: instead it answers ErrWouldWait, having
	// changed nothing, and is called again without NoWait.
	NoWait bool
	Input  any    // the operation's input, where the request came from outside
	Ready  *Ready // takes a member as JSON; nil where the reply is to be values
}

// ErrWouldWait is what an operation answers that was not to wait; see Request.NoWait. No client sees it.
var ErrWouldWait = errors.New("awsapi: the operation would wait")

// Account is the account the request acts in.
func (r *Request) Account() string { return r.Principal.Account }

type requestKey struct{}

// WithRequest returns a context that carries r.
func WithRequest(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// RequestOf returns the request that ctx belongs to. Every operation is called with one.
func RequestOf(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	if r == nil {
		panic("awsapi: a context without a request")
	}
	return r
}

// LookupRequest returns the request that ctx belongs to, if any: work in the background may have none.
func LookupRequest(ctx context.Context) (*Request, bool) {
	r, ok := ctx.Value(requestKey{}).(*Request)
	return r, ok && r != nil
}

// Anonymous reports whether nobody signed the request.
func (p Principal) Anonymous() bool { return p.ARN == "" && p.Service == "" }

// Guard is what a service implements besides its API whose resources say themselves who may do what. The front door
// asks it before an operation is called, and lets requests that nobody signed come that far.
type Guard interface {
	Admit(ctx context.Context, op *Operation, in any) error
}

// Caller lets one service call another as its user would, minus the wire: the same validation and the
// same authorisation. in and out are the operation's generated types. p and the region of the request
// in ctx say on whose behalf.
type Caller interface {
	Call(ctx context.Context, p Principal, service, operation string, in any) (out any, err error)
}

// JSONCaller calls operations whose input comes as JSON, its members named as AWS's SDKs name them. Where the
// input cannot be read as the operation's, the error says so.
type JSONCaller interface {
	CallJSON(ctx context.Context, p Principal, service, operation string, input []byte) (out any, err error)
}

// JSONTeller tells what an operation answered as JSON, too.
type JSONTeller interface {
	JSONCaller
	JSON(service, operation string, out any) ([]byte, error)
}
