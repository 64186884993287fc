package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/sandbox"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// urlPath is below what function URLs are served where no name can be looked up: /_aws/lambda-url/{id}/….
const urlPath = "/_aws/lambda-url/"

// urlHost is the host of a function URL: {id}.lambda-url.{region}.localhost, or as on AWS.
var urlHost = regexp.MustCompile(`^([a-z0-9]+)\.lambda-url\.[a-z0-9-]+\.`)

// Match reports whether a request is for a function URL.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func (s *Service) Match(r *http.Request) bool {
	id, _ := urlOfRequest(r)
	return id != ""
}

// urlOfRequest is the id of the function URL that a request is for, "" for none, and the path below it, as the
// client wrote it.
func urlOfRequest(r *http.Request) (id, path string) {
	path = rawPath(r)
	if host := strings.ToLower(r.Host); strings.Contains(host, ".lambda-url.") {
		if m := urlHost.FindStringSubmatch(host); m != nil {
			return m[1], path
		}
	}
	rest, ok := strings.CutPrefix(path, urlPath)
	if !ok {
		return "", ""
	}
	id, path, _ = strings.Cut(rest, "/")
	return strings.ToLower(id), "/" + path
}

// rawPath is a request's path as it came.
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(path, "/") {
		return r.URL.EscapedPath()
	}
	return path
}

// urls keeps the function URLs that were called, by id.
type urls struct{ byID sync.Map } // string to *servedURL

// servedURL is a function URL with the state of the function it was read in.
type servedURL struct {
	functionURL
	counter *atomic.Uint64
	seen    uint64
}

// urlOf finds a function URL; nil is for none.
func (s *Service) urlOf(ctx context.Context, id string) (*servedURL, error) {
	if u, ok := s.urls.byID.Load(id); ok {
		if u := u.(*servedURL); u.counter.Load() == u.seen {
			return u, nil
		}
	}
	u, err := s.readURL(ctx, id)
	if u == nil || err != nil {
		s.urls.byID.Delete(id)
		return nil, err
	}
	s.urls.byID.Store(id, u)
	return u, nil
}

func (s *Service) readURL(ctx context.Context, id string) (found *servedURL, err error) {
	var key []byte
	err = s.Store.View(ctx, func(view store.Reader) error {
		key, err = view.Get(urlIDKey(id))
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	counter := s.watched.changes.ofKey(key)
	if counter == nil {
		return nil, fmt.Errorf("lambda: function URL %s leads to %q", id, key)
	}
	seen := counter.Load() // before the record is read: a change in between is noticed at the next call
	err = s.Store.View(ctx, func(view store.Reader) error {
		u, ok, err := store.GetRecord[functionURL](view, key)
		if ok {
			found = &servedURL{u, counter, seen}
		}
		return err
	})
	return found, err
}

// ServeHTTP answers a request to a function URL.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &urlCall{service: s, w: w, r: r, requestID: uuid.NewString()}
	w.Header().Set("X-Amzn-Requestid", c.requestID)
	if err := c.serve(); err != nil {
		c.fail(err)
	}
}

// urlCall is one request to a function URL.
type urlCall struct {
	service   *Service
	w         http.ResponseWriter
	r         *http.Request
	requestID string
	url       *servedURL
	path      string
	caller    *awsapi.Principal // of a URL that asks for one
}

// Errors of function URLs, as AWS answers them. See test_lambda_url_non_existing_url and
// test_lambda_permission_url_invocation in
// https://github.com/localstack/localstack/blob/main/tests/aws/services/lambda_/test_lambda.py
var (
	errNoURL     = &urlError{http.StatusForbidden, "AccessDeniedException", `{"Message":null}`}
	errForbidden = &urlError{http.StatusForbidden, "AccessDeniedException", `{"Message":"Forbidden. For troubleshooting ` +
		`Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`}
	errBadGateway = &urlError{http.StatusBadGateway, "", "Internal Server Error"}
)

// urlError is an answer that is not the function's.
type urlError struct {
	status     int
	kind, body string
}

func (e *urlError) Error() string { return e.body }

func (c *urlCall) serve() error {
	id, path := urlOfRequest(c.r)
	u, err := c.service.urlOf(c.r.Context(), id)
	if err != nil {
		return err
	}
	if u == nil {
		return errNoURL
	}
	c.url, c.path = u, path
	if u.Cors != nil {
		if preflight(c.r) {
			answerPreflight(c.w, c.r, u.Cors)
			return nil
		}
		allowOrigin(c.w.Header(), c.r, u.Cors)
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	return c.invoke()
}

// authenticate finds out who calls a URL that not everyone may.
func (c *urlCall) authenticate() error {
	if c.url.AuthType != api.FunctionUrlAuthTypeAwsIam {
		return nil
	}
	if c.service.Authenticate == nil {
		return errForbidden
	}
	p, err := c.service.Authenticate(c.r)
	if err != nil {
		return errForbidden
	}
	c.caller = &p
	return nil
}

func (c *urlCall) invoke() error {
	s, ctx := c.service, c.r.Context()
	body, err := io.ReadAll(io.LimitReader(c.r.Body, maxRequest+1))
	if err != nil {
		return requestEntityTooLarge.New("Request body could not be read")
	}
	r, err := s.route(ctx, c.url.scope, c.url.Function, c.url.Qualifier)
	if err != nil {
		return err
	}
	e := r.pick()
	traceID := r.trace(s.Clock(), c.r.Header.Get("X-Amzn-Trace-Id"))
	payload := c.event(body, traceID, s.Clock())
	if len(payload) > maxRequest {
		return requestEntityTooLarge.New("Request must be smaller than %d bytes for the InvokeFunction operation", maxRequest)
	}
	inv := &sandbox.Invocation{RequestID: c.requestID, InvokedARN: r.invokedARN, Payload: payload, TraceID: traceID}
	c.w.Header().Set("X-Amzn-Trace-Id", traceID)
	if c.url.InvokeMode == api.InvokeModeResponseStream {
		return c.answerStream(ctx, s.stream(ctx, r, e, inv))
	}
	res, err := s.run(context.WithoutCancel(ctx), r, e, inv)
	if err != nil {
		return err
	}
	if res.FunctionError != "" {
		return errBadGateway
	}
	return c.answer(res.Payload)
}

// fail answers with an error in AWS's form.
func (c *urlCall) fail(err error) {
	h := c.w.Header()
	h.Set("Content-Type", "application/json")
	var own *urlError
	if errors.As(err, &own) {
		if own.kind != "" {
			h.Set("X-Amzn-Errortype", own.kind)
		}
		c.w.WriteHeader(own.status)
		io.WriteString(c.w, own.body)
		return
	}
	var e *awsapi.Error
	if !errors.As(err, &e) {
		if c.r.Context().Err() == nil {
			c.service.Log.Error("lambda: function URL", "request", c.requestID, "error", err)
		}
		e = awsapi.InternalFailure.New("Internal Server Error")
	}
	h.Set("X-Amzn-Errortype", e.Type.Code)
	c.w.WriteHeader(e.Type.Status)
	body := map[string]any{}
	for field, value := range e.Fields {
		body[field] = value
	}
	name := "Message"
	if len(e.Fields) > 0 {
		name = "message"
	}
	body[name] = e.Message
	json.NewEncoder(c.w).Encode(body)
}
