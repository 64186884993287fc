package policy

import (
	"regexp"
	"slices"
	"strings"
)

// Decision is what a policy says of a request.
type Decision int

// The decisions. A denial counts more than what allows.
const (
	Silent Decision = iota
	Allowed
	Denied
)

// Request is what a policy decides on.
type Request struct {
	Account   string // of who asks; "" for nobody
	ARN       string
	UserID    string
	Service   string // where it is one
	Canonical string // canonical id of the account
	Action    string // s3:GetObject
	Resource  string // arn:aws:s3:::bucket/key
	// Key returns the values of a condition key, in lower case, and whether the request has any.
	Key func(name string) ([]string, bool)
}

// Evaluate decides.
func (d *Document) Evaluate(r *Request) Decision {
	decision := Silent
	for i := range d.Statement {
		st := &d.Statement[i]
		if !st.applies(r) {
			continue
		}
		if st.Effect == "Deny" {
			return Denied
		}
		decision = Allowed
	}
	return decision
}

func (st *Statement) applies(r *Request) bool {
	switch {
	case st.Principal != nil && !st.Principal.include(r),
		st.NotPrincipal != nil && st.NotPrincipal.include(r),
		len(st.actions) > 0 && !anyMatches(st.actions, r.Action),
		len(st.notActions) > 0 && anyMatches(st.notActions, r.Action),
		len(st.resources) > 0 && !st.matchesResource(st.resources, st.Resource, r),
		len(st.notResources) > 0 && st.matchesResource(st.notResources, st.NotResource, r):
		return false
	}
	for i := range st.conditions {
		c := st.conditions[i]
		c.values = expandAll(c.values, r)
		if !c.holds(r.Key(c.key)) {
			return false
		}
	}
	return true
}

func (st *Statement) matchesResource(patterns []wildcard, texts []string, r *Request) bool {
	for i, text := range texts {
		if strings.Contains(text, "${") {
			if newWildcard(expand(text, r), false).match(r.Resource) {
				return true
			}
		} else if patterns[i].match(r.Resource) {
			return true
		}
	}
	return false
}

var variable = regexp.MustCompile(`\$\{([^}]*)\}`)

// expand puts values in the place of variables: ${aws:username}, ${*}.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func expand(text string, r *Request) string {
	return variable.ReplaceAllStringFunc(text, func(v string) string {
		name, fallback, _ := strings.Cut(v[2:len(v)-1], ",")
		name = strings.TrimSpace(name)
		if name == "*" || name == "?" || name == "$" {
			return name
		}
		if values, ok := r.Key(strings.ToLower(name)); ok && len(values) > 0 {
			return values[0]
		}
		return strings.Trim(strings.TrimSpace(fallback), "'")
	})
}

func expandAll(texts []string, r *Request) []string {
	if !slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(s, "${") }) {
		return texts
	}
	out := make([]string, len(texts))
	for i, s := range texts {
		out[i] = expand(s, r)
	}
	return out
}

// include reports whether the principals include who asks.
func (p *principals) include(r *Request) bool {
	if p.All {
		return true
	}
	for _, who := range p.ByKind["AWS"] {
		if r.Account != "" && (who == r.Account || who == r.ARN || who == "arn:aws:iam::"+r.Account+":root" || sameRole(who, r.ARN)) {
			return true
		}
	}
	return r.Service != "" && slices.Contains(p.ByKind["Service"], r.Service) ||
		r.Canonical != "" && slices.Contains(p.ByKind["CanonicalUser"], r.Canonical)
}

// sameRole reports whether the session arn is one of the role.
func sameRole(role, session string) bool {
	r, s := strings.SplitN(role, ":", 6), strings.SplitN(session, ":", 6)
	if len(r) != 6 || len(s) != 6 || r[4] != s[4] {
		return false
	}
	name, ok1 := strings.CutPrefix(r[5], "role/")
	rest, ok2 := strings.CutPrefix(s[5], "assumed-role/")
	of, _, _ := strings.Cut(rest, "/")
	return ok1 && ok2 && name[strings.LastIndexByte(name, '/')+1:] == of
}

// narrowing are the keys that keep a statement for everybody from being public, where their values are fixed.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html
var narrowing = []string{"aws:sourceip", "aws:principalorgid", "aws:principalorgpaths", "aws:sourcearn", "aws:sourceaccount",
	"aws:sourceorgid", "aws:sourcevpc", "aws:sourcevpce", "aws:principalarn", "aws:principalaccount", "aws:userid", "aws:sourceowner",
	"s3:dataaccesspointarn", "s3:dataaccesspointaccount", "s3:x-amz-server-side-encryption-aws-kms-key-id"}

// Public reports whether the policy gives everybody something.
func (d *Document) Public() bool {
	for i := range d.Statement {
		if st := &d.Statement[i]; st.Effect == "Allow" && (st.NotPrincipal != nil || st.Principal.All) && !st.narrowed() {
			return true
		}
	}
	return false
}

func (st *Statement) narrowed() bool {
	for _, c := range st.conditions {
		if c.negated || c.null || c.ifExists || c.each == "ForAllValues" || !slices.Contains(narrowing, c.key) {
			continue
		}
		if !slices.ContainsFunc(c.values, func(v string) bool { return wide(c.key, v) }) {
			return true
		}
	}
	return false
}

// wide reports whether a value leaves a key open.
func wide(key, value string) bool {
	if strings.Contains(value, "${") || strings.Trim(value, "*?") == "" {
		return true
	}
	if key == "aws:sourceip" {
		_, bits, _ := strings.Cut(value, "/")
		return bits == "0"
	}
	if strings.HasPrefix(value, "arn:") {
		parts := strings.SplitN(value, ":", 6)
		return len(parts) == 6 && strings.ContainsAny(parts[4], "*?")
	}
	return false
}
