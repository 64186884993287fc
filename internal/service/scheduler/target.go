package scheduler

import (
	"encoding/json"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/scheduler"
	"cirro/internal/target"
)

// Of retries, what a target has that says nothing of them.
// https://docs.aws.amazon.com/scheduler/latest/APIReference/API_RetryPolicy.html
const (
	defaultRetries = 185
	defaultAge     = 86_400 // seconds
)

// checkTarget refuses targets that could never be reached, and what they are asked to do in another way than
// their kind allows; and gives a target its defaults.
func (c *record) checkTarget() error {
	t := c.Target
	arn, ok := target.ParseARN(*t.Arn)
	if !ok {
		return invalid("Provided Arn is not in correct format.")
	}
	for name, is := range map[string]bool{"EcsParameters": t.EcsParameters != nil && arn.Service != "ecs",
		"EventBridgeParameters": t.EventBridgeParameters != nil && arn.Service != "events", "KinesisParameters": t.KinesisParameters != nil && arn.Service != "kinesis",
		"SageMakerPipelineParameters": t.SageMakerPipelineParameters != nil && arn.Service != "sagemaker", "SqsParameters": t.SqsParameters != nil && arn.Service != "sqs"} {
		if is {
			return invalid("Parameters %s not supported for the target", name)
		}
	}
	if err := target.Check(*t.Arn); err != nil {
		return err
	}
	service, operation, universal := arn.Universal()
	switch {
	case universal && t.Input == nil:
		return invalid("You must provide an input to set this target for your schedule")
	case universal && reads(operation):
		return invalid("The operation %s of %s is not supported for the target.", operation, service)
	case !universal && arn.Region != c.Ref.Region:
		return invalid("The target ARN provided does not match the current region %s", c.Ref.Region)
	case arn.Service == "events" && t.EventBridgeParameters == nil:
		return invalid("EventBridgeParameters must be specified for the target.")
	case arn.Service == "kinesis" && t.KinesisParameters == nil:
		return invalid("KinesisParameters must be specified for the target.")
	case arn.Service == "sqs" && strings.HasSuffix(arn.Resource, ".fifo") && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == nil):
		return invalid("SqsParameters must be specified for the target.")
	case t.Input != nil && (universal || arn.Service == "lambda" || arn.Service == "events" || arn.Service == "states") && !json.Valid([]byte(plain(*t.Input))):
		return invalid("JSON syntax error in input for the target")
	}
	if t.RetryPolicy == nil {
		t.RetryPolicy = &api.RetryPolicy{}
	}
	if t.RetryPolicy.MaximumRetryAttempts == nil {
		t.RetryPolicy.MaximumRetryAttempts = new(int32(defaultRetries))
	}
	if t.RetryPolicy.MaximumEventAgeInSeconds == nil {
		t.RetryPolicy.MaximumEventAgeInSeconds = new(int32(defaultAge))
	}
	return nil
}

// reads reports whether an operation only reads: a schedule may not call it.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html#unsupported-api-actions
func reads(operation string) bool {
	for _, prefix := range []string{"Get", "Describe", "List", "Poll", "Receive", "Search", "Scan", "Query", "Select", "Read", "Discover", "Validate",
		"BatchGet", "BatchDescribe", "BatchRead", "TransactGet", "AdminGet", "AdminList", "TestMigration", "RetrieveEnvironmentInfo", "View"} {
		if strings.HasPrefix(operation, prefix) {
			return true
		}
	}
	return false
}

// The attributes of an invocation that an input may name.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-schedule-context-attributes.html
const (
	scheduleARN   = "<aws.scheduler.schedule-arn>"
	scheduledTime = "<aws.scheduler.scheduled-time>"
	executionID   = "<aws.scheduler.execution-id>"
	attemptNumber = "<aws.scheduler.attempt-number>"
)

// plain is an input with something in the place of each attribute.
func plain(input string) string {
	return strings.NewReplacer(scheduleARN, "arn", scheduledTime, "time", executionID, "id", attemptNumber, "1").Replace(input)
}

// principal is the role that a schedule calls its target as.
func (i *invocation) principal() awsapi.Principal {
	role := *i.Target.RoleArn
	account := i.Ref.Account
	if r, ok := target.ParseARN(role); ok {
		account = r.Account
	}
	name := role[strings.LastIndexByte(role, '/')+1:]
	return awsapi.Principal{Account: account, ARN: "arn:aws:sts::" + account + ":assumed-role/" + name + "/" + i.Ref.Name, SourceARN: i.Ref.arn()}
}
