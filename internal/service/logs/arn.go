package logs

import (
	"context"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
)

// arn is the group's ARN as tags and new operations use it. Older ones end it in ":*".
func (k groupKey) arn() string {
	return "arn:aws:logs:" + k.region + ":" + k.account + ":log-group:" + k.name
}

// keyOf names a group of the request's account and region.
func keyOf(ctx context.Context, name *string) groupKey {
	r := awsapi.RequestOf(ctx)
	return groupKey{r.Account(), r.Region, awsapi.Val(name)}
}

// identify names the group that an operation takes by name or by identifier, which is a name or an
// ARN.
func identify(ctx context.Context, name, identifier *string) (groupKey, error) {
	switch {
	case name != nil && identifier != nil:
		return groupKey{}, logs.ValidationException.New("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
	case name == nil && identifier == nil:
		return groupKey{}, logs.ValidationException.New("Either LogGroup name or LogGroup ARN must be specified.")
	case name != nil:
		return keyOf(ctx, name), nil
	}
	return resolve(ctx, *identifier)
}

// resolve names the group of a name or an ARN. Groups of other accounts and regions are out of reach.
func resolve(ctx context.Context, identifier string) (groupKey, error) {
	if !strings.HasPrefix(identifier, "arn:") {
		return keyOf(ctx, &identifier), nil
	}
	k, ok := parseARN(identifier)
	if !ok {
		return k, invalid("The specified arn is not valid: %s", identifier)
	}
	r := awsapi.RequestOf(ctx)
	if k.account != r.Account() || k.region != r.Region {
		return k, errNoGroup
	}
	return k, nil
}

// parseARN reads a group's ARN, with or without ":*" at its end.
func parseARN(arn string) (k groupKey, ok bool) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || parts[0] != "arn" || parts[2] != "logs" || parts[5] != "log-group" {
		return k, false
	}
	name := strings.TrimSuffix(parts[6], ":*")
	if name == "" || strings.ContainsAny(name, ":*") {
		return k, false
	}
	return groupKey{parts[4], parts[3], name}, true
}
