package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Document is a policy.
type Document struct {
	Version   string
	ID        string `json:"Id"`
	Statement statements
}

// Statement is one statement of a policy.
type Statement struct {
	Sid                     string
	Effect                  string
	Principal, NotPrincipal *principals
	Action, NotAction       texts
	Resource, NotResource   texts
	Condition               map[string]map[string]texts
	conditions              []condition
	actions, notActions     []wildcard
	resources, notResources []wildcard
}

// texts are one string or a list of them. Numbers and booleans, as conditions may have, are their text.
type texts []string

// UnmarshalJSON reads one value or a list.
func (t *texts) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	*t = make(texts, 0, len(list))
	for _, item := range list {
		switch item := item.(type) {
		case string:
			*t = append(*t, item)
		case bool, float64:
			*t = append(*t, fmt.Sprint(item))
		default:
			return errSyntax
		}
	}
	return nil
}

// statements are one statement or a list of them.
type statements []Statement

// UnmarshalJSON reads one statement or a list.
func (s *statements) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '[' {
		var list []Statement
		err := json.Unmarshal(b, &list)
		*s = list
		return err
	}
	var one Statement
	err := json.Unmarshal(b, &one)
	*s = statements{one}
	return err
}

// principals are "*", or identities by their kind.
type principals struct {
	All    bool
	ByKind map[string]texts
}

// UnmarshalJSON reads "*" or an object.
func (p *principals) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		p.All = text == "*"
		if !p.All {
			return errPrincipal
		}
		return nil
	}
	if err := json.Unmarshal(b, &p.ByKind); err != nil {
		return errPrincipal
	}
	for kind := range p.ByKind {
		if !slices.Contains([]string{"AWS", "Service", "Federated", "CanonicalUser"}, kind) {
			return errPrincipal
		}
	}
	p.All = slices.Contains(p.ByKind["AWS"], "*")
	return nil
}

// What S3 says of a policy that cannot be. https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	errSyntax    = refuse("Policies must be valid JSON and the first byte must be '{'")
	errPrincipal = refuse("Invalid principal in policy")
	errAction    = refuse("Policy has invalid action")
	errResource  = refuse("Policy has invalid resource")
)

// Parse reads a policy for a bucket; for "", one of another service's resource. Its errors are in the words of S3.
func Parse(text, bucket string) (*Document, error) {
	if !strings.HasPrefix(strings.TrimSpace(text), "{") {
		return nil, errSyntax
	}
	d := &Document{}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		for _, known := range []error{errPrincipal, errSyntax} {
			if errors.Is(err, known) {
				return nil, known
			}
		}
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) {
			return nil, refuse("Invalid policy syntax.")
		}
		return nil, errSyntax
	}
	switch {
	case d.Version != "" && d.Version != "2012-10-17" && d.Version != "2008-10-17":
		return nil, refuse("The policy must contain a valid version string")
	case len(d.Statement) == 0:
		return nil, refuse("Missing required field Statement")
	}
	for i := range d.Statement {
		if err := d.Statement[i].prepare(bucket); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// prepare checks a statement and compiles its patterns.
func (st *Statement) prepare(bucket string) error {
	switch {
	case st.Effect == "":
		return refuse("Missing required field Effect")
	case st.Effect != "Allow" && st.Effect != "Deny":
		return refuse("Invalid effect: %s", st.Effect)
	case st.Principal == nil && st.NotPrincipal == nil:
		return refuse("Missing required field Principal")
	case len(st.Action) == 0 && len(st.NotAction) == 0:
		return refuse("Missing required field Action")
	case len(st.Resource) == 0 && len(st.NotResource) == 0:
		return refuse("Missing required field Resource")
	}
	if bucket != "" {
		if err := st.checkS3(bucket); err != nil {
			return err
		}
	}
	for operator, keys := range st.Condition {
		for key, values := range keys {
			c, err := newCondition(operator, key, values)
			if err != nil {
				return err
			}
			st.conditions = append(st.conditions, c)
		}
	}
	st.actions, st.notActions = wildcards(st.Action, true), wildcards(st.NotAction, true)
	st.resources, st.notResources = wildcards(st.Resource, false), wildcards(st.NotResource, false)
	return nil
}

// checkS3 refuses actions and resources that are none of a bucket's.
func (st *Statement) checkS3(bucket string) error {
	for _, action := range append(slices.Clone(st.Action), st.NotAction...) {
		if action != "*" && !strings.HasPrefix(strings.ToLower(action), "s3:") {
			return errAction
		}
	}
	for _, resource := range append(slices.Clone(st.Resource), st.NotResource...) {
		if !belongs(resource, bucket) {
			return errResource
		}
	}
	return nil
}

// belongs reports whether a resource is the bucket or within it.
func belongs(resource, bucket string) bool {
	parts := strings.SplitN(resource, ":", 6)
	if resource == "*" {
		return true
	}
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "s3" {
		return false
	}
	name, _, _ := strings.Cut(parts[5], "/")
	return newWildcard(name, false).match(bucket)
}
