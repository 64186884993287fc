package logs

import (
	"context"
	"strings"
	"time"

	"cirro/internal/awsapi"
	lambdaapi "cirro/internal/awsapi/lambda"
	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// maxSubscriptions is how many subscription filters a group can have.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
const maxSubscriptions = 2

var errNotExecutable = logs.InvalidParameterException.New("Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.")

// PutSubscriptionFilter lets a function receive the group's events that match a pattern. Other kinds
// of destinations are refused as not implemented.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutSubscriptionFilter.html
func (s *Service) PutSubscriptionFilter(ctx context.Context, in *logs.PutSubscriptionFilterRequest) (*logs.PutSubscriptionFilterOutput, error) {
	if _, err := s.patterns.compile(*in.FilterPattern); err != nil {
		return nil, err
	}
	k := keyOf(ctx, in.LogGroupName)
	if err := checkDestination(ctx, in); err != nil {
		return nil, err
	}
	err := s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err == nil && g.Class != logs.LogGroupClassStandard {
			err = invalid("Subscription filters are not supported for log groups of the class %s.", g.Class)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.checkFunction(ctx, k, *in.DestinationArn); err != nil {
		return nil, err
	}
	f := subscription{Name: *in.FilterName, Pattern: *in.FilterPattern, Destination: *in.DestinationArn, Distribution: awsapi.Val(in.Distribution)}
	if f.Distribution == "" {
		f.Distribution = logs.DistributionByLogStream
	}
	err = s.change(ctx, k, 0, func(c *change) error { return c.putSubscription(f) })
	return &logs.PutSubscriptionFilterOutput{}, err
}

// checkDestination checks that the destination is a function of the caller's own account and region.
func checkDestination(ctx context.Context, in *logs.PutSubscriptionFilterRequest) error {
	r := awsapi.RequestOf(ctx)
	parts := strings.Split(*in.DestinationArn, ":")
	if len(parts) < 6 || parts[0] != "arn" {
		return invalid("The specified destination arn is not valid: %s", *in.DestinationArn)
	}
	switch vendor := parts[2]; vendor {
	case "lambda":
		switch {
		case in.RoleArn != nil:
			return invalid("destinationArn for vendor lambda cannot be used with roleArn")
		case parts[4] != r.Account():
			return logs.AccessDeniedException.New("Cross-account lambda invocation passing is not allowed. You must use DestinationPolicies to create cross account lambda triggers.")
		case parts[3] != r.Region:
			return invalid("The destination must be in the same region as the log group.")
		case len(parts) < 7 || parts[5] != "function":
			return invalid("The specified destination arn is not valid: %s", *in.DestinationArn)
		}
		return nil
	case "kinesis", "firehose":
		if in.RoleArn == nil {
			return invalid("destinationArn for vendor %s cannot be used without roleArn", vendor)
		}
		return awsapi.NotImplemented.New("Cirro does not implement logs.PutSubscriptionFilter for destinations of %s", vendor)
	case "logs":
		return awsapi.NotImplemented.New("Cirro does not implement logs.PutSubscriptionFilter for logical destinations")
	default:
		return invalid("destinationArn for vendor %s is not supported", vendor)
	}
}

// checkFunction makes sure that the function is there and may be invoked, without running it.
func (s *Service) checkFunction(ctx context.Context, k groupKey, arn string) error {
	ctx, p := s.onBehalf(ctx, k)
	_, err := s.caller.Call(ctx, p, "lambda", "Invoke", &lambdaapi.InvocationRequest{
		FunctionName: &arn, InvocationType: new(lambdaapi.InvocationTypeDryRun),
	})
	if isAPIError(err) {
		return errNotExecutable
	}
	return err
}

// putSubscription writes a filter, which may replace one of the same name.
func (c *change) putSubscription(f subscription) error {
	if c.group == nil {
		return errNoGroup
	}
	k := key(kindSubscription, c.group.ID, f.Name)
	old, found, err := store.GetRecord[subscription](c.tx, k)
	if err != nil {
		return err
	}
	f.Created = old.Created
	if !found {
		if c.group.Subscriptions >= maxSubscriptions {
			return errLimit
		}
		f.Created = c.now
		c.group.Subscriptions++
		c.groupDirty = true
	}
	c.loaded = false
	return store.SetRecord(c.tx, k, f)
}

// DeleteSubscriptionFilter removes a filter. What it matched before is still delivered.
func (s *Service) DeleteSubscriptionFilter(ctx context.Context, in *logs.DeleteSubscriptionFilterRequest) (*logs.DeleteSubscriptionFilterOutput, error) {
	err := s.change(ctx, keyOf(ctx, in.LogGroupName), 0, func(c *change) error {
		if c.group == nil {
			return errNoGroup
		}
		k := key(kindSubscription, c.group.ID, *in.FilterName)
		found, err := has(c.tx, k)
		if err != nil {
			return err
		}
		if !found {
			return logs.ResourceNotFoundException.New("The specified subscription filter does not exist.")
		}
		c.group.Subscriptions--
		c.groupDirty = true
		c.loaded = false
		return c.tx.Delete(k)
	})
	return &logs.DeleteSubscriptionFilterOutput{}, err
}

// DescribeSubscriptionFilters lists a group's filters by name.
func (s *Service) DescribeSubscriptionFilters(ctx context.Context, in *logs.DescribeSubscriptionFiltersRequest) (*logs.DescribeSubscriptionFiltersResponse, error) {
	k := keyOf(ctx, in.LogGroupName)
	out := &logs.DescribeSubscriptionFiltersResponse{SubscriptionFilters: []logs.SubscriptionFilter{}}
	err := s.store.View(ctx, func(r store.Reader) error {
		g, err := getGroup(r, k)
		if err != nil {
			return err
		}
		over := keysBeginning(awsapi.Val(in.FilterNamePrefix), kindSubscription, g.ID)
		filters, next, err := page[subscription](r, kindSubscription, over, in.NextToken, limit(in.Limit), nil)
		for i := range filters {
			f := &filters[i]
			out.SubscriptionFilters = append(out.SubscriptionFilters, logs.SubscriptionFilter{
				FilterName: &f.Name, LogGroupName: &k.name, FilterPattern: &f.Pattern,
				DestinationArn: &f.Destination, Distribution: &f.Distribution, CreationTime: &f.Created,
			})
		}
		out.NextToken = next
		return err
	})
	return out, err
}

// onBehalf is a context and a principal for calls that the service makes for a group.
func (s *Service) onBehalf(ctx context.Context, k groupKey) (context.Context, awsapi.Principal) {
	p := awsapi.Principal{Account: k.account, Service: "logs.amazonaws.com", SourceARN: k.arn() + ":*"}
	return awsapi.WithRequest(ctx, &awsapi.Request{ID: newRequestID(), Region: k.region, Principal: p, Time: time.Now()}), p
}
