package eventbridge

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
)

// policy is the policy of a bus: who else may put events on it.
type policy struct {
	Version   string
	Statement []statement
}

// statement is one statement, as it was given.
type statement struct {
	Sid       string          `json:",omitempty"`
	Effect    string          `json:",omitempty"`
	Principal json.RawMessage `json:",omitempty"`
	Action    json.RawMessage `json:",omitempty"`
	Resource  json.RawMessage `json:",omitempty"`
	Condition json.RawMessage `json:",omitempty"`
}

// text is the policy as it is shown; nil where there is none.
func (p *policy) text() *string {
	if p == nil || len(p.Statement) == 0 {
		return nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return nil
	}
	return new(string(b))
}

// admits reports whether another account may put events on the bus. Conditions are not evaluated: a statement
// with one admits nobody.
func (p *policy) admits(account string) bool {
	if p == nil {
		return false
	}
	admitted := false
	for _, st := range p.Statement {
		if !mentions(st.Action, "events:PutEvents", "events:*", "*") ||
			!mentions(st.Principal, "*", account, "arn:aws:iam::"+account+":root") {
			continue
		}
		if st.Effect == "Deny" {
			return false
		}
		admitted = admitted || len(st.Condition) == 0
	}
	return admitted
}

// mentions reports whether one of the texts is in a member of a statement, at whatever depth.
func mentions(raw json.RawMessage, texts ...string) bool {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return false
	}
	return holds(v, texts)
}

func holds(v any, texts []string) bool {
	switch v := v.(type) {
	case string:
		return slices.Contains(texts, v)
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return holds(e, texts) })
	case map[string]any:
		for _, e := range v {
			if holds(e, texts) {
				return true
			}
		}
	}
	return false
}

// PutPermission lets others put events on a bus, by a statement or by a whole policy.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html
func (s *Service) PutPermission(ctx context.Context, in *api.PutPermissionRequest) (*api.PutPermissionOutput, error) {
	ref := ownBus(ctx, in.EventBusName)
	if in.Policy != nil {
		var p policy
		if err := json.Unmarshal([]byte(*in.Policy), &p); err != nil || p.Statement == nil {
			return nil, invalid("This policy contains invalid Json")
		}
		return nil, s.changeBus(ctx, ref, func(b *bus) error {
			b.Policy = &p
			return nil
		})
	}
	if in.Action == nil || in.Principal == nil || in.StatementId == nil {
		return nil, invalid("Parameters Principal, Action and StatementId must be specified, or Policy.")
	}
	st := statement{Sid: *in.StatementId, Effect: "Allow", Principal: raw("*"), Action: raw(*in.Action), Resource: raw(ref.arn())}
	if *in.Principal != "*" {
		st.Principal = raw(map[string]string{"AWS": "arn:aws:iam::" + *in.Principal + ":root"})
	}
	if c := in.Condition; c != nil {
		st.Condition = raw(map[string]map[string]string{awsapi.Val(c.Type): {awsapi.Val(c.Key): awsapi.Val(c.Value)}})
	}
	return nil, s.changeBus(ctx, ref, func(b *bus) error {
		if b.Policy == nil {
			b.Policy = &policy{Version: "2012-10-17"}
		}
		b.Policy.Statement = append(slices.DeleteFunc(b.Policy.Statement, func(o statement) bool { return o.Sid == st.Sid }), st)
		if text := b.Policy.text(); text != nil && len(*text) > maxPolicy {
			return api.PolicyLengthExceededException.New("The policy exceeds the maximum length of %d bytes.", maxPolicy)
		}
		return nil
	})
}

// maxPolicy is how long a bus's policy may be, in bytes.
const maxPolicy = 10 << 10

// raw is a value as JSON.
func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return b
}

// RemovePermission takes a statement from a bus's policy, or all.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemovePermission.html
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionRequest) (*api.RemovePermissionOutput, error) {
	return nil, s.changeBus(ctx, ownBus(ctx, in.EventBusName), func(b *bus) error {
		if awsapi.Val(in.RemoveAllPermissions) {
			b.Policy = nil
			return nil
		}
		if in.StatementId == nil {
			return invalid("Parameter StatementId is required.")
		}
		if b.Policy == nil || strings.TrimSpace(*in.StatementId) == "" {
			return errNoStatement
		}
		left := slices.DeleteFunc(slices.Clone(b.Policy.Statement), func(st statement) bool { return st.Sid == *in.StatementId })
		if len(left) == len(b.Policy.Statement) {
			return errNoStatement
		}
		b.Policy.Statement = left
		return nil
	})
}

var errNoStatement = api.ResourceNotFoundException.New("Statement with the provided id does not exist.")
