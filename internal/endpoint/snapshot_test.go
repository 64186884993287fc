package endpoint_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/apigateway"
	"cirro/internal/awsapi/events"
	"cirro/internal/awsapi/iam"
	"cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/awsapi/sqs"
	"cirro/internal/awsapi/sts"
	"cirro/internal/awsapi/upstream"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/wire"
)

// snapshotTables are the services whose modules carry snapshots of requests, and most of them of replies.
func snapshotTables(t *testing.T) map[string]*awsapi.Service {
	tables := map[string]*awsapi.Service{"events": &events.Service, "iam": &iam.Service, "lambda": &lambda.Service,
		"logs": &logs.Service, "sqs": &sqs.Service, "sts": &sts.Service, "apigateway": &apigateway.Service}
	// Not generated, and so made from their models here: JSON 1.0 and CBOR in full.
	tables["dynamodb"] = loadTable(t, "dynamodb/2012-08-10")
	monitoring := loadTable(t, "monitoring/2010-08-01")
	monitoring.Protocol, monitoring.TargetPrefix = awsapi.RPCv2CBOR, "GraniteServiceVersion20100801"
	tables["monitoring"] = monitoring
	return tables
}

// snapshot is a request or a reply as a file holds it: a first line, headers, and a body.
type snapshot struct {
	first  string
	header http.Header
	body   []byte
}

func readSnapshot(t *testing.T, path string) *snapshot {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(b))
	first, _ := r.ReadString('\n')
	s := &snapshot{first: strings.TrimSpace(first), header: http.Header{}}
	if next, _ := r.Peek(1); string(next) == "\n" && strings.Contains(first, "/") {
		_, _ = r.ReadByte() // requests have an empty line before their headers
	}
	for {
		line, err := r.ReadString('\n')
		line = strings.TrimSuffix(line, "\n")
		name, value, ok := strings.Cut(line, ": ")
		if err != nil || line == "" || !ok {
			break
		}
		s.header[textproto.CanonicalMIMEHeaderKey(name)] = []string{value}
	}
	s.body, _ = io.ReadAll(r)
	return s
}

// recorder keeps the input that a request decodes to.
func recorder(table *awsapi.Service) (*awsapi.Service, *any) {
	t := *table
	in := new(any)
	t.Operations = make([]awsapi.Operation, len(table.Operations))
	for i, o := range table.Operations {
		o.Call = recordCall(in)
		t.Operations[i] = o
	}
	return &t, in
}

func recordCall(in *any) func(context.Context, any, any) (any, error) {
	return func(_ context.Context, _, got any) (any, error) {
		*in = got
		return nil, nil
	}
}

// TestRequestSnapshots sends each request that AWS's SDK has on file through the front door, writes what
// came of it again, and compares the two.
func TestRequestSnapshots(t *testing.T) {
	for name, table := range snapshotTables(t) {
		dir := upstreamDir(t, upstream.Newer[name])
		files, err := filepath.Glob(filepath.Join(dir, "request_snapshot", "*.request.snap"))
		if err != nil {
			t.Fatal(err)
		}
		recording, in := recorder(table)
		e := endpoint.New(endpoint.Options{})
		e.LeaveUnchecked()
		e.Register(recording, nil)
		service := wire.NewService(recording)
		done := 0
		for _, file := range files {
			op := service.Lookup(strings.TrimSuffix(filepath.Base(file), ".request.snap"))
			if op == nil {
				continue // newer than the model, where the table is made of the model alone
			}
			done++
			t.Run(name+"/"+op.Name, func(t *testing.T) { checkRequest(t, e, op, readSnapshot(t, file), in) })
		}
		t.Logf("%s: %d of %d requests", name, done, len(files))
	}
}

func checkRequest(t *testing.T, e *endpoint.Endpoint, op *wire.Operation, s *snapshot, in *any) {
	method, target, _ := strings.Cut(s.first, " ")
	r := httptest.NewRequest(method, "http://localhost"+target, bytes.NewReader(s.body))
	r.Header = s.header.Clone()
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/"+op.Service.SigningName+"/aws4_request, SignedHeaders=host, Signature=0")
	*in = nil
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	if *in == nil {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if reflect.TypeOf(*in) != op.InputType() {
		t.Fatalf("went to another operation: %T", *in)
	}
	again := encodeRequest(t, "http://localhost", op, *in, "unset")
	body, _ := io.ReadAll(again.Body)
	if got, want := sortedQuery(again.URL.RequestURI()), sortedQuery(target); got != want {
		t.Errorf("the target is\n%s\nnot\n%s", got, want)
	}
	compareBodies(t, op, op.InputPlan(), body, s.body)
	for name := range s.header {
		switch name {
		case "Accept", "X-Amzn-Query-Mode", "Content-Type":
			continue
		}
		if got, want := again.Header.Get(name), s.header.Get(name); got != want {
			t.Errorf("header %s is %q, not %q", name, got, want)
		}
	}
}

func sortedQuery(target string) string {
	path, query, _ := strings.Cut(target, "?")
	values, _ := url.ParseQuery(query)
	return strings.TrimSuffix(path, "/") + "?" + values.Encode()
}

// compareBodies compares two bodies by what they say, leaving out what the table does not know.
func compareBodies(t *testing.T, op *wire.Operation, plan *wire.Plan, got, want []byte) {
	t.Helper()
	switch op.Service.Protocol {
	case awsapi.Query:
		a, _ := url.ParseQuery(string(got))
		b, _ := url.ParseQuery(string(want))
		if !reflect.DeepEqual(a, b) {
			t.Errorf("the form is\n%v\nnot\n%v", a, b)
		}
		return
	case awsapi.RPCv2CBOR:
		compareDecoded(t, op, plan, got, want)
		return
	}
	if f := plan.PayloadField(); f != nil {
		if f.Plan.Kind == awsapi.Blob || f.Plan.Kind == awsapi.String {
			if !bytes.Equal(got, want) && f.Plan.Type.Kind() != reflect.Interface {
				t.Errorf("the body is %q, not %q", got, want)
			}
			return
		}
		plan = f.Plan
	}
	var a, b any
	if len(got) > 0 {
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
	}
	if len(want) > 0 {
		if err := json.Unmarshal(want, &b); err != nil {
			t.Fatalf("%v: %s", err, want)
		}
	}
	if !reflect.DeepEqual(tidy(a), tidy(known(plan, b))) {
		t.Errorf("the body is\n%s\nnot\n%s", got, want)
	}
}

func compareDecoded(t *testing.T, op *wire.Operation, plan *wire.Plan, got, want []byte) {
	t.Helper()
	x := &wire.Exchange{Service: op.Service, Operation: op}
	var said [2]any
	for i, body := range [][]byte{got, want} {
		v := reflect.New(plan.Type).Elem()
		decodeReplyBody(t, &wire.Exchange{Service: x.Service, Operation: x.Operation}, plan, body, v)
		said[i] = plainOf(plan, v)
	}
	if !reflect.DeepEqual(said[0], said[1]) {
		t.Errorf("the body says\n%v\nnot\n%v", said[0], said[1])
	}
}

// known drops the members of a document that the plan does not have.
func known(p *wire.Plan, x any) any {
	switch x := x.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, value := range x {
			if p.Kind == awsapi.Map {
				out[name] = known(p.Elem, value)
			} else if f := p.Field(name); f != nil {
				out[name] = known(f.Plan, value)
			} else if p.Kind == awsapi.Document {
				out[name] = value
			}
		}
		return out
	case []any:
		if p.Kind != awsapi.List {
			return x
		}
		out := make([]any, len(x))
		for i := range x {
			out[i] = known(p.Elem, x[i])
		}
		return out
	}
	return x
}

// TestResponseSnapshots reads each reply on file and writes it anew.
func TestResponseSnapshots(t *testing.T) {
	for name, table := range snapshotTables(t) {
		dir := upstreamDir(t, upstream.Newer[name])
		files, err := filepath.Glob(filepath.Join(dir, "response_snapshot", "*.response.snap"))
		if err != nil {
			t.Fatal(err)
		}
		service := wire.NewService(table)
		done := 0
		for _, file := range files {
			op := service.Lookup(strings.TrimSuffix(filepath.Base(file), ".response.snap"))
			if op == nil || op.OutputPlan().StreamField() != nil {
				continue
			}
			done++
			t.Run(name+"/"+op.Name, func(t *testing.T) { checkResponse(t, op, readSnapshot(t, file)) })
		}
		t.Logf("%s: %d of %d replies", name, done, len(files))
	}
}

func checkResponse(t *testing.T, op *wire.Operation, s *snapshot) {
	x := &wire.Exchange{ID: "id", Service: op.Service, Operation: op, HTTP: httptest.NewRequest("POST", "/", nil)}
	status, _ := strconv.Atoi(s.first)
	headers := map[string]string{}
	for name := range s.header {
		headers[name] = s.header.Get(name)
	}
	out := decodeReply(t, x, op.OutputPlan(), headers, s.body, status)
	w := httptest.NewRecorder()
	if err := protocolOf(op.Service.Service).Encode(w, x, out); err != nil {
		t.Fatal(err)
	}
	for name := range s.header {
		switch name {
		case "Accept", "X-Amz-Target", "X-Amzn-Query-Mode", "Content-Type", "Content-Length": // left over from the request
			continue
		}
		if got, want := w.Header().Get(name), s.header.Get(name); got != want {
			t.Errorf("header %s is %q, not %q", name, got, want)
		}
	}
	compareBodies(t, op, op.OutputPlan(), w.Body.Bytes(), s.body)
}

// TestErrorSnapshots writes each error on file with the members it has there.
func TestErrorSnapshots(t *testing.T) {
	for name, table := range snapshotTables(t) {
		dir := upstreamDir(t, upstream.Newer[name])
		files, err := filepath.Glob(filepath.Join(dir, "response_snapshot", "*.error.snap"))
		if err != nil {
			t.Fatal(err)
		}
		service := wire.NewService(table)
		for _, file := range files {
			shapeName := strings.TrimSuffix(filepath.Base(file), ".error.snap")
			for i := range table.Shapes {
				if s := &table.Shapes[i]; s.Name == shapeName && s.Exception != nil && table.Protocol != awsapi.RPCv2CBOR {
					t.Run(name+"/"+shapeName, func(t *testing.T) { checkError(t, service, s, readSnapshot(t, file)) })
				}
			}
		}
	}
}

func checkError(t *testing.T, service *wire.Service, s *awsapi.Shape, snap *snapshot) {
	var body map[string]any
	if len(snap.body) > 0 {
		if err := json.Unmarshal(snap.body, &body); err != nil {
			t.Fatal(err)
		}
	}
	e := s.Exception.New("")
	for i := range s.Members {
		m := &s.Members[i]
		value, ok := body[m.WireName()]
		switch {
		case strings.EqualFold(m.Name, "message"):
			e.Message, _ = value.(string)
		case ok:
			_ = e.With(m.Name, value)
		case m.Location == awsapi.Header && snap.header.Get(m.WireName()) != "":
			_ = e.With(m.Name, snap.header.Get(m.WireName()))
		}
	}
	w := httptest.NewRecorder()
	x := &wire.Exchange{ID: "id", Service: service, HTTP: httptest.NewRequest("POST", "/", nil)}
	protocolOf(service.Service).EncodeError(w, x, e)
	if status, _ := strconv.Atoi(snap.first); status != w.Code {
		t.Errorf("the status is %d, not %d", w.Code, status)
	}
	var got map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	for name, value := range body {
		if name != "__type" && !reflect.DeepEqual(got[name], value) {
			t.Errorf("%s is %v, not %v", name, got[name], value)
		}
	}
}
