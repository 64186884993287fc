package states

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	"cirro/internal/service/states/engine"
)

// Connections send requests of HTTP with what an EventBridge connection authorizes them with. An *awsapi.Error is
// about the connection.
type Connections interface {
	Send(ctx context.Context, client *http.Client, connection string, r *http.Request) (*http.Response, error)
}

// httpTime is how long a call of an HTTP task may take.
// https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
const httpTime = 60 * time.Second

// newHTTPClient makes a client that takes a redirection for an answer: what it is authorized with is for the
// endpoint alone.
func newHTTPClient() *http.Client {
	return &http.Client{Timeout: httpTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// callHTTP calls an HTTP API.
// https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html
func (c *call) callHTTP() engine.Reply {
	o := c.object()
	connection := ""
	if authentication, ok := member(o, "Authentication").(*document.Object); ok {
		connection = text(authentication, "ConnectionArn")
	}
	if connection == "" || c.service.Connections == nil {
		return failed(asl.Runtime, "The field 'Authentication.ConnectionArn' is required but was missing")
	}
	r, err := c.httpRequest(o, text(o, "ApiEndpoint"))
	if err != nil {
		return failed(asl.Runtime, err.Error())
	}
	r.Header.Set("User-Agent", "Amazon|StepFunctions|HttpInvoke|"+c.task.Region)
	r.Header.Set("Range", fmt.Sprintf("bytes=0-%d", document.MaxSize))
	answer, err := c.service.Connections.Send(c.ctx, c.service.http, connection, r)
	if e, ok := errors.AsType[*awsapi.Error](err); ok {
		name := "InvalidConnectionState"
		if e.Type.Code == "ResourceNotFoundException" {
			name = "ResourceNotFound"
		}
		return failed("Events.ConnectionResource."+name, e.Message)
	}
	if err != nil {
		return c.unheard("States.Http.Socket", err)
	}
	return c.httpAnswer(answer, "States.Http.Socket", "States.Http.StatusCode.", strings.ToLower)
}

// unheard is the failure of a call that nobody answered.
func (c *call) unheard(name string, err error) engine.Reply {
	if c.ctx.Err() != nil {
		return engine.Reply{Again: true}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the URL may hold secrets of the connection
	}
	return failed(name, err.Error())
}

// forbiddenHeaders may not be set by a task.
// https://docs.aws.amazon.com/step-functions/latest/dg/connect-api-gateway.html#connect-api-gateway-requests
var forbiddenHeaders = map[string]bool{"Authorization": true, "Connection": true, "Content-Md5": true, "Date": true, "Expect": true, "Host": true,
	"Max-Forwards": true, "Proxy-Authenticate": true, "Server": true, "Te": true, "Transfer-Encoding": true, "Trailer": true, "Upgrade": true,
	"Via": true, "Www-Authenticate": true}

func forbidden(header string) bool {
	name := textproto.CanonicalMIMEHeaderKey(header)
	return forbiddenHeaders[name] || strings.HasPrefix(name, "X-Forwarded") || strings.HasPrefix(name, "X-Amz")
}

// httpRequest makes the request that a task's parameters describe, to an endpoint.
func (c *call) httpRequest(o *document.Object, endpoint string) (*http.Request, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the value of the field 'ApiEndpoint' is not a valid URL")
	}
	query, err := valuesOf(o, "QueryParameters")
	if err != nil {
		return nil, err
	}
	if len(query) > 0 {
		u.RawQuery = strings.Trim(u.RawQuery+"&"+query.Encode(), "&")
	}
	headers, err := valuesOf(o, "Headers")
	if err != nil {
		return nil, err
	}
	body, kind, err := bodyOf(o)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(c.ctx, text(o, "Method"), u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	for name, values := range headers {
		if forbidden(name) {
			return nil, fmt.Errorf("the following header is not allowed: %s", name)
		}
		r.Header[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	if kind == formType {
		r.Header.Set("Content-Type", kind)
	}
	return r, nil
}

const formType = "application/x-www-form-urlencoded"

// bodyOf is the body of a request and its type: JSON, text as it is, or a form.
func bodyOf(o *document.Object) (body []byte, kind string, err error) {
	v := member(o, "RequestBody")
	if v == nil {
		return nil, "", nil
	}
	transform, _ := member(o, "Transform").(*document.Object)
	if text(transform, "RequestBodyEncoding") == "URL_ENCODED" {
		object, ok := v.(*document.Object)
		if !ok {
			return nil, "", fmt.Errorf("the field 'RequestBody' must be an object to be URL-encoded")
		}
		options, _ := member(transform, "RequestEncodingOptions").(*document.Object)
		return []byte(formOf(object, text(options, "ArrayFormat"))), formType, nil
	}
	if s, ok := v.(string); ok {
		return []byte(s), "text/plain; charset=utf-8", nil
	}
	return document.Encode(v), "application/json", nil
}

// formOf is an object as a form; format says how its arrays are written.
// https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html#url-encode-request-body
func formOf(o *document.Object, format string) string {
	var pairs []string
	var add func(name string, v any)
	pair := func(name, value string) { pairs = append(pairs, url.QueryEscape(name)+"="+url.QueryEscape(value)) }
	add = func(name string, v any) {
		switch v := v.(type) {
		case *document.Object:
			for key, value := range v.All() {
				add(name+"["+key+"]", value)
			}
		case []any:
			var joined []string
			for i, value := range v {
				switch format {
				case "REPEAT":
					add(name, value)
				case "BRACKETS":
					add(name+"[]", value)
				case "COMMAS":
					joined = append(joined, plainText(value))
				default:
					add(fmt.Sprintf("%s[%d]", name, i), value)
				}
			}
			if format == "COMMAS" {
				pair(name, strings.Join(joined, ","))
			}
		default:
			pair(name, plainText(v))
		}
	}
	for name, v := range o.All() {
		add(name, v)
	}
	return strings.Join(pairs, "&")
}

// httpAnswer is a task's answer of an answer of HTTP. Its errors have names that begin with unread and status;
// header says how names of headers are written.
func (c *call) httpAnswer(answer *http.Response, unread, status string, header func(string) string) engine.Reply {
	defer func() { _ = answer.Body.Close() }() // it was only read
	body, err := io.ReadAll(io.LimitReader(answer.Body, document.MaxSize+1))
	if err != nil {
		return c.unheard(unread, err)
	}
	if len(body) > document.MaxSize {
		return failed(asl.DataLimitExceeded, "The response is larger than a task's result may be")
	}
	if kind := answer.Header.Get("Content-Type"); !utf8.Valid(body) || kind == "application/octet-stream" ||
		strings.HasPrefix(kind, "image/") || strings.HasPrefix(kind, "video/") || strings.HasPrefix(kind, "audio/") {
		return failed(asl.Runtime, "The response is not text")
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return failed(fmt.Sprint(status, answer.StatusCode), string(body))
	}
	var content any = string(body)
	if v, err := document.Decode(body); err == nil {
		content = v
	}
	headers := document.NewObject()
	for name, values := range answer.Header {
		all := make([]any, len(values))
		for i, v := range values {
			all[i] = v
		}
		headers.Set(header(name), all)
	}
	return c.answer(document.NewObject("Headers", headers, "ResponseBody", content, "StatusCode", int64(answer.StatusCode),
		"StatusText", http.StatusText(answer.StatusCode)))
}

// member is an object's member; nil where there is none, or no object.
func member(o *document.Object, name string) any {
	if o == nil {
		return nil
	}
	v, _ := o.Get(name)
	return v
}

func text(o *document.Object, name string) string {
	s, _ := member(o, name).(string)
	return s
}

// plainText is a value as a query or a form has it.
func plainText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return string(document.Encode(v))
}

// valuesOf are the values of an object's members, each one or a list.
func valuesOf(o *document.Object, name string) (url.Values, error) {
	v := member(o, name)
	if v == nil {
		return nil, nil
	}
	object, ok := v.(*document.Object)
	if !ok {
		return nil, fmt.Errorf("the field '%s' must be an object", name)
	}
	values := url.Values{}
	for key, v := range object.All() {
		list, ok := v.([]any)
		if !ok {
			list = []any{v}
		}
		for _, v := range list {
			values.Add(key, plainText(v))
		}
	}
	return values, nil
}
