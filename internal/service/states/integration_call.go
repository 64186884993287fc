package states

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	"cirro/internal/service/states/engine"
)

// call is one call that a task makes.
type call struct {
	service    *Service
	ctx        context.Context
	principal  awsapi.Principal
	task       *engine.Task
	resource   engine.Resource
	parameters any
}

func (s *Service) newCall(ctx context.Context, t *engine.Task, r engine.Resource) (*call, error) {
	c := &call{service: s, task: t, resource: r}
	if r.Kind != engine.Function { // which gets its parameters as they are
		var err error
		if c.parameters, err = document.Decode([]byte(t.Parameters)); err != nil {
			return nil, err
		}
	}
	c.ctx, c.principal = s.onBehalf(ctx, t)
	if r.Service == "states" || r.Service == "aws-sdk:sfn" {
		c.ctx = context.WithValue(c.ctx, beginnerKey{}, s.engine.Token(t))
	}
	return c, nil
}

// object are the parameters as an object of the call's own.
func (c *call) object() *document.Object {
	if o, ok := c.parameters.(*document.Object); ok {
		return o.Clone()
	}
	return document.NewObject()
}

// do calls an operation and returns its answer as a document.
func (c *call) do(service, operation string, in any) (*document.Object, error) {
	caller, ok := c.service.Caller.(awsapi.JSONTeller)
	if !ok {
		return nil, awsapi.Unimplemented(service, operation)
	}
	out, err := caller.CallJSON(c.ctx, c.principal, service, operation, document.Encode(in))
	if err != nil {
		return nil, err
	}
	b, err := caller.JSON(service, operation, out)
	if err != nil {
		return nil, err
	}
	v, err := document.Decode(b)
	if err != nil {
		return nil, err
	}
	return v.(*document.Object), nil
}

// answer is what a task's answer is: its result, or, where the task waits for a token, what was submitted.
func (c *call) answer(v any) engine.Reply {
	text := string(document.Encode(v))
	if c.resource.Wait == token {
		return engine.Reply{Submitted: text}
	}
	return engine.Reply{Output: text, Done: true}
}

// optimised calls an optimised integration.
func (c *call) optimised(i *integration) engine.Reply {
	o := c.object()
	if i.parameters != nil {
		for _, name := range slices.Clone(o.Keys()) {
			if !slices.Contains(i.parameters, name) {
				o.RemoveValueForKey(name)
			}
		}
	}
	c.parameters = o
	if i.shape != nil {
		if err := i.shape(c); err != nil {
			return failed(asl.Runtime, err.Error())
		}
	}
	out, err := c.do(i.service, i.operation, c.parameters)
	if err != nil {
		return c.refused(i.service, err, i.errors, "Amazon"+i.errors+"Exception",
			fmt.Sprintf("(Service: %s; Status Code: %%d; Error Code: %%s; Request ID: %%s; Proxy: null)", i.client))
	}
	if i.answer != nil {
		return i.answer(c, out)
	}
	return c.answer(c.withMetadata(out))
}

// header is one of an answer's heads.
type header struct{ name, value string }

// withMetadata adds what the service's client adds to an answer: the heads that were recorded of each service.
// https://github.com/localstack/localstack/tree/main/tests/aws/services/stepfunctions/v2/services
func (c *call) withMetadata(out *document.Object) *document.Object {
	id, body := awsapi.RequestOf(c.ctx).ID, document.Encode(out)
	requestID := header{"x-amzn-RequestId", id}
	length := header{"Content-Length", strconv.Itoa(len(body))}
	date := header{"Date", c.service.Clock().UTC().Format(http.TimeFormat)}
	json := header{"Content-Type", "application/x-amz-json-1.0"}
	var headers []header
	switch c.resource.Service {
	case "lambda":
		headers = []header{{"X-Amz-Executed-Version", text(out, "ExecutedVersion")}, {"x-amzn-Remapped-Content-Length", "0"}, {"Connection", "keep-alive"},
			requestID, {"Content-Length", strconv.Itoa(len(document.Encode(member(out, "Payload"))))}, date, {"X-Amzn-Trace-Id", c.task.Trace}, {"Content-Type", "application/json"}}
	case "dynamodb":
		headers = []header{{"Server", "Server"}, {"Connection", "keep-alive"}, requestID, {"x-amz-crc32", fmt.Sprint(crc32.ChecksumIEEE(body))}, length, date, json}
	case "sns":
		headers = []header{requestID, length, date, {"Content-Type", "text/xml"}}
	default:
		headers = []header{requestID, {"connection", "keep-alive"}, length, date, json}
	}
	all, single := document.NewObject(), document.NewObject()
	for _, h := range headers {
		all.Set(h.name, []any{h.value})
	}
	slices.SortFunc(headers, func(a, b header) int { return strings.Compare(strings.ToLower(a.name), strings.ToLower(b.name)) })
	for _, h := range headers {
		single.Set(h.name, h.value)
	}
	out.Set("SdkHttpMetadata", document.NewObject("AllHttpHeaders", all, "HttpHeaders", single, "HttpStatusCode", int64(http.StatusOK)))
	out.Set("SdkResponseMetadata", document.NewObject("RequestId", id))
	return out
}

// sdk calls any operation of any service, by the names that the SDK for Java has.
// https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
func (c *call) sdk(service string) engine.Reply {
	out, err := c.do(service, operationName(c.resource.Action), c.object())
	if err != nil {
		name := clientName(service)
		suffix := fmt.Sprintf("(Service: %s, Status Code: %%d, Request ID: %%s)", name)
		if service == "s3" {
			suffix = strings.TrimSuffix(suffix, ")") + ", Extended Request ID: " + extendedID(awsapi.RequestOf(c.ctx).ID) + ")"
		}
		return c.refused(service, err, name, name+"Exception", suffix)
	}
	return c.answer(out)
}

// extendedID is the second id that S3 gives each request.
func extendedID(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// operationName is the operation of an action: "getItem" is GetItem.
func operationName(action string) string {
	first, size := utf8.DecodeRuneInString(action)
	return string(unicode.ToUpper(first)) + action[size:]
}

// clientNames are how the SDK for Java calls services where that is not the service's name with a capital.
var clientNames = map[string]string{"dynamodb": "DynamoDb", "eventbridge": "EventBridge", "apigateway": "ApiGateway", "cloudwatchlogs": "CloudWatchLogs",
	"applicationautoscaling": "ApplicationAutoScaling", "secretsmanager": "SecretsManager", "dynamodbstreams": "DynamoDbStreams"}

func clientName(service string) string {
	if name, ok := clientNames[service]; ok {
		return name
	}
	return operationName(service)
}

// refused is the failure of a call that a service refused: an error that its model has goes by its name,
// any other by that of the client's own. What is to blame on the platform is tried again.
func (c *call) refused(service string, err error, prefix, other, suffix string) engine.Reply {
	var e *awsapi.Error
	if !errors.As(err, &e) {
		if c.ctx.Err() != nil {
			return engine.Reply{Again: true}
		}
		return failed(prefix+".SdkClientException", err.Error())
	}
	code := e.Type.Code
	name := code
	if !strings.HasSuffix(name, "Exception") {
		name += "Exception"
	}
	if models, ok := c.service.Caller.(interface {
		Declares(service, code string) bool
	}); ok && !models.Declares(service, code) {
		name = other
	}
	args := []any{e.Type.Status}
	if strings.Count(suffix, "%s") == 2 {
		if e.Type.QueryCode != "" {
			code = e.Type.QueryCode
		}
		args = append(args, code)
	}
	args = append(args, awsapi.RequestOf(c.ctx).ID)
	return failed(prefix+"."+name, e.Message+" "+fmt.Sprintf(suffix, args...))
}

// textOf has a parameter that is no text be its JSON.
func textOf(name string) func(*call) error {
	return func(c *call) error {
		o := c.parameters.(*document.Object)
		if v, ok := o.Get(name); ok && v != nil {
			if _, isText := v.(string); !isText {
				o.Set(name, string(document.Encode(v)))
			}
		}
		return nil
	}
}

// shapeEvents has the details of events be their JSON, and says which execution they come from, in the order that
// was recorded of the service:
// https://github.com/localstack/localstack/blob/main/tests/aws/services/stepfunctions/v2/services/test_events_task_service.snapshot.json
func shapeEvents(c *call) error {
	o := c.parameters.(*document.Object)
	v, _ := o.Get("Entries")
	entries, ok := v.([]any)
	if !ok {
		return nil
	}
	shaped := make([]any, len(entries))
	for i, entry := range entries {
		e, ok := entry.(*document.Object)
		if !ok {
			shaped[i] = entry
			continue
		}
		e = e.Clone()
		if detail, ok := e.Get("Detail"); ok {
			if _, isText := detail.(string); !isText {
				e.Set("Detail", string(document.Encode(detail)))
			}
		}
		resources, _ := e.Get("Resources")
		list, _ := resources.([]any)
		e.Set("Resources", append(slices.Clone(list), c.task.Machine, c.task.Execution))
		shaped[i] = e
	}
	o.Set("Entries", shaped)
	return nil
}

// putEvents is the answer of events:putEvents: it fails where one of the events was refused.
func (c *call) putEvents(out *document.Object) engine.Reply {
	if n, _ := document.Whole(member(out, "FailedEntryCount")); n > 0 {
		return failed("EventBridge.FailedEntry", string(document.Encode(out)))
	}
	return c.answer(out)
}
