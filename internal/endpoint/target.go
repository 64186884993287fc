package endpoint

import (
	"net/http"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awscbor"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/query"
	"cirro/internal/endpoint/restjson"
	"cirro/internal/endpoint/restxml"
	"cirro/internal/endpoint/rpcv2cbor"
	"cirro/internal/endpoint/sigv4"
	"cirro/internal/endpoint/wire"
)

// target is where a request goes.
type target struct {
	service  *service
	protocol wire.Protocol
}

// resolve finds the service, the operation and the protocol of a request, and sets them in x and in the
// target. The protocol is set even where it fails: the error is told in it.
func (e *Endpoint) resolve(x *wire.Exchange, c credential) (t target, err error) {
	r := x.HTTP
	if name, operation, ok := cborPath(r); ok {
		t.protocol = rpcv2cbor.Protocol{}
		return e.resolveRPC(t, x, c, name, operation)
	}
	if header := r.Header["X-Amz-Target"]; len(header) > 0 {
		t.protocol = jsonProtocol(r)
		dot := strings.LastIndexByte(header[0], '.')
		if dot < 0 {
			return t, UnknownOperation.New("The X-Amz-Target %s names no operation", header[0])
		}
		if !jsonContent(r) {
			return t, UnknownOperation.New("The content type %s is none of awsJson", r.Header.Get("Content-Type"))
		}
		return e.resolveRPC(t, x, c, header[0][:dot], header[0][dot+1:])
	}
	candidates := e.bySigner[c.service]
	switch {
	case c.service != "":
	case x.Bucket != "":
		candidates = e.bySigner["s3"]
	default:
		candidates = e.byHost(r.Host)
	}
	if t, ok := resolveREST(x, candidates); ok {
		return t, nil
	}
	if isForm(r) {
		return e.resolveQuery(x, c, candidates)
	}
	return e.resolveRest(x, c, candidates)
}

// cborPath reads /service/{name}/operation/{operation}, which may have a prefix.
func cborPath(r *http.Request) (name, operation string, ok bool) {
	if p := r.Header["Smithy-Protocol"]; len(p) == 0 || p[0] != "rpc-v2-cbor" {
		return "", "", false
	}
	_, rest, ok := strings.Cut(r.URL.Path, "/service/")
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/operation/")
}

func jsonProtocol(r *http.Request) wire.Protocol {
	if r.Header.Get("Content-Type") == awscbor.ContentType {
		return awscbor.Protocol{}
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), awsjson.V10.ContentType) {
		return awsjson.V10
	}
	return awsjson.V11
}

func jsonContent(r *http.Request) bool {
	t := r.Header.Get("Content-Type")
	return t == "" || strings.Contains(t, "json") || t == awscbor.ContentType
}

func isForm(r *http.Request) bool {
	if r.Method == http.MethodPost {
		return strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	}
	return r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, "Action=")
}

// resolveRPC finds the operation of a service that names itself.
func (e *Endpoint) resolveRPC(t target, x *wire.Exchange, c credential, name, operation string) (target, error) {
	s := e.byTarget[name]
	if s == nil {
		s = e.byRPCName(c.service)
	}
	if s == nil && e.bySigner[c.service] != nil {
		return t, UnknownOperation.New("The service %s is not %s", c.service, name)
	}
	if s == nil {
		return t, noService(name)
	}
	t.service, x.Service = s, s.Service
	if x.Operation = s.Lookup(operation); x.Operation == nil {
		return t, UnknownOperation.New("The service %s has no operation %s", s.Name, operation)
	}
	return t, nil
}

// byRPCName finds a service whose table has no name for itself, as those that speak query have none.
func (e *Endpoint) byRPCName(signingName string) *service {
	for _, s := range e.bySigner[signingName] {
		if s.router == nil && s.TargetPrefix == "" {
			return s
		}
	}
	return nil
}

// xmlServices are services whose clients read errors in XML, by signing name.
var xmlServices = []string{"s3", "s3-outposts", "s3express", "cloudfront", "route53"}

func noService(name string) error {
	return awsapi.NotImplemented.New("Cirro does not implement the service %s", name)
}

// byHost finds the services that a host such as lambda.us-east-1.localhost names.
func (e *Endpoint) byHost(host string) []*service {
	for label := range strings.SplitSeq(host, ".") {
		if s := e.bySigner[label]; s != nil {
			return s
		}
	}
	return nil
}

func resolveREST(x *wire.Exchange, candidates []*service) (target, bool) {
	for _, s := range candidates {
		if s.router == nil {
			continue
		}
		m := s.router().Match(x.HTTP.Method, pathOf(x, s), x.HTTP.URL.RawQuery, x.HTTP.Header)
		if m.Operation != nil {
			x.Service, x.Operation, x.Labels = s.Service, m.Operation, m.Labels
			return target{s, restProtocol(s)}, true
		}
	}
	return target{}, false
}

func restProtocol(s *service) wire.Protocol {
	if s.Protocol == awsapi.RestXML {
		return restxml.Protocol{}
	}
	return restjson.Protocol{}
}

// resolveQuery reads the form, which names the operation and its service's version.
func (e *Endpoint) resolveQuery(x *wire.Exchange, c credential, candidates []*service) (target, error) {
	t := target{protocol: query.Protocol{}}
	if err := readForm(x); err != nil {
		return t, err
	}
	action, version := x.Form.Get("Action"), x.Form.Get("Version")
	if candidates == nil {
		if c.service != "" {
			return t, noService(c.service)
		}
		candidates = e.services
	}
	for _, s := range candidates {
		if s.router != nil {
			continue
		}
		op := s.Lookup(action)
		if len(candidates) > 1 && (op == nil || version != s.APIVersion) {
			continue
		}
		t.service, x.Service, x.Operation = s, s.Service, op
		break
	}
	nameQueue(x)
	switch {
	case action == "":
		return t, missingAction.New("Missing Action")
	case x.Operation == nil:
		return t, invalidAction.New("Could not find operation %s for version %s", action, version)
	}
	return t, nil
}

var (
	missingAction = &awsapi.ErrorType{Code: "MissingAction", Status: http.StatusBadRequest}
	invalidAction = &awsapi.ErrorType{Code: "InvalidAction", Status: http.StatusBadRequest}
)

// readForm joins the parameters of the body and of the query string.
func readForm(x *wire.Exchange) error {
	l := limitOf(nil)
	body, err := readBody(x.HTTP, l)
	if err != nil {
		return err
	}
	x.Body = body // as it came: its hash is signed
	if body, err = inflate(x.HTTP, nil, body, l); err != nil {
		return err
	}
	text := string(body)
	if q := x.HTTP.URL.RawQuery; q != "" {
		text = q + "&" + text
	}
	x.Form, err = query.ParseForm(text)
	return err
}

// resolveRest is for requests that name neither target nor action, and have no route in the services
// that their credentials name.
func (e *Endpoint) resolveRest(x *wire.Exchange, c credential, candidates []*service) (target, error) {
	t := target{protocol: restjson.Protocol{}}
	if c.service != "" && candidates == nil {
		if slices.Contains(xmlServices, c.service) {
			t.protocol = restxml.Protocol{}
		}
		return t, noService(c.service)
	}
	if candidates == nil {
		if t, ok := e.resolveUnsigned(x); ok {
			return t, nil
		}
		return t, sigv4.MissingToken.New("Missing Authentication Token")
	}
	s := candidates[0]
	t.service, x.Service = s, s.Service
	if s.router != nil {
		t.protocol = restProtocol(s)
		return t, unknownRoute.New("Unable to determine service/operation name to be authorized")
	}
	if s.Protocol == awsapi.Query || s.Protocol == awsapi.EC2 {
		t.protocol = query.Protocol{}
		return t, missingAction.New("Missing Action")
	}
	t.protocol = awsjson.V11
	if s.JSONVersion == "1.0" {
		t.protocol = awsjson.V10
	}
	return t, UnknownOperation.New("The request names no operation of the service %s", s.Name)
}

// resolveUnsigned finds the operation of a request that says nothing of its service. S3 comes last: almost any path
// is one of its objects.
func (e *Endpoint) resolveUnsigned(x *wire.Exchange) (target, bool) {
	var objects []*service
	for i, s := range e.services {
		if s.Name == "s3" {
			objects = e.services[i : i+1]
			continue
		}
		if t, ok := resolveREST(x, e.services[i:i+1]); ok {
			return t, true
		}
	}
	x.Bucket = localBucket(x.HTTP.Host)
	return resolveREST(x, objects)
}

// unknownRoute is what AWS answers to a signed request whose method and path are no operation's.
var unknownRoute = &awsapi.ErrorType{Code: "AccessDeniedException", Status: http.StatusForbidden}
