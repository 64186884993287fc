package apigateway

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/headercase"
	"cirro/internal/service/apigateway/proxy"
)

// maxPayload is API Gateway's limit for a request's body, in bytes.
const maxPayload = 10 << 20

// ServeHTTP answers a request to a stage.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := parseAddress(r)
	requestID, extendedID := uuid.NewString(), newExtendedID()
	w.Header()["x-amzn-RequestId"] = []string{requestID}
	w.Header()["x-amz-apigw-id"] = []string{extendedID}
	l, err := s.liveStage(r.Context(), a.apiID, a.stage)
	if err != nil {
		s.unserved(w, r, err)
		return
	}
	x := &execution{service: s, home: l.home, api: l.api, variables: l.stage.Variables, request: newRequest(r, a)}
	x.context = newContext(r, a, l, requestID, extendedID)
	x.trace = traceID(x.request)
	x.send(w, r, s.answer(r.Context(), x, r, l))
}

// unserved answers a request to an API or a stage that is not there.
func (s *Service) unserved(w http.ResponseWriter, r *http.Request, err error) {
	f := forbidden
	if !errors.Is(err, errNotServed) {
		s.log.ErrorContext(r.Context(), "a stage cannot be read", "error", err)
		f = misconfigured
	}
	x := &execution{api: &restAPI{}, request: &proxy.Request{Method: r.Method}}
	x.send(w, r, x.gatewayResult(&f))
}

// answer reads the rest of the request, finds its method, and executes it.
func (s *Service) answer(ctx context.Context, x *execution, r *http.Request, l *live) *result {
	if awsapi.Val(x.api.API.DisableExecuteApiEndpoint) {
		return x.gatewayResult(&forbidden)
	}
	if f := x.readBody(r); f != nil {
		return x.gatewayResult(f)
	}
	resource, path, ok := l.compiled.Find(x.request.Path)
	if ok {
		x.method = methodFor(&resource, r.Method)
	}
	if x.method == nil {
		return x.gatewayResult(&noRoute)
	}
	x.path = path
	x.context.ResourceID, x.context.ResourcePath = *resource.Id, *resource.Path
	x.context.OperationName = awsapi.Val(x.method.OperationName)
	if f := x.authorize(r); f != nil {
		return x.gatewayResult(f)
	}
	x.forward(r)
	return x.run(ctx)
}

// methodFor is a resource's method for a request's: by its name, else ANY.
func methodFor(r *api.Resource, name string) *api.Method {
	if m, ok := r.ResourceMethods[name]; ok && name != "ANY" {
		return &m
	}
	switch name {
	case "GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "HEAD":
		if m, ok := r.ResourceMethods["ANY"]; ok {
			return &m
		}
	}
	return nil
}

// authorize lets through whom the method lets through.
func (x *execution) authorize(r *http.Request) *failure {
	if awsapi.Val(x.method.ApiKeyRequired) {
		return invalidKey.because("a method that requires an API key: there are none")
	}
	if awsapi.Val(x.method.AuthorizationType) != authIAM {
		return nil
	}
	if r.Header.Get("Authorization") == "" && !strings.Contains(r.URL.RawQuery, "X-Amz-Signature=") {
		return &noRoute
	}
	if x.service.authenticate == nil {
		return &failure{kind: api.GatewayResponseTypeAuthorizerConfigurationError, status: http.StatusNotImplemented,
			errorType: "NotImplemented", message: "Cirro does not verify the signatures of requests to methods with AWS_IAM"}
	}
	p, err := x.service.authenticate(r)
	if err != nil {
		f := invalidSignature
		f.message = err.Error()
		if e, known := errors.AsType[*awsapi.Error](err); known {
			f.message, f.errorType = e.Message, e.Type.Code
		}
		return &f
	}
	id := &x.context.Identity
	id.AccountID, id.AccessKey, id.UserARN = &p.Account, &p.AccessKey, &p.ARN
	id.Caller, id.User = &p.UserID, &p.UserID
	return nil
}

// newRequest is a request without its body.
func newRequest(r *http.Request, a address) *proxy.Request {
	out := &proxy.Request{Method: r.Method, Path: "/" + strings.TrimLeft(a.path, "/"), Query: proxy.ParseQuery(a.query)}
	names := headercase.Names(r)
	out.Headers = append(out.Headers, proxy.Pair{Name: "Host", Value: r.Host})
	for name, values := range r.Header {
		if original, ok := names[name]; ok {
			name = original
		}
		for _, v := range values {
			out.Headers = append(out.Headers, proxy.Pair{Name: name, Value: v})
		}
	}
	return out
}

// newContext is what is known of a request before its method is.
func newContext(r *http.Request, a address, l *live, requestID, extendedID string) proxy.Context {
	c := proxy.Context{
		HTTPMethod: r.Method, ExtendedRequestID: extendedID, Path: "/" + a.stage + a.path, AccountID: l.home.Account,
		Protocol: r.Proto, Stage: a.stage, DomainName: a.domain, DomainPrefix: a.apiID, RequestID: requestID,
		DeploymentID: *l.stage.DeploymentId, APIID: a.apiID,
		Identity: proxy.Identity{SourceIP: sourceIP(r)},
	}
	if agent := r.UserAgent(); agent != "" {
		c.Identity.UserAgent = &agent
	}
	if c.DomainName == "" {
		c.DomainName = fmt.Sprintf("%s.execute-api.%s.localhost", a.apiID, l.home.Region)
	}
	c.SetTime(time.Now())
	return c
}

func sourceIP(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

// readBody reads the body, unpacking it where the API takes compressed ones.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html
func (x *execution) readBody(r *http.Request) *failure {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxPayload+1))
	switch {
	case len(body) > maxPayload:
		return &tooLarge
	case err != nil:
		return badBody.because("the body broke off: %v", err)
	}
	x.request.Body = body
	r.Body = io.NopCloser(bytes.NewReader(body)) // for who checks the signature over it
	encoding := x.request.Header("Content-Encoding")
	if x.api.API.MinimumCompressionSize == nil || encoding == "" || len(body) == 0 {
		return nil
	}
	body, err = unpack(encoding, body, maxPayload)
	switch {
	case errors.Is(err, errTooLarge):
		return &tooLarge
	case err != nil:
		return badBody.because("the body is no %s: %v", encoding, err)
	}
	x.request.Body = body
	x.request.DropHeader("Content-Encoding")
	return nil
}

// forward adds the headers that tell an integration where the request comes from.
func (x *execution) forward(r *http.Request) {
	from := x.context.Identity.SourceIP
	if before := x.request.Header("X-Forwarded-For"); before != "" {
		from = before + ", " + from
	}
	scheme, port := "http", "80"
	if r.TLS != nil {
		scheme, port = "https", "443"
	}
	if _, p, err := net.SplitHostPort(r.Host); err == nil {
		port = p
	}
	x.request.SetHeader("X-Forwarded-For", from)
	x.request.SetHeader("X-Forwarded-Port", port)
	x.request.SetHeader("X-Forwarded-Proto", scheme)
	x.request.SetHeader("X-Amzn-Trace-Id", x.trace)
}

// send writes a result to the client.
func (x *execution) send(w http.ResponseWriter, r *http.Request, out *result) {
	if size := x.api.API.MinimumCompressionSize; size != nil && len(out.body) >= int(*size) {
		compress(out, r.Header.Get("Accept-Encoding"))
	}
	h := w.Header()
	for _, pair := range out.headers {
		// The server looks for this name alone as it spells it; all others go out as they are written.
		if strings.EqualFold(pair.Name, "Content-Type") {
			pair.Name = "Content-Type"
		}
		h[pair.Name] = append(h[pair.Name], pair.Value)
	}
	if out.status != http.StatusNoContent && out.status != http.StatusNotModified {
		h.Set("Content-Length", fmt.Sprint(len(out.body)))
	}
	w.WriteHeader(out.status)
	_, _ = io.Copy(w, bytes.NewReader(out.body)) // an error means that the client has gone
}

// newExtendedID makes an id such as JKJaXmPLvHcESHA=.
func newExtendedID() string {
	b := make([]byte, 11)
	rand.Read(b)
	return base64.URLEncoding.EncodeToString(b)
}

// traceID is the request's trace id, or that of a new trace.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func traceID(r *proxy.Request) string {
	if t := r.Header("X-Amzn-Trace-Id"); strings.Contains(t, "Root=") {
		return t
	}
	return newTrace()
}

func newTrace() string {
	b := make([]byte, 12)
	rand.Read(b)
	return fmt.Sprintf("Root=1-%08x-%s", time.Now().Unix(), hex.EncodeToString(b))
}
