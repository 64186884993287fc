package target

import (
	"strings"

	"cirro/internal/awsapi"
)

// ARN is an Amazon Resource Name in its parts: arn:aws:sqs:us-east-1:000000000000:queue.
type ARN struct{ Service, Region, Account, Resource string }

// ParseARN takes an ARN apart; false where it is none.
func ParseARN(s string) (ARN, bool) {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || !strings.HasPrefix(parts[1], "aws") || parts[2] == "" || parts[5] == "" {
		return ARN{}, false
	}
	return ARN{Service: parts[2], Region: parts[3], Account: parts[4], Resource: parts[5]}, true
}

// Universal is the operation that a universal target names: arn:aws:scheduler:::aws-sdk:sqs:sendMessage.
// https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html
func (a ARN) Universal() (service, operation string, ok bool) {
	rest, ok := strings.CutPrefix(a.Resource, "aws-sdk:")
	if !ok || a.Service != "scheduler" {
		return "", "", false
	}
	service, operation, ok = strings.Cut(rest, ":")
	if !ok || service == "" || operation == "" || strings.Contains(operation, ":") {
		return "", "", false
	}
	return service, strings.ToUpper(operation[:1]) + operation[1:], true
}

// Check reports whether there is a way to send to a target: the error names what is missing.
func Check(arn string) error {
	a, ok := ParseARN(arn)
	if !ok {
		return awsapi.ValidationException.New("Provided Arn is not in correct format.")
	}
	if _, _, ok := a.Universal(); ok {
		return nil
	}
	if way(a) == nil {
		kind, _, _ := strings.Cut(a.Resource, "/")
		kind, _, _ = strings.Cut(kind, ":")
		return awsapi.NotImplemented.New("Cirro does not implement targets of the kind %s:%s", a.Service, kind)
	}
	return nil
}
