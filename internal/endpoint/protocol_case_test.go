package endpoint_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/upstream"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/markup"
	"cirro/internal/endpoint/query"
	"cirro/internal/endpoint/rest"
	"cirro/internal/endpoint/restjson"
	"cirro/internal/endpoint/restxml"
	"cirro/internal/endpoint/rpcv2cbor"
	"cirro/internal/endpoint/wire"
)

// protocolCase is a case of AWS's own suites, which are written for clients: an input and the request it
// makes, or a reply and the output it means. A server reads them backwards.
type protocolCase struct {
	Given      jsonOperation
	Params     json.RawMessage
	Serialized struct {
		Method, URI string
		Body        json.RawMessage
		Headers     map[string]string
	}
	Result   json.RawMessage
	Response struct {
		StatusCode int `json:"status_code"`
		Headers    map[string]string
		Body       string
	}
}

func protocolOf(s *awsapi.Service) wire.Protocol {
	switch s.Protocol {
	case awsapi.Query:
		return query.Protocol{}
	case awsapi.RestJSON:
		return restjson.Protocol{}
	case awsapi.RestXML:
		return restxml.Protocol{}
	case awsapi.RPCv2CBOR:
		return rpcv2cbor.Protocol{}
	}
	if s.JSONVersion == "1.0" {
		return awsjson.V10
	}
	return awsjson.V11
}

// unreadable are cases that a server has no use for, with the reason.
var unreadable = map[string]string{
	"input/rest-json/JSON value trait/1":                "a list of JSON documents is in no model",
	"output/rest-json/JSON value trait/1":               "a list of JSON documents is in no model",
	"input/rest-xml/Header whitespace/0":                "HTTP takes the space around a header's value away",
	"output/json/Lists/1":                               "a null in a list has no place in a Go slice of strings",
	"output/json/unmodeled non-json response payload/0": "a client's tolerance of replies that are no JSON",
	"output/json/unmodeled non-json response payload/1": "a client's tolerance of replies that are no JSON",
	"output/rest-json/Supports header maps/0":           "an empty prefix makes a client take in all headers",
}

func eachSuite(t *testing.T, kind string, run func(t *testing.T, m *jsonModel, c *protocolCase)) {
	dir := filepath.Join(upstreamDir(t, upstream.Models), "models", "protocol_tests", kind)
	for _, protocol := range []string{"json", "query", "rest-json", "rest-xml"} {
		var suites []*jsonModel
		readJSON(t, &suites, dir, protocol+".json")
		for _, m := range suites {
			for i := range m.Cases {
				t.Run(fmt.Sprintf("%s/%s/%d", protocol, m.Description, i), func(t *testing.T) {
					if reason := unreadable[fmt.Sprintf("%s/%s/%s/%d", kind, protocol, m.Description, i)]; reason != "" {
						t.Skip(reason)
					}
					run(t, m, &m.Cases[i])
				})
			}
		}
	}
}

func TestProtocolInputs(t *testing.T) {
	eachSuite(t, "input", func(t *testing.T, m *jsonModel, c *protocolCase) {
		x, in := exchangeOf(t, m, c)
		if err := protocolOf(x.Service.Service).Decode(x, in); err != nil {
			t.Fatal(err)
		}
		var want any
		if len(c.Params) > 0 {
			if err := json.Unmarshal(c.Params, &want); err != nil {
				t.Fatal(err)
			}
		}
		got := plainOf(x.Operation.InputPlan(), reflect.ValueOf(in).Elem())
		if !reflect.DeepEqual(tidy(got), tidy(want)) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	})
}

func exchangeOf(t *testing.T, m *jsonModel, c *protocolCase) (*wire.Exchange, any) {
	t.Helper()
	b := newBuilder(m)
	b.table.Operations = []awsapi.Operation{b.operation(&c.Given)}
	service := wire.NewService(b.table)
	op := service.Lookup(c.Given.Name)
	var body string
	if err := json.Unmarshal(c.Serialized.Body, &body); err != nil {
		body = string(c.Serialized.Body) // rest-json writes some as JSON
	}
	method := c.Serialized.Method
	if method == "" {
		method = op.Method
	}
	r := httptest.NewRequest(method, "http://localhost"+c.Serialized.URI, strings.NewReader(body))
	for name, value := range c.Serialized.Headers {
		r.Header.Set(name, value)
	}
	x := &wire.Exchange{Service: service, Operation: op, HTTP: r, Body: []byte(body)}
	switch b.table.Protocol {
	case awsapi.Query:
		form, err := query.ParseForm(body)
		if err != nil {
			t.Fatal(err)
		}
		x.Form = form
	case awsapi.RestJSON, awsapi.RestXML:
		match := rest.NewRouter(service).Match(method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header)
		if match.Operation == nil {
			t.Fatalf("no route for %s %s", method, r.URL)
		}
		x.Labels = match.Labels
		if op.StreamsInput() {
			x.Stream = r.Body
		}
	}
	return x, op.New()
}

// plainOf makes of a value what encoding/json would make of AWS's notation of it: blobs are strings,
// timestamps seconds.
func plainOf(p *wire.Plan, v reflect.Value) any {
	switch p.Kind {
	case awsapi.Structure:
		m := map[string]any{}
		for i := range p.Fields {
			f := &p.Fields[i]
			if x, ok := f.Get(v); ok && !f.Plan.EventStream {
				m[f.Name] = plainOf(f.Plan, x)
				if f.JSONValue {
					var doc any
					_ = json.Unmarshal([]byte(x.String()), &doc)
					m[f.Name] = doc
				}
			}
		}
		return m
	case awsapi.List:
		s := make([]any, v.Len())
		for i := range s {
			s[i] = plainOf(p.Elem, v.Index(i))
		}
		return s
	case awsapi.Map:
		m := map[string]any{}
		for it := v.MapRange(); it.Next(); {
			m[it.Key().String()] = plainOf(p.Elem, it.Value())
		}
		return m
	case awsapi.Blob:
		if v.Kind() == reflect.Interface {
			b, _ := io.ReadAll(v.Interface().(io.Reader))
			return string(b)
		}
		return string(v.Bytes())
	case awsapi.Timestamp:
		return float64(v.Interface().(time.Time).UnixMilli()) / 1000
	case awsapi.Integer, awsapi.Long:
		return float64(v.Int())
	case awsapi.Float:
		var f float64
		_ = json.Unmarshal(wire.AppendFloat(nil, v.Float(), 32), &f)
		return f
	}
	return v.Interface()
}

// tidy drops what has no form of its own on the wire: nulls, structures without members, and the tokens
// that clients make up.
func tidy(x any) any {
	switch x := x.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, v := range x {
			if v = tidy(v); v != nil && v != "00000000-0000-4000-8000-000000000000" {
				out[k] = v
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		out := []any{}
		for _, v := range x {
			if v = tidy(v); v != nil {
				out = append(out, v)
			}
		}
		return out
	}
	return x
}

// TestProtocolOutputs reads each reply, writes what it means, and reads that again: it must mean the same,
// and say it in the same headers, and in the same elements or members.
func TestProtocolOutputs(t *testing.T) {
	eachSuite(t, "output", func(t *testing.T, m *jsonModel, c *protocolCase) {
		b := newBuilder(m)
		b.table.Operations = []awsapi.Operation{b.operation(&c.Given)}
		service := wire.NewService(b.table)
		x := &wire.Exchange{ID: "request-id", Service: service, Operation: service.Lookup(c.Given.Name),
			HTTP: httptest.NewRequest("POST", "/", nil)}
		plan := x.Operation.OutputPlan()
		out := decodeReply(t, x, plan, c.Response.Headers, []byte(c.Response.Body), c.Response.StatusCode)
		w := httptest.NewRecorder()
		if err := protocolOf(service.Service).Encode(w, x, out); err != nil {
			t.Fatal(err)
		}
		headers := map[string]string{}
		for name := range w.Header() {
			headers[name] = w.Header().Get(name)
		}
		again := decodeReply(t, x, plan, headers, w.Body.Bytes(), w.Code)
		first := plainOf(plan, rewind(out, c.Response.Body))
		second := plainOf(plan, reflect.ValueOf(again).Elem())
		var want any
		if err := json.Unmarshal(c.Result, &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(tidy(second), tidy(first)) {
			t.Errorf("written %s\nmeans %v\nnot   %v", w.Body, second, first)
		}
		if !covers(tidy(want), tidy(second)) {
			t.Errorf("got  %v\nwant %v", second, want)
		}
	})
}

// rewind gives back the body that a reply has streamed out.
func rewind(out any, body string) reflect.Value {
	v := reflect.ValueOf(out).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Interface && f.Type() == reflect.TypeFor[io.Reader]() && !f.IsNil() {
			f.Set(reflect.ValueOf(strings.NewReader(body)))
		}
	}
	return v
}

// covers reports whether got has all that want has, but for empty values that XML does not tell from none.
func covers(want, got any) bool {
	switch want := want.(type) {
	case map[string]any:
		m, ok := got.(map[string]any)
		if !ok {
			return len(want) == 0
		}
		for k, v := range want {
			if !covers(v, m[k]) {
				return false
			}
		}
		return true
	case []any:
		s, ok := got.([]any)
		if !ok || len(s) != len(want) {
			return len(want) == 0 && !ok
		}
		for i := range s {
			if !covers(want[i], s[i]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(want, got)
}

// decodeReply reads a reply as a client would.
func decodeReply(t *testing.T, x *wire.Exchange, plan *wire.Plan, headers map[string]string, body []byte, status int) any {
	t.Helper()
	out := reflect.New(x.Operation.Out())
	v := out.Elem()
	for i := range plan.Fields {
		f := &plan.Fields[i]
		switch f.Location {
		case awsapi.StatusCode:
			f.Set(v).SetInt(int64(status))
		case awsapi.Header:
			for name, value := range headers {
				if strings.EqualFold(name, f.WireName()) {
					decodeHeader(t, f, value, v)
				}
			}
		case awsapi.Headers:
			m := map[string]string{}
			for name, value := range headers {
				if len(name) > len(f.WireName()) && strings.EqualFold(name[:len(f.WireName())], f.WireName()) {
					m[name[len(f.WireName()):]] = value
				}
			}
			f.Set(v).Set(reflect.ValueOf(m))
		}
	}
	if f := plan.PayloadField(); f != nil && plan.BodyMembers() > 0 && (f.Plan.Kind == awsapi.Blob || f.Plan.Kind == awsapi.String) {
		switch {
		case len(body) == 0:
		case f.Plan.Kind == awsapi.String:
			f.Set(v).SetString(string(body))
		case f.Plan.Type.Kind() == reflect.Interface:
			f.Set(v).Set(reflect.ValueOf(bytes.NewReader(body)))
		default:
			f.Set(v).SetBytes(body)
		}
		return out.Interface()
	}
	decodeReplyBody(t, x, plan, body, v)
	return out.Interface()
}

func decodeHeader(t *testing.T, f *wire.Field, value string, v reflect.Value) {
	t.Helper()
	var err error
	switch {
	case f.JSONValue:
		b, _ := wire.DecodeBase64(value)
		f.Set(v).SetString(string(b))
	case f.Plan.Kind == awsapi.List:
		t.Skip("lists in headers are tested by requests")
	default:
		err = wire.SetText(f.Plan, value, f.Set(v))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func decodeReplyBody(t *testing.T, x *wire.Exchange, plan *wire.Plan, body []byte, v reflect.Value) {
	t.Helper()
	target, to := plan, v
	f := plan.PayloadField()
	if f != nil {
		target = f.Plan
	}
	if len(body) == 0 || x.Operation.Output == awsapi.NoShape {
		return
	}
	if f != nil {
		to = f.Set(v)
	}
	var err error
	switch x.Service.Protocol {
	case awsapi.JSON, awsapi.RestJSON:
		err = awsjson.Decode(body, target, to)
	case awsapi.RPCv2CBOR:
		err = rpcv2cbor.Decode(body, target, to)
	default:
		var root *markup.Element
		if root, err = markup.Parse(body); err == nil && root != nil {
			if wrapper := x.Operation.ResultWrapper; wrapper != "" {
				root = root.Child(wrapper)
			} else if inner := root.Child(x.Operation.Name + "Result"); inner != nil {
				root = inner
			}
			err = markup.Decode(root, target, to)
		}
	}
	if err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}
