package lambda

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

const destinationPattern = `^$|arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:([a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)`

var destinationARN = regexp.MustCompile(`^(?:arn:aws[a-zA-Z0-9-]*:([a-zA-Z0-9-]+):([a-z]{2}(?:-[a-z]+)+-\d)?:(\d{12})?:.+)?$`)

// PutFunctionEventInvokeConfig says what happens to a function's asynchronous invocations, in place of
// what was said before.
// https://docs.aws.amazon.com/lambda/latest/api/API_PutFunctionEventInvokeConfig.html
func (s *Service) PutFunctionEventInvokeConfig(ctx context.Context, in *api.PutFunctionEventInvokeConfigRequest) (
	*api.FunctionEventInvokeConfig, error,
) {
	return s.changeEventInvoke(ctx, (*api.UpdateFunctionEventInvokeConfigRequest)(in), true)
}

// UpdateFunctionEventInvokeConfig changes what happens to a function's asynchronous invocations.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionEventInvokeConfig.html
func (s *Service) UpdateFunctionEventInvokeConfig(ctx context.Context, in *api.UpdateFunctionEventInvokeConfigRequest) (
	*api.FunctionEventInvokeConfig, error,
) {
	return s.changeEventInvoke(ctx, in, false)
}

func (s *Service) changeEventInvoke(ctx context.Context, in *api.UpdateFunctionEventInvokeConfigRequest, anew bool) (
	out *api.FunctionEventInvokeConfig, err error,
) {
	if in.MaximumEventAgeInSeconds == nil && in.MaximumRetryAttempts == nil && in.DestinationConfig == nil {
		return nil, invalid("You must specify at least one of error handling or destination setting.")
	}
	ref, err := ownEvents(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		key := eventInvokeKey(ref.scope, ref.Name, ref.Qualifier)
		c, found, err := store.GetRecord[eventInvoke](tx, key)
		switch {
		case err != nil:
			return err
		case anew:
			if err := qualified(tx, ref); err != nil {
				return err
			}
			c = eventInvoke{scope: ref.scope, Function: ref.Name, Qualifier: ref.Qualifier}
		case !found:
			return noEventInvoke(ref)
		}
		if err := c.change(tx, ref, in); err != nil {
			return err
		}
		c.Modified = s.Clock()
		out = c.shown()
		return store.SetRecord(tx, key, c)
	})
	return out, err
}

func (c *eventInvoke) change(r store.Reader, ref reference, in *api.UpdateFunctionEventInvokeConfigRequest) error {
	if in.MaximumRetryAttempts != nil {
		c.MaxRetries = new(int(*in.MaximumRetryAttempts))
	}
	if in.MaximumEventAgeInSeconds != nil {
		c.MaxAge = new(int(*in.MaximumEventAgeInSeconds))
	}
	if d := in.DestinationConfig; d != nil {
		if err := checkDestinations(r, ref, d); err != nil {
			return err
		}
		if d.OnSuccess != nil {
			c.OnSuccess = awsapi.Val(d.OnSuccess.Destination)
		}
		if d.OnFailure != nil {
			c.OnFailure = awsapi.Val(d.OnFailure.Destination)
		}
	}
	return nil
}

// ownEvents reads whose asynchronous invocations a request means; without a qualifier, $LATEST's.
func ownEvents(ctx context.Context, name string, qualifier *string) (reference, error) {
	ref, err := own(ctx, name, awsapi.Val(qualifier))
	if ref.Qualifier == "" {
		ref.Qualifier = latest
	}
	return ref, err
}

// qualified refuses a version or an alias that is not there.
func qualified(r store.Reader, ref reference) error {
	key := versionKey(ref.scope, ref.Name, ref.Qualifier)
	if versionNumber(ref.Qualifier) < 0 {
		key = aliasKey(ref.scope, ref.Name, ref.Qualifier)
	}
	_, found, err := store.GetRecord[struct{}](r, key)
	if err == nil && !found {
		err = notFound("The function doesn't exist.")
	}
	return err
}

func noEventInvoke(ref reference) error {
	return notFound("The function %s doesn't have an EventInvokeConfig", ref.ARN())
}

// checkDestinations checks where records of invocations go: a queue, a topic, a bus, a function, or,
// for failures, a bucket.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
func checkDestinations(r store.Reader, ref reference, d *api.DestinationConfig) error {
	var success, failure string
	if d.OnSuccess != nil {
		success = awsapi.Val(d.OnSuccess.Destination)
	}
	if d.OnFailure != nil {
		failure = awsapi.Val(d.OnFailure.Destination)
	}
	for _, arn := range []string{success, failure} {
		m := destinationARN.FindStringSubmatch(arn)
		if m == nil {
			return awsapi.ValidationException.New("1 validation error detected: Value '%s' at "+
				"'destinationConfig.onFailure.destination' failed to satisfy constraint: Member must satisfy regular "+
				"expression pattern: %s", arn, destinationPattern)
		}
		switch service := m[1]; {
		case arn == "" || service == "sqs" || service == "sns" || service == "events":
		case service == "s3" && arn == failure && arn != success:
		case service == "lambda":
			if err := checkFunctionDestination(r, ref, arn); err != nil {
				return err
			}
		default:
			return invalid("The provided destination config DestinationConfig(onSuccess=%s, onFailure=%s) is invalid.",
				destinationText("OnSuccess", d.OnSuccess != nil, success), destinationText("OnFailure", d.OnFailure != nil, failure))
		}
	}
	return nil
}

func destinationText(kind string, given bool, arn string) string {
	if !given {
		return "null"
	}
	return fmt.Sprintf("%s(destination=%s)", kind, arn)
}

func checkFunctionDestination(r store.Reader, ref reference, arn string) error {
	to, err := refer(ref.scope, arn, "")
	if err != nil || !strings.Contains(arn, ":function:") {
		return invalid("The destination ARN %s is invalid.", arn)
	}
	if to.scope == ref.scope && to.Name == ref.Name {
		return invalid("You can't specify the function as a destination for itself.")
	}
	_, found, err := store.GetRecord[function](r, functionKey(to.scope, to.Name))
	if err == nil && !found {
		err = invalid("The destination ARN %s is invalid.", arn)
	}
	return err
}

func (c *eventInvoke) shown() *api.FunctionEventInvokeConfig {
	out := &api.FunctionEventInvokeConfig{
		LastModified:      &c.Modified,
		FunctionArn:       new(c.arn("function", c.Function, c.Qualifier)),
		DestinationConfig: &api.DestinationConfig{OnSuccess: &api.OnSuccess{Destination: text(c.OnSuccess)}, OnFailure: &api.OnFailure{Destination: text(c.OnFailure)}},
	}
	if c.MaxRetries != nil {
		out.MaximumRetryAttempts = new(int32(*c.MaxRetries))
	}
	if c.MaxAge != nil {
		out.MaximumEventAgeInSeconds = new(int32(*c.MaxAge))
	}
	return out
}

// GetFunctionEventInvokeConfig returns what happens to a function's asynchronous invocations.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionEventInvokeConfig.html
func (s *Service) GetFunctionEventInvokeConfig(ctx context.Context, in *api.GetFunctionEventInvokeConfigRequest) (
	out *api.FunctionEventInvokeConfig, err error,
) {
	ref, err := ownEvents(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		c, found, err := store.GetRecord[eventInvoke](r, eventInvokeKey(ref.scope, ref.Name, ref.Qualifier))
		if err != nil {
			return err
		}
		if !found {
			return noEventInvoke(ref)
		}
		out = c.shown()
		return nil
	})
	return out, err
}

// DeleteFunctionEventInvokeConfig brings the defaults back.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionEventInvokeConfig.html
func (s *Service) DeleteFunctionEventInvokeConfig(ctx context.Context, in *api.DeleteFunctionEventInvokeConfigRequest) (
	*api.DeleteFunctionEventInvokeConfigOutput, error,
) {
	ref, err := ownEvents(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		key := eventInvokeKey(ref.scope, ref.Name, ref.Qualifier)
		_, found, err := store.GetRecord[eventInvoke](tx, key)
		if err != nil {
			return err
		}
		if !found {
			return noEventInvoke(ref)
		}
		return tx.Delete(key)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteFunctionEventInvokeConfigOutput{}, nil
}

// ListFunctionEventInvokeConfigs lists what is said for a function, its versions and aliases.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionEventInvokeConfigs.html
func (s *Service) ListFunctionEventInvokeConfigs(ctx context.Context, in *api.ListFunctionEventInvokeConfigsRequest) (
	*api.ListFunctionEventInvokeConfigsResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListFunctionEventInvokeConfigsResponse{FunctionEventInvokeConfigs: []api.FunctionEventInvokeConfig{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		if _, found, err := store.GetRecord[function](r, functionKey(ref.scope, ref.Name)); err != nil || !found {
			return orNotFound(err, "The function doesn't exist.")
		}
		over := store.Prefix("lambda", "event-invoke", ref.Account, ref.Region, ref.Name)
		configs, next, err := page[eventInvoke](r, over, in.Marker, in.MaxItems, nil)
		for i := range configs {
			out.FunctionEventInvokeConfigs = append(out.FunctionEventInvokeConfigs, *configs[i].shown())
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
