package s3

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	api "cirro/internal/awsapi/s3"
	snsapi "cirro/internal/awsapi/sns"
	sqsapi "cirro/internal/awsapi/sqs"
	"cirro/internal/service/s3/policy"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// PutBucketNotificationConfiguration replaces what a bucket notifies of, and whom.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketNotificationConfiguration.html
func (s *Service) PutBucketNotificationConfiguration(ctx context.Context, in *api.PutBucketNotificationConfigurationRequest) (*api.PutBucketNotificationConfigurationOutput, error) {
	config := in.NotificationConfiguration
	if config == nil {
		return nil, badXML()
	}
	completeNotification(config)
	rules := noticeRules(config)
	if err := checkNoticeRules(rules); err != nil {
		return nil, err
	}
	// Destinations are asked outside the transaction; that the bucket is there is looked at before.
	var b *bucket
	const action = "s3:PutBucketNotification"
	err := s.inspect(ctx, *in.Bucket, in.ExpectedBucketOwner, action, func(_ store.Reader, found *bucket) error {
		b = found
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !awsapi.Val(in.SkipDestinationValidation) {
		if err := s.checkDestinations(ctx, b, rules); err != nil {
			return nil, err
		}
	}
	err = s.change(ctx, *in.Bucket, in.ExpectedBucketOwner, action, func(tx store.Tx, b *bucket) error {
		if len(rules) == 0 && config.EventBridgeConfiguration == nil {
			_, err := s.deleteConfig(tx, b, kindNotification)
			return err
		}
		_, err := s.setConfig(tx, b, kindNotification, config)
		return err
	})
	return &api.PutBucketNotificationConfigurationOutput{}, err
}

// GetBucketNotificationConfiguration tells what a bucket notifies of.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketNotificationConfiguration.html
func (s *Service) GetBucketNotificationConfiguration(ctx context.Context, in *api.GetBucketNotificationConfigurationRequest) (*api.NotificationConfiguration, error) {
	config, err := kept[api.NotificationConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketNotification", kindNotification, nil)
	return &config, err
}

// completeNotification gives every configuration an id, and filters' names the form that S3 shows.
func completeNotification(c *api.NotificationConfiguration) {
	complete := func(id **string, f *api.NotificationConfigurationFilter) {
		if awsapi.Val(*id) == "" {
			var random [36]byte
			rand.Read(random[:])
			*id = new(base64.RawURLEncoding.EncodeToString(random[:]))
		}
		if f == nil || f.Key == nil {
			return
		}
		for i, rule := range f.Key.FilterRules {
			switch strings.ToLower(awsapi.Val(rule.Name)) {
			case "prefix":
				f.Key.FilterRules[i].Name = new("Prefix")
			case "suffix":
				f.Key.FilterRules[i].Name = new("Suffix")
			}
		}
	}
	for i := range c.LambdaFunctionConfigurations {
		complete(&c.LambdaFunctionConfigurations[i].Id, c.LambdaFunctionConfigurations[i].Filter)
	}
	for i := range c.QueueConfigurations {
		complete(&c.QueueConfigurations[i].Id, c.QueueConfigurations[i].Filter)
	}
	for i := range c.TopicConfigurations {
		complete(&c.TopicConfigurations[i].Id, c.TopicConfigurations[i].Filter)
	}
}

// noticeRule is one configuration, whatever its destination.
type noticeRule struct {
	ID, ARN, Service string
	Events           []string
	Filter           []api.FilterRule
	prefix, suffix   string
}

// noticeRules are the configurations in one form.
func noticeRules(c *api.NotificationConfiguration) []noticeRule {
	var out []noticeRule
	add := func(service string, id, arn *string, events []string, f *api.NotificationConfigurationFilter) {
		rule := noticeRule{ID: awsapi.Val(id), ARN: awsapi.Val(arn), Service: service, Events: events}
		if f != nil && f.Key != nil {
			rule.Filter = f.Key.FilterRules
		}
		for _, f := range rule.Filter {
			switch awsapi.Val(f.Name) {
			case "Prefix":
				rule.prefix = awsapi.Val(f.Value)
			case "Suffix":
				rule.suffix = awsapi.Val(f.Value)
			}
		}
		out = append(out, rule)
	}
	for _, l := range c.LambdaFunctionConfigurations {
		add("lambda", l.Id, l.LambdaFunctionArn, l.Events, l.Filter)
	}
	for _, q := range c.QueueConfigurations {
		add("sqs", q.Id, q.QueueArn, q.Events, q.Filter)
	}
	for _, t := range c.TopicConfigurations {
		add("sns", t.Id, t.TopicArn, t.Events, t.Filter)
	}
	return out
}

// argumentNames are how S3 names a destination that it cannot read, by its service.
var argumentNames = map[string]string{"lambda": "CloudFunction", "sqs": "Queue", "sns": "Topic"}

// checkNoticeRules refuses rules that cannot be, each or together.
func checkNoticeRules(rules []noticeRule) error {
	ids := map[string]bool{}
	for i := range rules {
		rule := &rules[i]
		arn := strings.SplitN(rule.ARN, ":", 6)
		if len(arn) != 6 || arn[0] != "arn" || arn[2] != rule.Service {
			return wrongArgument(argumentNames[rule.Service], rule.ARN, "The ARN could not be parsed")
		}
		if strings.HasSuffix(rule.ARN, ".fifo") {
			return invalidArgument.New("Unable to validate the following destination configurations").
				With("ArgumentName1", rule.ARN).With("ArgumentValue1", "Invalid destination: FIFO queues and topics are not supported")
		}
		if ids[rule.ID] {
			return invalidArgument.New("Same ID used for multiple configurations. IDs must be unique").With("ArgumentName", "Id").
				With("ArgumentValue", rule.ID)
		}
		ids[rule.ID] = true
		if err := checkNoticeFilter(rule); err != nil {
			return err
		}
	}
	for i := range rules {
		for j := range rules[:i] {
			if err := checkOverlap(&rules[j], &rules[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkNoticeFilter(rule *noticeRule) error {
	if len(rule.Events) == 0 {
		return badXML()
	}
	for _, event := range rule.Events {
		if !slices.Contains(noticeEvents, event) {
			return wrongArgument("Event", event, "The event '%s' is not supported for notifications", event)
		}
	}
	seen := map[string]bool{}
	for _, f := range rule.Filter {
		name := awsapi.Val(f.Name)
		switch {
		case name != "Prefix" && name != "Suffix":
			return wrongArgument("FilterRule.Name", name, "filter rule name must be either prefix or suffix")
		case seen[name]:
			return wrongArgument("FilterRule.Name", name, "Cannot specify more than one %s rule in a filter.", strings.ToLower(name))
		case len(awsapi.Val(f.Value)) > 1024:
			return wrongArgument("FilterRule.Value", *f.Value, "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation")
		}
		seen[name] = true
	}
	return nil
}

// checkOverlap refuses two rules that one event could follow.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-filtering.html
func checkOverlap(a, b *noticeRule) error {
	shared := slices.ContainsFunc(a.Events, func(x string) bool {
		return slices.ContainsFunc(b.Events, func(y string) bool { return covers(x, y) || covers(y, x) })
	})
	prefixes := strings.HasPrefix(a.prefix, b.prefix) || strings.HasPrefix(b.prefix, a.prefix)
	suffixes := strings.HasSuffix(a.suffix, b.suffix) || strings.HasSuffix(b.suffix, a.suffix)
	switch {
	case !shared || !prefixes || !suffixes:
		return nil
	case len(a.Filter) == 0 && len(b.Filter) == 0:
		return invalidArgument.New("Configurations overlap. Configurations on the same bucket cannot share a common event type.")
	}
	return invalidArgument.New("Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are " +
		"overlapping for the same event type.")
}

// covers reports whether the event type, which may end in a wildcard, is or includes the event.
func covers(kind, event string) bool {
	if kind == event {
		return true
	}
	group, wild := strings.CutSuffix(kind, "*")
	return wild && strings.HasPrefix(event, group)
}

// matches reports whether an event that happened to a key follows the rule.
func (rule *noticeRule) matches(event, key string) bool {
	return strings.HasPrefix(key, rule.prefix) && strings.HasSuffix(key, rule.suffix) &&
		slices.ContainsFunc(rule.Events, func(kind string) bool { return covers(strings.TrimPrefix(kind, "s3:"), event) })
}

// noticeEvents are the event types that a bucket can notify of.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-how-to-event-types-and-destinations.html
var noticeEvents = []string{
	"s3:ReducedRedundancyLostObject",
	"s3:ObjectCreated:*", "s3:ObjectCreated:Put", "s3:ObjectCreated:Post", "s3:ObjectCreated:Copy", "s3:ObjectCreated:CompleteMultipartUpload",
	"s3:ObjectRemoved:*", "s3:ObjectRemoved:Delete", "s3:ObjectRemoved:DeleteMarkerCreated",
	"s3:ObjectRestore:*", "s3:ObjectRestore:Post", "s3:ObjectRestore:Completed", "s3:ObjectRestore:Delete",
	"s3:Replication:*", "s3:Replication:OperationFailedReplication", "s3:Replication:OperationNotTracked",
	"s3:Replication:OperationMissedThreshold", "s3:Replication:OperationReplicatedAfterThreshold",
	"s3:LifecycleTransition", "s3:IntelligentTiering",
	"s3:LifecycleExpiration:*", "s3:LifecycleExpiration:Delete", "s3:LifecycleExpiration:DeleteMarkerCreated",
	"s3:ObjectAcl:Put", "s3:ObjectTagging:*", "s3:ObjectTagging:Put", "s3:ObjectTagging:Delete",
}

// checkDestinations sends each destination a test, and names those that do not take it.
func (s *Service) checkDestinations(ctx context.Context, b *bucket, rules []noticeRule) error {
	err := invalidArgument.New("Unable to validate the following destination configurations")
	refused := 0
	for i := range rules {
		name, reason, failed := s.checkDestination(ctx, b, &rules[i])
		if failed != nil {
			return failed
		}
		if reason != "" {
			refused++
			err.With(fmt.Sprint("ArgumentName", refused), name).With(fmt.Sprint("ArgumentValue", refused), reason)
		}
	}
	if refused > 0 {
		return err
	}
	return nil
}

// checkDestination returns why a destination cannot be one, "" where it can.
func (s *Service) checkDestination(ctx context.Context, b *bucket, rule *noticeRule) (name, reason string, err error) {
	arn := strings.SplitN(rule.ARN, ":", 6)
	ctx = s.calling(ctx, arn[3], request(ctx).TraceID)
	test := testEvent(s.Clock(), b.Name, request(ctx).ID)
	owner := awsapi.RootPrincipal(arn[4], "")
	call := func(p awsapi.Principal, operation string, in any) error {
		_, err := s.Caller.Call(ctx, p, rule.Service, operation, in)
		return err
	}
	switch rule.Service {
	case "lambda":
		if err := call(owner, "GetFunction", &lambdaapi.GetFunctionRequest{FunctionName: &rule.ARN}); err != nil {
			return destinationError(rule.ARN, "The destination Lambda does not exist", err)
		}
		if allowed, err := s.mayInvoke(ctx, owner, b, rule.ARN); err != nil || !allowed {
			return rule.ARN + ", null", fmt.Sprintf("Not authorized to invoke function [%s]", rule.ARN), err
		}
	case "sqs":
		if err := call(owner, "GetQueueUrl", &sqsapi.GetQueueUrlRequest{QueueName: &arn[5], QueueOwnerAWSAccountId: &arn[4]}); err != nil {
			return destinationError(rule.ARN, "The destination queue does not exist", err)
		}
		if err := call(principalOf(b), "SendMessage", &sqsapi.SendMessageRequest{QueueUrl: queueURL(rule.ARN), MessageBody: &test}); err != nil {
			return destinationError(rule.ARN, "Permissions on the destination queue do not allow S3 to publish notifications from this bucket", err)
		}
	case "sns":
		if err := call(owner, "GetTopicAttributes", &snsapi.GetTopicAttributesInput{TopicArn: &rule.ARN}); err != nil {
			return destinationError(rule.ARN, "The destination topic does not exist", err)
		}
		if err := call(principalOf(b), "Publish", &snsapi.PublishInput{TopicArn: &rule.ARN, Message: &test, Subject: new(noticeSubject)}); err != nil {
			return destinationError(rule.ARN, "Permissions on the destination topic do not allow S3 to publish notifications from this bucket", err)
		}
	}
	return "", "", nil
}

// mayInvoke reports whether a function's policy lets S3 invoke it on behalf of the bucket.
// https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html
func (s *Service) mayInvoke(ctx context.Context, owner awsapi.Principal, b *bucket, arn string) (bool, error) {
	out, err := s.Caller.Call(ctx, owner, "lambda", "GetPolicy", &lambdaapi.GetPolicyRequest{FunctionName: &arn})
	if errors.Is(err, lambdaapi.ResourceNotFoundException) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	document, err := policy.Parse(awsapi.Val(out.(*lambdaapi.GetPolicyResponse).Policy), "")
	if err != nil {
		return false, err
	}
	keys := map[string]string{"aws:sourcearn": b.arn(), "aws:sourceaccount": b.Account}
	ask := &policy.Request{Service: lifecycleService, Action: "lambda:InvokeFunction", Resource: arn,
		Key: func(name string) ([]string, bool) { value, ok := keys[name]; return []string{value}, ok }}
	return document.Evaluate(ask) == policy.Allowed, nil
}

// destinationError says why a destination cannot be one; an error that is none of the destination's is returned.
func destinationError(name, reason string, err error) (string, string, error) {
	var known *awsapi.Error
	if !errors.As(err, &known) || known.Type.Server {
		return "", "", err
	}
	return name, reason, nil
}

// calling is the context of a call of another service in a region.
func (s *Service) calling(ctx context.Context, region, trace string) context.Context {
	r := awsapi.Request{ID: uuid.NewString()}
	if outer := request(ctx); outer != nil {
		r = *outer
	}
	r.Region, r.TraceID, r.Time = region, trace, s.Clock()
	return awsapi.WithRequest(ctx, &r)
}

// principalOf is S3 itself, on behalf of a bucket.
func principalOf(b *bucket) awsapi.Principal {
	return awsapi.Principal{Account: b.Account, Service: "s3.amazonaws.com", SourceARN: b.arn()}
}

func queueURL(arn string) *string {
	parts := strings.SplitN(arn, ":", 6)
	return new(fmt.Sprintf("https://sqs.%s.amazonaws.com/%s/%s", parts[3], parts[4], parts[5]))
}

func compactJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("s3: encode: %v", err)) // strings and numbers
	}
	return string(b)
}
