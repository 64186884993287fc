package endpoint_test

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/markup"
	"cirro/internal/endpoint/rpcv2cbor"
	"cirro/internal/endpoint/wire"
)

// encodeRequest writes a request as a client would, in the service's own protocol. Labels that are not
// set are sent as unset.
func encodeRequest(t testing.TB, base string, op *wire.Operation, in any, unset string) *http.Request {
	t.Helper()
	return encodeRequestIn(t, op.Service.Protocol, base, op, in, unset)
}

func encodeRequestIn(t testing.TB, p awsapi.Protocol, base string, op *wire.Operation, in any, unset string) *http.Request {
	t.Helper()
	v := reflect.ValueOf(in).Elem()
	plan := op.InputPlan()
	method, target, body, header := "POST", base+"/", []byte(nil), http.Header{}
	header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/"+op.Service.SigningName+"/aws4_request, SignedHeaders=host, Signature=0")
	switch p {
	case awsapi.JSON:
		header.Set("Content-Type", "application/x-amz-json-"+op.Service.JSONVersion)
		header.Set("X-Amz-Target", op.Service.TargetPrefix+"."+op.Name)
		body = awsjson.Append(nil, plan, wire.DefaultTime, v)
	case awsapi.RPCv2CBOR:
		header.Set("Content-Type", "application/cbor")
		header.Set("Smithy-Protocol", "rpc-v2-cbor")
		target += "service/" + op.Service.TargetPrefix + "/operation/" + op.Name
		body = rpcv2cbor.Append(nil, plan, v)
	case awsapi.Query:
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		form := url.Values{"Action": {op.Name}, "Version": {op.Service.APIVersion}}
		addForm(form, "", plan, v)
		body = []byte(form.Encode())
	default:
		method, target, body = op.Method, base+restTarget(op, v, header, unset), restBody(p, plan, v)
	}
	r, err := http.NewRequest(method, target, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	return r
}

func restTarget(op *wire.Operation, v reflect.Value, header http.Header, unset string) string {
	path, constant, _ := strings.Cut(op.Path, "?")
	query, _ := url.ParseQuery(constant)
	plan := op.InputPlan()
	for i := range plan.Fields {
		f := &plan.Fields[i]
		x, ok := f.Get(v)
		if f.Location == awsapi.URI {
			text := unset
			if ok {
				text = string(wire.AppendText(nil, f.Plan, f.Time.Or(wire.ISO8601), x))
			}
			path = strings.Replace(path, "{"+f.WireName()+"}", url.PathEscape(text), 1)
			path = strings.Replace(path, "{"+f.WireName()+"+}", strings.ReplaceAll(url.PathEscape(text), "%2F", "/"), 1)
			continue
		}
		if !ok {
			continue
		}
		switch f.Location {
		case awsapi.QueryString:
			addQuery(query, f, x)
		case awsapi.Header:
			header.Set(f.WireName(), string(wire.AppendText(nil, f.Plan, f.Time.Or(wire.RFC822), x)))
		case awsapi.Headers:
			for it := x.MapRange(); it.Next(); {
				header.Set(f.WireName()+it.Key().String(), it.Value().String())
			}
		}
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

func addQuery(query url.Values, f *wire.Field, x reflect.Value) {
	switch f.Plan.Kind {
	case awsapi.List:
		for i := range x.Len() {
			query.Add(f.WireName(), string(wire.AppendText(nil, f.Plan.Elem, wire.ISO8601, x.Index(i))))
		}
	case awsapi.Map:
		for it := x.MapRange(); it.Next(); {
			query.Add(it.Key().String(), string(wire.AppendText(nil, f.Plan.Elem, wire.ISO8601, it.Value())))
		}
	default:
		query.Add(f.WireName(), string(wire.AppendText(nil, f.Plan, f.Time.Or(wire.ISO8601), x)))
	}
}

func restBody(p awsapi.Protocol, plan *wire.Plan, v reflect.Value) []byte {
	append := func(name string, plan *wire.Plan, v reflect.Value) []byte {
		if p == awsapi.RestXML {
			return markup.Append(nil, name, plan, v)
		}
		return awsjson.Append(nil, plan, wire.DefaultTime, v)
	}
	f := plan.PayloadField()
	if f == nil {
		if plan.BodyMembers() == 0 {
			return nil
		}
		return append(plan.Name, plan, v)
	}
	x, ok := f.Get(v)
	switch {
	case !ok || f.Plan.Type.Kind() == reflect.Interface:
		return nil
	case f.Plan.Kind == awsapi.Blob:
		return x.Bytes()
	case f.Plan.Kind == awsapi.String:
		return []byte(x.String())
	}
	return append(f.WireName(), f.Plan, x)
}

func addForm(form url.Values, prefix string, p *wire.Plan, v reflect.Value) {
	switch p.Kind {
	case awsapi.Structure:
		for i := range p.Fields {
			f := &p.Fields[i]
			if x, ok := f.Get(v); ok {
				name := f.WireName()
				if (f.Flattened || f.Plan.Flattened) && f.Plan.Kind == awsapi.List {
					for j := range x.Len() {
						addForm(form, prefix+name+"."+strconv.Itoa(j+1)+".", f.Plan.Elem, x.Index(j))
					}
					continue
				}
				addForm(form, prefix+name+".", f.Plan, x)
			}
		}
	case awsapi.List:
		for i := range v.Len() {
			addForm(form, prefix+"member."+strconv.Itoa(i+1)+".", p.Elem, v.Index(i))
		}
	case awsapi.Map:
		i := 0
		for it := v.MapRange(); it.Next(); {
			i++
			entry := prefix + "entry." + strconv.Itoa(i)
			form.Set(entry+".key", it.Key().String())
			addForm(form, entry+".value.", p.Elem, it.Value())
		}
	default:
		form.Set(strings.TrimSuffix(prefix, "."), string(wire.AppendText(nil, p, wire.ISO8601, v)))
	}
}

func newReader(b []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(b)) }
