package iam

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"cirro/internal/awsapi/iam"
)

// policyType is where a policy stands; it decides what a statement must and must not have.
type policyType int

const (
	identityPolicy policyType = iota // no principal, resources
	trustPolicy                      // principals, no resources
)

// checkDocument refuses a document that IAM would refuse, with its message.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func checkDocument(document string, t policyType) error {
	d := json.NewDecoder(strings.NewReader(document))
	var policy map[string]json.RawMessage
	if d.Decode(&policy) != nil || d.More() {
		if t == trustPolicy {
			return malformed("This policy contains invalid Json")
		}
		return malformed("Syntax errors in policy.")
	}
	if v, ok := policy["Version"]; ok && string(v) != `"2012-10-17"` && string(v) != `"2008-10-17"` {
		return malformed("The policy must contain a valid version string")
	}
	statements, ok := list(policy["Statement"])
	if !ok || len(statements) == 0 {
		return malformed("Syntax errors in policy.")
	}
	for _, raw := range statements {
		var statement map[string]json.RawMessage
		if json.Unmarshal(raw, &statement) != nil {
			return malformed("Syntax errors in policy.")
		}
		if err := checkStatement(statement, t); err != nil {
			return err
		}
	}
	return nil
}

func checkStatement(s map[string]json.RawMessage, t policyType) error {
	has := func(names ...string) bool {
		for _, n := range names {
			if len(s[n]) > 0 {
				return true
			}
		}
		return false
	}
	for name := range s {
		if !strings.Contains("|Sid|Effect|Principal|NotPrincipal|Action|NotAction|Resource|NotResource|Condition|", "|"+name+"|") {
			return malformed("Syntax errors in policy.")
		}
	}
	switch effect := string(s["Effect"]); {
	case effect == "":
		return malformed("Missing required field Effect")
	case effect != `"Allow"` && effect != `"Deny"`:
		return malformed("Invalid effect: " + strings.Trim(effect, `"`))
	case !has("Action", "NotAction"):
		return malformed("Policy statement must contain actions.")
	case t == trustPolicy && has("Resource", "NotResource"):
		return malformed("Has prohibited field Resource")
	case t == trustPolicy && !has("Principal", "NotPrincipal"):
		return malformed("Missing required field Principal")
	case t == identityPolicy && has("Principal", "NotPrincipal"):
		return malformed("Policy document should not specify a principal.")
	case t == identityPolicy && !has("Resource", "NotResource"):
		return malformed("Policy statement must contain resources.")
	}
	return nil
}

// list is a JSON array's elements, or the one value that stands for an array of one.
func list(raw json.RawMessage) ([]json.RawMessage, bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, false
	}
	if raw[0] != '[' {
		return []json.RawMessage{raw}, true
	}
	var elements []json.RawMessage
	return elements, json.Unmarshal(raw, &elements) == nil
}

func malformed(message string) error {
	return iam.MalformedPolicyDocumentException.New("%s", message)
}

// escape percent-encodes a document by RFC 3986, as IAM answers it.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html
func escape(document string) string {
	return strings.ReplaceAll(url.QueryEscape(document), "+", "%20")
}
