package states

import (
	"context"
	"fmt"
	"strings"

	"cirro/internal/asl"
	"cirro/internal/asl/document"
	"cirro/internal/awsapi"
	"cirro/internal/service/states/engine"

	"github.com/google/uuid"
)

// integration is what a task's resource names, of those that Step Functions has made easier to use than the
// services' own APIs.
// https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
type integration struct {
	service, operation string   // as Caller knows them
	errors             string   // what the names of its errors begin with
	client             string   // what its errors call the service
	parameters         []string // that it takes; any other is left out, as AWS does; nil for all of the operation
	shape              func(*call) error
	perform            func(*call) engine.Reply                   // instead of calling the operation
	answer             func(*call, *document.Object) engine.Reply // other than the output with what the client adds
	waits              []string                                   // what of "sync", "sync:2" and "waitForTaskToken" it can wait for
}

// integrations are all of them, by service and action.
var integrations = map[string]integration{
	"apigateway:invoke":   {perform: (*call).callGateway, waits: []string{token}},
	"http:invoke":         {perform: (*call).callHTTP},
	"dynamodb:deleteItem": {service: "dynamodb", operation: "DeleteItem", errors: "DynamoDB", client: "AmazonDynamoDBv2"},
	"dynamodb:getItem":    {service: "dynamodb", operation: "GetItem", errors: "DynamoDB", client: "AmazonDynamoDBv2"},
	"dynamodb:putItem":    {service: "dynamodb", operation: "PutItem", errors: "DynamoDB", client: "AmazonDynamoDBv2"},
	"dynamodb:updateItem": {service: "dynamodb", operation: "UpdateItem", errors: "DynamoDB", client: "AmazonDynamoDBv2"},
	"events:putEvents": {service: "events", operation: "PutEvents", errors: "EventBridge", client: "AmazonEventBridge", shape: shapeEvents,
		parameters: []string{"Entries"}, answer: (*call).putEvents, waits: []string{token}},
	"lambda:invoke": {service: "lambda", operation: "Invoke", errors: "Lambda", client: "AWSLambda", shape: shapeFunction,
		parameters: []string{"ClientContext", "FunctionName", "InvocationType", "Qualifier", "Payload"}, answer: (*call).invoked, waits: []string{token}},
	"sns:publish": {service: "sns", operation: "Publish", errors: "SNS", client: "AmazonSNS", shape: textOf("Message"),
		parameters: []string{"Message", "MessageAttributes", "MessageStructure", "PhoneNumber", "Subject", "TargetArn", "TopicArn", "MessageGroupId", "MessageDeduplicationId"}, waits: []string{token}},
	"sqs:sendMessage": {service: "sqs", operation: "SendMessage", errors: "SQS", client: "AmazonSQS", shape: textOf("MessageBody"),
		parameters: []string{"DelaySeconds", "MessageAttributes", "MessageBody", "MessageDeduplicationId", "MessageGroupId", "QueueUrl"}, waits: []string{token}},
	"states:startExecution": {service: "states", operation: "StartExecution", errors: "StepFunctions", client: "AWSStepFunctions", shape: shapeExecution,
		parameters: []string{"StateMachineArn", "Input", "Name", "TraceHeader"},
		waits:      []string{token, "sync", "sync:2"}},
}

const token = "waitForTaskToken"

// notImplemented begins what is said of an integration that is not there.
const notImplemented = "Cirro does not implement the integration "

// perform performs a task.
func (s *Service) perform(ctx context.Context, t *engine.Task) engine.Reply {
	r, err := engine.ParseResource(t.Resource)
	if err != nil {
		return failed(asl.Runtime, err.Error())
	}
	if t.Case != "" {
		return s.mock(t, r)
	}
	c, err := s.newCall(ctx, t, r)
	if err != nil {
		return failed(asl.Runtime, err.Error())
	}
	if r.Kind == engine.Function {
		return c.invoke()
	}
	if service, ok := strings.CutPrefix(r.Service, "aws-sdk:"); ok {
		return c.sdk(service)
	}
	i, ok := integrations[r.Service+":"+r.Action]
	if !ok {
		return failed(asl.Runtime, fmt.Sprintf(notImplemented+"%s:%s", r.Service, r.Action))
	}
	if r.Service == "states" && strings.HasPrefix(r.Wait, "sync") {
		return c.startAndWait()
	}
	if i.perform != nil {
		return i.perform(c)
	}
	return c.optimised(&i)
}

// checkResource says what is wrong with a task's resource, "" for nothing: what is not there is refused when the
// machine is made, not when it runs.
func (s *Service) checkResource(arn string, express bool) string {
	r, err := engine.ParseResource(arn)
	if err != nil {
		return "Value is not a valid resource ARN"
	}
	if express && r.Kind == engine.Activity {
		return "Express state machine does not support activities"
	}
	if r.Kind != engine.Integration {
		return ""
	}
	if express && r.Wait != "" {
		return fmt.Sprintf("Express state machine does not support '.%s' service integration ", r.Wait)
	}
	if service, ok := strings.CutPrefix(r.Service, "aws-sdk:"); ok {
		if r.Wait != "" && r.Wait != token {
			return "The resource provided " + arn + " is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
		}
		if caller, ok := s.Caller.(interface {
			Has(service, operation string) bool
		}); ok && !caller.Has(service, operationName(r.Action)) {
			return fmt.Sprintf(notImplemented+"%s:%s", r.Service, r.Action)
		}
		return ""
	}
	i, ok := integrations[r.Service+":"+r.Action]
	if !ok {
		return fmt.Sprintf(notImplemented+"%s:%s", r.Service, r.Action)
	}
	if r.Wait == "" {
		return ""
	}
	for _, wait := range i.waits {
		if wait == r.Wait {
			return ""
		}
	}
	return "The resource provided " + arn + " is not recognized. The value is not a valid resource ARN, or the resource is not available in this region."
}

func failed(name, cause string) engine.Reply {
	return engine.Reply{Failure: &asl.Failure{Error: name, Cause: cause}}
}

// onBehalf is the context and the principal of what a task calls: the role of its machine, or the one that it
// assumes.
func (s *Service) onBehalf(ctx context.Context, t *engine.Task) (context.Context, awsapi.Principal) {
	role := t.Role
	if t.Assume != "" {
		role = t.Assume
	}
	account := t.Account
	if parts := strings.Split(role, ":"); len(parts) > 4 && parts[4] != "" {
		account = parts[4]
	}
	name := role[strings.LastIndexByte(role, '/')+1:]
	p := awsapi.Principal{Account: account, ARN: fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, name, "cirro"), SourceARN: t.Machine}
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: uuid.NewString(), Region: t.Region, Principal: p, Time: s.Clock(), TraceID: t.Trace}), p
}
