package endpoint

import (
	"errors"
	"math"
	"net"
	"net/http"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/restxml"
	"cirro/internal/endpoint/validate"
	"cirro/internal/endpoint/wire"

	"github.com/google/uuid"
)

// ServeHTTP answers one request.
func (e *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for i := range e.mounts {
		if e.mounts[i].match(r) {
			e.mounts[i].handler.ServeHTTP(w, r)
			return
		}
	}
	if r.ContentLength == 0 && r.Header["Expect"] != nil {
		// net/http says nothing before it answers a request without a body. botocore waits for it all the same, and
		// takes an answer without it for that of the next request on the connection, too.
		w.WriteHeader(http.StatusContinue)
	}
	x := &wire.Exchange{ID: uuid.NewString(), HTTP: r}
	w.Header()["X-Amzn-Requestid"] = []string{x.ID}
	if !e.allowOrigin(w, r) {
		return
	}
	c := credentialOf(r)
	x.Bucket = bucketOf(r, c.service)
	t, err := e.resolve(x, c)
	if _, ok := t.protocol.(restxml.Protocol); ok {
		w.Header()["X-Amz-Request-Id"] = []string{x.ID}
		w.Header()["X-Amz-Id-2"] = []string{restxml.HostID}
	}
	if err != nil {
		e.fail(w, x, t, err)
		return
	}
	ctx := r.Context()
	p, err := e.receive(x, t, c)
	if err != nil {
		e.fail(w, x, t, err)
		return
	}
	in := x.Operation.New()
	if err := t.protocol.Decode(x, in); err != nil {
		e.fail(w, x, t, err)
		return
	}
	if !e.unchecked {
		if err := validate.Input(x.Operation, in); err != nil {
			e.fail(w, x, t, err)
			return
		}
	}
	request := e.request(x, c, p)
	if _, ok := t.protocol.(*awsjson.Protocol); ok {
		b := wire.NewBuffer()
		x.Ready.JSON, request.Ready = b.B, &x.Ready
		defer func() {
			b.B = x.Ready.JSON
			b.Free()
		}()
	}
	request.Input = in
	postponer, postpones := w.(interface{ Postpone() })
	request.NoWait = postpones
	ctx = awsapi.WithRequest(ctx, request)
	if g, ok := t.service.impl.(awsapi.Guard); ok {
		if err := g.Admit(ctx, x.Operation.Operation, in); err != nil {
			e.fail(w, x, t, err)
			return
		}
	}
	out, err := guarded(ctx, x.Operation.Operation, t.service.impl, in)
	if postpones && errors.Is(err, awsapi.ErrWouldWait) {
		postponer.Postpone()
		return
	}
	if err != nil {
		e.fail(w, x, t, err)
		return
	}
	if err := t.protocol.Encode(w, x, output(x.Operation, out)); err != nil && ctx.Err() == nil {
		e.log.WarnContext(ctx, "a reply was not sent whole",
			"service", x.Service.Name, "operation", x.Operation.Name, "request", x.ID, "error", err)
	}
}

// fail answers with an error.
func (e *Endpoint) fail(w http.ResponseWriter, x *wire.Exchange, t target, err error) {
	service, operation := "", ""
	if x.Service != nil {
		service = x.Service.Name
	}
	if x.Operation != nil {
		operation = x.Operation.Name
	}
	if x.Stream != nil && x.HTTP.Header["Expect"] == nil { // a client that waits for leave has sent nothing
		drain(x.Stream, math.MaxInt64)
	}
	t.protocol.EncodeError(w, x, e.answer(x.HTTP.Context(), err, service, operation, x.ID))
}

// request is what the service is told of the request.
func (e *Endpoint) request(x *wire.Exchange, c credential, p awsapi.Principal) *awsapi.Request {
	r := x.HTTP
	region := c.region
	if region == "" {
		region = DefaultRegion
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	return &awsapi.Request{ID: x.ID, Region: region, Principal: p, SourceIP: ip, UserAgent: r.UserAgent(),
		Endpoint: scheme + r.Host, Time: e.now(), TraceID: r.Header.Get("X-Amzn-Trace-Id")}
}
