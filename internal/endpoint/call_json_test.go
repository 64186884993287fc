package endpoint_test

import (
	"context"
	"reflect"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/dynamodb"
	"cirro/internal/awsapi/events"
	"cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/named"
	"cirro/internal/endpoint/wire"
)

// bus keeps the last events put.
type bus struct {
	events.Unimplemented
	last *events.PutEventsRequest
}

func (b *bus) PutEvents(_ context.Context, in *events.PutEventsRequest) (*events.PutEventsResponse, error) {
	b.last = in
	return &events.PutEventsResponse{}, nil
}

// TestCallJSON calls services by the names that SDKs give them and their members.
func TestCallJSON(t *testing.T) {
	e, b := newEndpoint(t, endpoint.Options{}), &bus{}
	e.Register(&events.Service, b)
	as := awsapi.RootPrincipal("000000000000", "test")
	out, err := e.CallJSON(t.Context(), as, "lambda", "Invoke", []byte(`{"FunctionName": "f", "InvocationType": "Event", "Payload": "{\"a\": 1}"}`))
	if err != nil || string(out.(*lambda.InvocationResponse).Payload) != `{"a": 1}` {
		t.Error(out, err)
	}
	if out, err = e.CallJSON(t.Context(), as, "lambda", "Invoke", []byte(`{"FunctionName": "f", "Payload": {"a": [1]}}`)); err != nil ||
		string(out.(*lambda.InvocationResponse).Payload) != `{"a":[1]}` {
		t.Error(out, err)
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	want := &events.PutEventsRequest{Entries: []events.PutEventsRequestEntry{{Time: &at, Source: new("s"), DetailType: new("t"), Detail: new("{}"), Resources: []string{"r"}}}}
	for _, service := range []string{"events", "eventbridge"} {
		_, err := e.CallJSON(t.Context(), as, service, "PutEvents",
			[]byte(`{"Entries": [{"Time": "2026-03-04T05:06:07Z", "Source": "s", "DetailType": "t", "Detail": "{}", "Resources": ["r"], "TraceHeader": null}]}`))
		if err != nil || !reflect.DeepEqual(b.last, want) {
			t.Errorf("%s: %v", service, err)
		}
	}
	if _, err := e.CallJSON(t.Context(), as, "cloudwatchlogs", "CreateLogStream", []byte(`{"LogGroupName": "g", "logStreamName": "s"}`)); !isNotImplemented(err) {
		t.Error(err)
	}
	for _, c := range []struct{ service, operation, input, code string }{
		{"mars", "Land", `{}`, "NotImplemented"},
		{"lambda", "Fly", `{}`, "UnknownOperationException"},
		{"lambda", "Invoke", `{"FunctionName": 1}`, "SerializationException"},
		{"lambda", "Invoke", `{"Function": "f"}`, "SerializationException"},
		{"lambda", "Invoke", `[]`, "SerializationException"},
		{"lambda", "Invoke", `{"FunctionName": "f"} {}`, "SerializationException"},
		{"lambda", "Invoke", `{"FunctionName"`, "SerializationException"},
		{"lambda", "Invoke", `{}`, "ValidationException"},
		{"events", "PutEvents", `{"Entries": [null]}`, "SerializationException"},
		{"events", "PutEvents", `{"Entries": {}}`, "SerializationException"},
	} {
		_, err := e.CallJSON(t.Context(), as, c.service, c.operation, []byte(c.input))
		if failed, ok := err.(*awsapi.Error); !ok || failed.Type.Code != c.code {
			t.Errorf("%s.%s %s: %v", c.service, c.operation, c.input, err)
		}
	}
}

func isNotImplemented(err error) bool {
	failed, ok := err.(*awsapi.Error)
	return ok && failed.Type.Code == awsapi.NotImplemented.Code
}

// FuzzNamed reads anything as the input of operations with members of all kinds.
func FuzzNamed(f *testing.F) {
	ops := []*wire.Operation{wire.NewService(&dynamodb.Service).Lookup("PutItem"), wire.NewService(&lambda.Service).Lookup("CreateFunction"),
		wire.NewService(&logs.Service).Lookup("PutLogEvents"), wire.NewService(&events.Service).Lookup("PutEvents")}
	for _, s := range []string{`{"TableName": "t", "Item": {"a": {"S": "x"}, "b": {"L": [{"N": "1"}, {"BOOL": true}, {"B": "eA=="}]}}}`,
		`{"functionName": "f", "MemorySize": 128.0, "Code": {"ZipFile": "x"}, "Publish": false}`, `{"logEvents": [{"timestamp": 1e3, "message": null}]}`, `null`, `{"Entries": [{"Time": 1.5}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, op := range ops {
			if err := named.Decode([]byte(s), op, op.New()); err != nil {
				if _, ok := err.(*awsapi.Error); !ok {
					t.Fatal(err)
				}
			}
		}
	})
}
