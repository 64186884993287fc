package endpoint_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"cirro/internal/awsapi/apigateway"
	"cirro/internal/awsapi/iam"
	"cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/sqs"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/markup"
	"cirro/internal/endpoint/query"
	"cirro/internal/endpoint/rest"
	"cirro/internal/endpoint/rpcv2cbor"
	"cirro/internal/endpoint/wire"
)

// again checks that what was read can be written, and that reading that gives the same.
func again(t *testing.T, plan *wire.Plan, in any, write func(reflect.Value) []byte, read func([]byte, reflect.Value) error) {
	t.Helper()
	v := reflect.ValueOf(in).Elem()
	b := write(v)
	second := reflect.New(v.Type()).Elem()
	if err := read(b, second); err != nil {
		t.Fatalf("%v: %q", err, b)
	}
	if b2 := write(second); !bytes.Equal(b, b2) {
		t.Fatalf("%q\nbecame\n%q", b, b2)
	}
}

func FuzzJSON(f *testing.F) {
	op := wire.NewService(&lambda.Service).Lookup("CreateFunction")
	for _, s := range []string{`{}`, `{"Timeout":3,"Code":{"ZipFile":"AAAA"},"Tags":{"a":"b"},"Layers":["x"]}`, `{"MemorySize":1e2}`, `{"a":[{}]`,
		`{"Environment":{"Variables":{"A":null}}}`, `{"Publish":"true"}`, `{"Timeout":99999999999}`, "{\"Role\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		plan, in := op.InputPlan(), op.New()
		if awsjson.Decode(b, plan, reflect.ValueOf(in).Elem()) != nil {
			return
		}
		if len(bytes.TrimSpace(b)) > 0 && !json.Valid(b) {
			t.Fatalf("%q is no JSON", b)
		}
		again(t, plan, in, func(v reflect.Value) []byte { return awsjson.Append(nil, plan, wire.DefaultTime, v) },
			func(b []byte, v reflect.Value) error { return awsjson.Decode(b, plan, v) })
	})
}

func FuzzCBOR(f *testing.F) {
	op := wire.NewService(&sqs.Service).Lookup("SendMessage")
	for _, s := range []string{"\xa0", "\xbf\xff", "\xa1kMessageBodyahello", "\xa1lDelaySeconds\x05", "\xc1\x00", "\x9f", "\xfb\x7f\xf0\x00\x00\x00\x00\x00\x00"} {
		f.Add([]byte(s))
	}
	in := &sqs.SendMessageRequest{MessageBody: new("hello"), DelaySeconds: new(int32(5)),
		MessageAttributes: map[string]sqs.MessageAttributeValue{"a": {DataType: new("Binary"), BinaryValue: []byte("b")}}}
	f.Add(rpcv2cbor.Append(nil, op.InputPlan(), reflect.ValueOf(in).Elem()))
	f.Fuzz(func(t *testing.T, b []byte) {
		plan, in := op.InputPlan(), op.New()
		if rpcv2cbor.Decode(b, plan, reflect.ValueOf(in).Elem()) != nil {
			return
		}
		again(t, plan, in, func(v reflect.Value) []byte { return rpcv2cbor.Append(nil, plan, v) },
			func(b []byte, v reflect.Value) error { return rpcv2cbor.Decode(b, plan, v) })
	})
}

func FuzzQuery(f *testing.F) {
	op := wire.NewService(&iam.Service).Lookup("CreateRole")
	for _, s := range []string{"", "RoleName=r&Tags.member.1.Key=a&Tags.member.1.Value=b", "Tags=", "Tags.member.99999999999999999999.Key=a",
		"MaxSessionDuration=x", "....=1", "%zz", "Tags.member.-1.Key=a", "Tags.member.01.Key=a&Tags.member.1.Key=b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		form, err := query.ParseForm(body)
		if err != nil {
			return
		}
		plan, in := op.InputPlan(), op.New()
		if query.Decode(form, plan, reflect.ValueOf(in).Elem()) != nil {
			return
		}
		write := func(v reflect.Value) []byte {
			values := url.Values{}
			addForm(values, "", plan, v)
			return []byte(values.Encode())
		}
		read := func(b []byte, v reflect.Value) error {
			form, err := query.ParseForm(string(b))
			if err != nil {
				return err
			}
			return query.Decode(form, plan, v)
		}
		// A structure without members in a list has no form: it is gone after one round.
		first := op.New()
		if err := read(write(reflect.ValueOf(in).Elem()), reflect.ValueOf(first).Elem()); err != nil {
			t.Fatal(err)
		}
		again(t, plan, first, write, read)
	})
}

func FuzzXML(f *testing.F) {
	plan := wire.NewService(&iam.Service).Lookup("GetRole").OutputPlan()
	for _, s := range []string{"", "<a/>", "<a><Role><RoleName>r</RoleName><CreateDate>2020-01-01T00:00:00Z</CreateDate><Tags><member><Key>k</Key></member></Tags></Role></a>",
		"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "<a><b></a></b>", "<a xmlns:b='c' b:d='e'>]]></a>", strings.Repeat("<a>", 1000)} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		root, err := markup.Parse(b)
		if err != nil || root == nil {
			return
		}
		v := reflect.New(plan.Type).Elem()
		if markup.Decode(root, plan, v) != nil {
			return
		}
		text := markup.Append(nil, "a", plan, v)
		if err := xml.Unmarshal(text, new(struct{})); err != nil {
			t.Fatalf("%v: %q", err, text)
		}
	})
}

func FuzzRoute(f *testing.F) {
	s := wire.NewService(&apigateway.Service)
	router := rest.NewRouter(s)
	f.Add("GET", "/restapis/abc/resources", "limit=1")
	f.Add("POST", "/restapis", "mode=import")
	f.Add("GET", "/tags/arn%3Aaws%3Aapigateway%2Fx", "")
	f.Add("GET", "//", "&&=")
	f.Add("DELETE", "/restapis/%zz/", "%")
	f.Fuzz(func(t *testing.T, method, path, rawQuery string) {
		m := router.Match(method, path, rawQuery, nil)
		if m.Operation == nil {
			return
		}
		if m.Operation.Method != method {
			t.Errorf("%s %s went to %s", method, path, m.Operation.Name)
		}
		if len(m.Labels) != len(m.Operation.Labels()) {
			t.Errorf("%s has labels %q", m.Operation.Path, m.Labels)
		}
		in := m.Operation.New()
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: rawQuery}, Header: http.Header{}}
		_ = rest.Bind(&wire.Exchange{Service: s, Operation: m.Operation, HTTP: r, Labels: m.Labels}, reflect.ValueOf(in).Elem())
	})
}

// FuzzServe sends requests of all kinds through the whole front door: nothing may panic or answer 500.
func FuzzServe(f *testing.F) {
	e := everything()
	f.Add("POST", "/2015-03-31/functions", "", "application/json", "", `{"FunctionName":"f"}`)
	f.Add("POST", "/", "", "application/x-www-form-urlencoded", "", "Action=CreateRole&Version=2010-05-08")
	f.Add("POST", "/", "", "application/x-amz-json-1.1", "Logs_20140328.PutLogEvents", `{"logEvents":[{}]}`)
	f.Add("POST", "/service/AmazonSQS/operation/SendMessage", "", "application/cbor", "", "\xa1kMessageBodyahello")
	f.Add("GET", "/restapis/a/resources/b", "embed=methods", "", "", "")
	f.Fuzz(func(t *testing.T, method, path, rawQuery, contentType, target, body string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path, RawQuery: rawQuery}, Host: "localhost", Header: http.Header{},
			Body: readCloserOf(body), ContentLength: int64(len(body))}
		r.Header.Set("Content-Type", contentType)
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
		}
		if contentType == "application/cbor" {
			r.Header.Set("Smithy-Protocol", "rpc-v2-cbor")
		}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError || w.Code == http.StatusOK && method != http.MethodOptions {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
