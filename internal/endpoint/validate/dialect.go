package validate

import (
	"net/http"
	"slices"
	"strings"

	"cirro/internal/awsapi"
)

// dialect is how one service words what it refuses, where it differs from the others.
type dialect struct {
	err *awsapi.ErrorType
	// operationPath puts the operation before a member's path: 'putIntegrationInput.type'.
	operationPath bool
	// notNull ends the constraints of a list's or a map's elements with one more.
	notNull bool
	// leaves are members of inputs that the service checks itself, in words of its own.
	leaves map[string]bool
	// enums are enumerations, by shape, that the service lists in another order than its model.
	enums map[string][]string
	// order are members of inputs of which the service tells first, in this order.
	order []string
	// terse are members, with their operation, whose bounds are told of by the name that the API gives them, and
	// without the value.
	terse map[string]bool
	// alone are members, with their operation, that are told of alone.
	alone map[string]alone
	// presence is set where the service itself checks all values that there are, in words of its own.
	presence bool
	// documents is set where nothing is told of a document but that it is wrong.
	documents bool
}

// alone is how a member is told of that is told of alone. If it isn't because it is missing, no other may be missing.
type alone struct {
	what string // the beginning of what else would be told
	text string
}

var standard = dialect{err: awsapi.ValidationException}

// dialects are those that real answers show.
var dialects = map[string]dialect{
	"apigateway": {err: awsapi.ValidationException, operationPath: true},
	"lambda":     {err: awsapi.ValidationException, notNull: true, leaves: map[string]bool{"Runtime": true}},
	"dynamodb":   dynamoDB,
	"s3":         s3,
	"sqs":        sqs,
	// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
	"logs": {err: &awsapi.ErrorType{Code: "InvalidParameterException", Status: http.StatusBadRequest}},
}

// sort orders the failures as the dialect does: those of members that it names, then the others.
func (c *checker) sort() {
	if len(c.order) == 0 {
		return
	}
	place := func(f failure) int {
		if i := slices.Index(c.order, f.member); i >= 0 {
			return i
		}
		return len(c.order)
	}
	slices.SortStableFunc(c.failures, func(a, b failure) int { return place(a) - place(b) })
}

// lone is what is told instead of all failures, if one of them is told of alone.
func (c *checker) lone() (string, bool) {
	missing := slices.ContainsFunc(c.failures, func(f failure) bool { return f.null })
	for _, f := range c.failures {
		a, ok := c.alone[c.op.Name+"."+f.member]
		if ok && strings.HasPrefix(f.text, a.what) && f.null == missing {
			return a.text, true
		}
	}
	return "", false
}

// failTersely is fail for what the dialect is terse about.
func (c *checker) failTersely(p *path, constraint string) {
	asIs := func(name string) string { return name }
	c.failures = append(c.failures, failure{member: p.member(),
		text: "Value at '" + p.text(asIs) + "' failed to satisfy constraint: " + constraint})
}
