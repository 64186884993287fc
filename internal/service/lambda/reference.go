package lambda

import (
	"context"
	"regexp"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// reference names a function as a request does.
type reference struct {
	scope
	Name      string
	Qualifier string // "$LATEST", a number, an alias, or "" for none
}

// ARN is that of the function, with the qualifier if there is one.
func (r reference) ARN() string { return r.arn("function", r.Name, r.Qualifier) }

// A function is named by its name, by account and name, or by its ARN, each with or without a
// qualifier. https://docs.aws.amazon.com/lambda/latest/api/API_GetFunction.html
var functionName = regexp.MustCompile(`^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}(?:-gov|-iso[a-z]?)?-[a-z]+-\d):)?` +
	`(?:(\d{12}):)?(?:function:)?([a-zA-Z0-9_-]+)(?::(\$LATEST|[a-zA-Z0-9_-]+))?$`)

// refer reads the name of a function, whose parts that are not given come from in.
func refer(in scope, name, qualifier string) (reference, error) {
	m := functionName.FindStringSubmatch(name)
	if m == nil {
		return reference{}, api.InvalidParameterValueException.New("Invalid function name: %s", name).With("Type", "User")
	}
	ref := reference{scope: in, Name: m[3], Qualifier: m[4]}
	if m[1] != "" && m[1] != in.Region {
		return reference{}, api.ResourceNotFoundException.New(
			"Functions from '%s' are not reachable in this region ('%s')", m[1], in.Region).With("Type", "User")
	}
	if m[2] != "" {
		ref.Account = m[2]
	}
	if len(ref.Name) > 64 {
		return reference{}, invalid("Invalid function name: %s", name)
	}
	if qualifier != "" && ref.Qualifier != "" && qualifier != ref.Qualifier {
		return reference{}, invalid("The derived qualifier from the function name does not match the specified qualifier.")
	}
	if qualifier != "" {
		ref.Qualifier = qualifier
	}
	return ref, nil
}

// scopeOf is where the request in ctx acts.
func scopeOf(ctx context.Context) scope {
	r := awsapi.RequestOf(ctx)
	return scope{r.Account(), r.Region}
}

// invalid is the error that answers most bad input.
func invalid(format string, args ...any) error {
	return api.InvalidParameterValueException.New(format, args...).With("Type", "User")
}

func notFound(format string, args ...any) error {
	return api.ResourceNotFoundException.New(format, args...).With("Type", "User")
}

func conflict(format string, args ...any) error {
	return api.ResourceConflictException.New(format, args...).With("Type", "User")
}
