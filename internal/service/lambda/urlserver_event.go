package lambda

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

// urlEvent is what a function gets of a request to its URL: the payload format 2.0, whose path and query
// string stay as the client encoded them.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
type urlEvent struct {
	Version               string            `json:"version"`
	RouteKey              string            `json:"routeKey"`
	RawPath               string            `json:"rawPath"`
	RawQueryString        string            `json:"rawQueryString"`
	Cookies               []string          `json:"cookies,omitempty"`
	Headers               map[string]string `json:"headers"`
	QueryStringParameters map[string]string `json:"queryStringParameters,omitempty"`
	RequestContext        urlContext        `json:"requestContext"`
	Body                  *string           `json:"body,omitempty"`
	IsBase64Encoded       bool              `json:"isBase64Encoded"`
}

type urlContext struct {
	AccountID    string         `json:"accountId"`
	APIID        string         `json:"apiId"`
	Authorizer   *urlAuthorizer `json:"authorizer,omitempty"`
	DomainName   string         `json:"domainName"`
	DomainPrefix string         `json:"domainPrefix"`
	HTTP         urlHTTP        `json:"http"`
	RequestID    string         `json:"requestId"`
	RouteKey     string         `json:"routeKey"`
	Stage        string         `json:"stage"`
	Time         string         `json:"time"`
	TimeEpoch    int64          `json:"timeEpoch"`
}

type urlHTTP struct {
	Method    string `json:"method"`
	Path      string `json:"path"`
	Protocol  string `json:"protocol"`
	SourceIP  string `json:"sourceIp"`
	UserAgent string `json:"userAgent"`
}

type urlAuthorizer struct {
	IAM urlIAM `json:"iam"`
}

type urlIAM struct {
	AccessKey       string `json:"accessKey"`
	AccountID       string `json:"accountId"`
	CallerID        string `json:"callerId"`
	CognitoIdentity any    `json:"cognitoIdentity"`
	PrincipalOrgID  any    `json:"principalOrgId"`
	UserARN         string `json:"userArn"`
	UserID          string `json:"userId"`
}

// anonymous is the account of who calls a URL open to all.
const anonymous = "anonymous"

// event is the payload of the request.
func (c *urlCall) event(body []byte, traceID string, now time.Time) []byte {
	r := c.r
	source, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		source = r.RemoteAddr
	}
	host := hostName(r.Host)
	ev := &urlEvent{
		Version:               "2.0",
		RouteKey:              "$default",
		RawPath:               c.path,
		RawQueryString:        r.URL.RawQuery,
		Cookies:               cookies(r),
		Headers:               eventHeaders(r, source, traceID),
		QueryStringParameters: eventQuery(r.URL.RawQuery),
		RequestContext: urlContext{
			AccountID: anonymous, APIID: c.url.ID, DomainName: host, DomainPrefix: c.url.ID,
			HTTP:      urlHTTP{Method: r.Method, Path: c.path, Protocol: r.Proto, SourceIP: source, UserAgent: r.UserAgent()},
			RequestID: c.requestID, RouteKey: "$default", Stage: "$default",
			Time: now.UTC().Format("02/Jan/2006:15:04:05 -0700"), TimeEpoch: now.UnixMilli(),
		},
	}
	if p := c.caller; p != nil {
		ev.RequestContext.AccountID = p.Account
		ev.RequestContext.Authorizer = &urlAuthorizer{urlIAM{AccessKey: p.AccessKey, AccountID: p.Account,
			CallerID: p.UserID, UserARN: p.ARN, UserID: p.UserID}}
	}
	if len(body) > 0 {
		text := string(body)
		if ev.IsBase64Encoded = !isText(r.Header.Get("Content-Type"), body); ev.IsBase64Encoded {
			text = base64.StdEncoding.EncodeToString(body)
		}
		ev.Body = &text
	}
	return ev.encode()
}

func (ev *urlEvent) encode() []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(ev); err != nil {
		panic(err) // strings and numbers
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// hostName is a host without its port.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// cookies are those of all Cookie headers, one each.
func cookies(r *http.Request) []string {
	var all []string
	for _, header := range r.Header["Cookie"] {
		for cookie := range strings.SplitSeq(header, ";") {
			if cookie = textproto.TrimString(cookie); cookie != "" {
				all = append(all, cookie)
			}
		}
	}
	return all
}

// perConnection are the headers that do not reach the function.
var perConnection = map[string]bool{"Connection": true, "Keep-Alive": true, "Proxy-Connection": true,
	"Transfer-Encoding": true, "Te": true, "Trailer": true, "Upgrade": true}

// eventHeaders are the headers with lower-case names, those of one name joined with commas. Cookies are
// among them, as on AWS: https://github.com/aws/aws-lambda-web-adapter/issues/121
func eventHeaders(r *http.Request, source, traceID string) map[string]string {
	h := make(map[string]string, len(r.Header)+8)
	for name, values := range r.Header {
		switch {
		case perConnection[name]:
		case name == "Cookie":
			h["cookie"] = strings.Join(values, "; ")
		default:
			h[strings.ToLower(name)] = strings.Join(values, ",")
		}
	}
	h["host"] = r.Host
	h["x-amzn-trace-id"] = traceID
	h["x-forwarded-for"] = source
	if prior := r.Header.Get("X-Forwarded-For"); prior != "" {
		h["x-forwarded-for"] = prior + "," + source
	}
	h["x-forwarded-proto"], h["x-forwarded-port"] = "http", "80"
	if r.TLS != nil {
		h["x-forwarded-proto"], h["x-forwarded-port"] = "https", "443"
	}
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		h["x-forwarded-port"] = port
	}
	return h
}

// eventQuery are the parameters decoded, those of one name joined with commas.
func eventQuery(raw string) map[string]string {
	if raw == "" {
		return nil
	}
	q := map[string]string{}
	for pair := range strings.SplitSeq(raw, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(value)
		if prior, ok := q[name]; ok {
			value = prior + "," + value
		}
		q[name] = value
	}
	return q
}

// unescape decodes part of a query string; what cannot be decoded stays as it is.
func unescape(s string) string {
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// isText reports whether a body goes into the event as it is, not in base64.
func isText(contentType string, body []byte) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil || !utf8.Valid(body) {
		return false
	}
	switch kind {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(kind, "text/") || strings.HasSuffix(kind, "+json") || strings.HasSuffix(kind, "+xml")
}
