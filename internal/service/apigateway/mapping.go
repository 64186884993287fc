package apigateway

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"cirro/internal/service/apigateway/proxy"
)

// This file evaluates what API Gateway has for mapping besides its template language: expressions, which
// stand for one value, and templates in which variables are replaced.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-parameter-mapping.html

// scope is what expressions and variables are looked up in.
type scope struct {
	request   *proxy.Request
	path      map[string]string // variables of the resource's path
	context   *proxy.Context
	variables map[string]string // of the stage
	failure   *failure          // that a gateway response is made of; nil for none
}

var errBadExpression = errors.New("apigateway: not a mapping expression")

// checkExpression checks an expression of a response parameter.
func checkExpression(e string) error {
	switch {
	case len(e) >= 2 && e[0] == '\'' && e[len(e)-1] == '\'':
		return nil
	case strings.HasPrefix(e, "context."), strings.HasPrefix(e, "stageVariables."),
		strings.HasPrefix(e, "integration.response.header."):
		return nil
	case strings.HasPrefix(e, "integration.response."):
		return unimplemented("the mapping expression " + e)
	}
	return errBadExpression
}

// value evaluates an expression. ok is false where it stands for nothing, as a header that was not sent.
func (s *scope) value(e string) (value string, ok bool) {
	if len(e) >= 2 && e[0] == '\'' && e[len(e)-1] == '\'' {
		return e[1 : len(e)-1], true
	}
	kind, name, _ := strings.Cut(e, ".")
	switch kind {
	case "context":
		return s.contextValue(name)
	case "stageVariables":
		value, ok = s.variables[name]
		return value, ok
	case "method":
		return s.requestValue(strings.TrimPrefix(name, "request."))
	}
	return "", false
}

func (s *scope) requestValue(e string) (string, bool) {
	kind, name, _ := strings.Cut(e, ".")
	switch kind {
	case "header", "multivalueheader":
		v := s.request.Header(name)
		return v, v != ""
	case "path":
		v, ok := s.path[name]
		return v, ok
	case "querystring", "multivaluequerystring":
		for i := len(s.request.Query) - 1; i >= 0; i-- {
			if q := s.request.Query[i]; q.Name == name {
				return q.Value, true
			}
		}
	}
	return "", false
}

// contextValue is a $context variable: a member of the event's requestContext, or of the error.
func (s *scope) contextValue(name string) (string, bool) {
	if e, ok := strings.CutPrefix(name, "error."); ok {
		return s.failure.variable(e)
	}
	b, err := json.Marshal(s.context)
	if err != nil {
		return "", false
	}
	for part := range strings.SplitSeq(name, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(b, &members) != nil || members[part] == nil {
			return "", false
		}
		b = members[part]
	}
	var text string
	switch {
	case string(b) == "null":
		return "", false
	case json.Unmarshal(b, &text) == nil:
		return text, true
	}
	return string(b), true
}

var templateVariable = regexp.MustCompile(`\$(context|stageVariables)((?:\.[a-zA-Z0-9_-]+)+)|\$\{(context|stageVariables)((?:\.[a-zA-Z0-9_-]+)+)\}`)

// fill replaces the variables of a gateway response's template; one that stands for nothing becomes "".
// Gateway responses have no more of the template language than this.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
func (s *scope) fill(template string) string {
	return templateVariable.ReplaceAllStringFunc(template, func(v string) string {
		value, _ := s.value(strings.Trim(v, "${}"))
		return value
	})
}

var velocity = regexp.MustCompile(`\$[!{a-zA-Z]|#[#*{@a-z]`)

// constant reports whether a mapping template has nothing of the template language in it.
func constant(template string) bool { return !velocity.MatchString(template) }
