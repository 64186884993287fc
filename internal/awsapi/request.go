package awsapi

import (
	"context"
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
}

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

// Caller lets one service call another as its user would, minus the wire: the same validation and the
// same authorisation. in and out are the operation's generated types. p and the region of the request
// in ctx say on whose behalf.
type Caller interface {
	Call(ctx context.Context, p Principal, service, operation string, in any) (out any, err error)
}
