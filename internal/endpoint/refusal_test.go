package endpoint_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http/httptest"
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
	"cirro/internal/awsapi/sns"
	"cirro/internal/awsapi/sqs"
	"cirro/internal/awsapi/sts"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/wire"
)

// tables are all generated services, with an implementation that has nothing.
var tables = []struct {
	table *awsapi.Service
	impl  any
}{
	{&apigateway.Service, apigateway.Unimplemented{}},
	{&events.Service, events.Unimplemented{}},
	{&iam.Service, iam.Unimplemented{}},
	{&lambda.Service, lambda.Unimplemented{}},
	{&logs.Service, logs.Unimplemented{}},
	{&sns.Service, sns.Unimplemented{}},
	{&sqs.Service, sqs.Unimplemented{}},
	{&sts.Service, sts.Unimplemented{}},
}

func everything() *endpoint.Endpoint {
	e := endpoint.New(endpoint.Options{})
	for _, s := range tables {
		e.Register(s.table, s.impl)
	}
	return e
}

// violation is one way to break one constraint of an operation's input.
type violation struct {
	name string
	in   any
	want string // the clause in the message
}

// TestEveryConstraintRefuses breaks every constraint of every operation's direct members, one at a time,
// through HTTP in the service's own protocol, and reads the refusal as a client would.
func TestEveryConstraintRefuses(t *testing.T) {
	e := everything()
	total, free := 0, 0
	for _, s := range tables {
		service := wire.NewService(s.table)
		for i := range s.table.Operations {
			op := service.Lookup(s.table.Operations[i].Name)
			violations := violationsOf(op)
			if len(violations) == 0 {
				free++
				continue
			}
			total += len(violations)
			for _, v := range violations {
				t.Run(s.table.Name+"/"+op.Name+"/"+v.name, func(t *testing.T) { refuse(t, e, op, v) })
			}
		}
	}
	t.Logf("%d constraints broken; %d operations constrain nothing", total, free)
}

func refuse(t *testing.T, e *endpoint.Endpoint, op *wire.Operation, v violation) {
	r := encodeRequest(t, "http://localhost", op, v.in, "1")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	code, message := readError(t, op.Service.Protocol, w)
	wantCode := "ValidationException"
	switch {
	case op.Service.Name == "logs":
		wantCode = "InvalidParameterException"
	case op.Service.Protocol == awsapi.Query:
		wantCode = "ValidationError"
	}
	if w.Code != 400 || code != wantCode {
		t.Errorf("%d %s: %s", w.Code, code, message)
	}
	if !strings.Contains(message+"; ", v.want+"; ") {
		t.Errorf("%s\nlacks %s", message, v.want)
	}
	count, _, _ := strings.Cut(message, " ")
	if n, _ := strconv.Atoi(count); n != strings.Count(message, "failed to satisfy constraint: ") {
		t.Errorf("the count is wrong: %s", message)
	}
}

func readError(t *testing.T, p awsapi.Protocol, w *httptest.ResponseRecorder) (code, message string) {
	t.Helper()
	if p == awsapi.Query || p == awsapi.RestXML {
		var doc struct {
			Error struct{ Code, Message string }
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &doc); err != nil {
			t.Fatalf("%v: %s", err, w.Body)
		}
		return doc.Error.Code, doc.Error.Message
	}
	var doc struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if doc.Type == "" {
		doc.Type = w.Header().Get("x-amzn-ErrorType")
	}
	return doc.Type, doc.Message
}

func violationsOf(op *wire.Operation) []violation {
	var out []violation
	plan := op.InputPlan()
	if op.Service.Name == "sqs" {
		return nil // it has words of its own: TestSQSTellsOfWhatIsMissing
	}
	for i := range plan.Fields {
		f := &plan.Fields[i]
		if f.Plan.Kind == awsapi.Blob && f.Plan.Streaming {
			continue
		}
		if op.Service.Name == "lambda" && f.Name == "Runtime" {
			continue // Lambda itself checks a function's runtime, in words of its own
		}
		at := "'" + strings.ToLower(f.Name[:1]) + f.Name[1:] + "' failed to satisfy constraint: "
		if op.Service.Name == "apigateway" {
			at = "'" + strings.ToLower(op.Name[:1]) + op.Name[1:] + "Input." + at[1:]
		}
		if f.Required && f.Location != awsapi.URI {
			out = append(out, violation{f.Name + "/null", op.New(), "Value null at " + at + "Member must not be null"})
		}
		out = append(out, broken(op, f, at)...)
	}
	return out
}

// broken makes values that break the constraints of a scalar member.
func broken(op *wire.Operation, f *wire.Field, at string) []violation {
	var out []violation
	add := func(name string, set func(reflect.Value), value, want string) {
		in := op.New()
		set(f.Set(reflect.ValueOf(in).Elem()))
		shown := " '" + value + "'"
		if f.Plan.Sensitive {
			shown = ""
		}
		out = append(out, violation{f.Name + "/" + name, in, "Value" + shown + " at " + at + want})
	}
	text := func(name, value, want string) {
		add(name, func(v reflect.Value) { v.SetString(value) }, value, want)
	}
	s := f.Plan.Shape
	switch f.Plan.Kind {
	case awsapi.String:
		if len(s.Enum) > 0 {
			text("enum", "no-such-value", "Member must satisfy enum value set: ["+strings.Join(s.Enum, ", ")+"]")
		}
		if s.Range != nil && s.Range.HasMax && s.Range.Max < 1<<16 {
			text("long", strings.Repeat("a", int(s.Range.Max)+1), fmt.Sprintf("Member must have length less than or equal to %.0f", s.Range.Max))
		}
		if s.Range != nil && s.Range.HasMin && s.Range.Min > 1 {
			text("short", "a", fmt.Sprintf("Member must have length greater than or equal to %.0f", s.Range.Min))
		}
		if value, ok := mismatch(s.Pattern); ok && f.Location != awsapi.Header {
			text("pattern", value, "Member must satisfy regular expression pattern: "+s.Pattern)
		}
	case awsapi.Integer, awsapi.Long:
		if s.Range != nil && s.Range.HasMax && s.Range.Max < 1<<31-1 {
			n := int64(s.Range.Max) + 1
			add("great", func(v reflect.Value) { v.SetInt(n) }, fmt.Sprint(n), fmt.Sprintf("Member must have value less than or equal to %d", n-1))
		}
		if s.Range != nil && s.Range.HasMin && s.Range.Min > -1<<31 {
			n := int64(s.Range.Min) - 1
			add("small", func(v reflect.Value) { v.SetInt(n) }, fmt.Sprint(n), fmt.Sprintf("Member must have value greater than or equal to %d", n+1))
		}
	}
	return out
}

// mismatch is a value that a pattern refuses: the snowman or a space is in nobody's name.
func mismatch(pattern string) (string, bool) {
	switch {
	case pattern == "", strings.Contains(pattern, ".*"), strings.Contains(pattern, ".+"), strings.Contains(pattern, `[^`),
		strings.Contains(pattern, `\S`):
		return "", false
	case strings.Contains(pattern, `\uFFFD`): // takes all that XML can carry
		return "", false
	}
	return "\u2603 \u2603", true
}

func TestSQSTellsOfWhatIsMissing(t *testing.T) {
	e := everything()
	for _, c := range []struct {
		operation string
		in        any
		want      string
	}{
		{"SendMessage", &sqs.SendMessageRequest{}, "QueueUrl"},
		{"SendMessage", &sqs.SendMessageRequest{QueueUrl: new("q")}, "MessageBody"},
		{"SendMessageBatch", &sqs.SendMessageBatchRequest{QueueUrl: new("q"), Entries: []sqs.SendMessageBatchRequestEntry{{Id: new("1")}}}, "Entries.1.MessageBody"},
	} {
		w := httptest.NewRecorder()
		e.ServeHTTP(w, encodeRequest(t, "http://localhost", wire.NewService(&sqs.Service).Lookup(c.operation), c.in, "1"))
		code, message := readError(t, awsapi.JSON, w)
		if want := "The request must contain the parameter " + c.want + "."; code != "MissingRequiredParameterException" || message != want ||
			w.Header().Get("x-amzn-query-error") != "MissingParameter;Sender" {
			t.Errorf("%s: %s, not %s", code, message, want)
		}
	}
	w := httptest.NewRecorder()
	in := &sqs.ReceiveMessageRequest{QueueUrl: new("q"), AttributeNames: []string{"SenderId"}}
	e.ServeHTTP(w, encodeRequest(t, "http://localhost", wire.NewService(&sqs.Service).Lookup("ReceiveMessage"), in, "1"))
	if w.Code != 501 {
		t.Errorf("a name that the model lacks is refused: %s", w.Body)
	}
}
