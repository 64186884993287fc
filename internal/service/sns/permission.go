package sns

import (
	"context"
	"encoding/json"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sns"
	"cirro/internal/store"
)

// AddPermission adds a statement to a topic's policy.
// https://docs.aws.amazon.com/sns/latest/api/API_AddPermission.html
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionInput) (*api.AddPermissionOutput, error) {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	var who, may []string
	for _, account := range in.AWSAccountId {
		who = append(who, "arn:aws:iam::"+account+":root")
	}
	for _, action := range in.ActionName {
		if !slices.Contains(ownerActions, "SNS:"+action) && action != "Receive" && action != "*" {
			return nil, api.InvalidParameterException.New("Invalid parameter: Policy statement action out of service scope!")
		}
		may = append(may, "SNS:"+action)
	}
	label := awsapi.Val(in.Label)
	return nil, s.changePolicy(ctx, ref, func(p *policy) error {
		if slices.ContainsFunc(p.Statement, func(st statement) bool { return st.Sid == label }) {
			return api.InvalidParameterException.New("Invalid parameter: Statement already exists")
		}
		p.Statement = append(p.Statement, statement{Sid: label, Effect: "Allow",
			Principal: encodeJSON(map[string]json.RawMessage{"AWS": oneOrMany(who)}), Action: oneOrMany(may), Resource: encodeJSON(ref.arn())})
		return nil
	})
}

// RemovePermission takes a statement from a topic's policy.
// https://docs.aws.amazon.com/sns/latest/api/API_RemovePermission.html
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionInput) (*api.RemovePermissionOutput, error) {
	ref, err := parseTopic(ctx, "TopicArn", awsapi.Val(in.TopicArn))
	if err != nil {
		return nil, err
	}
	return nil, s.changePolicy(ctx, ref, func(p *policy) error {
		p.Statement = slices.DeleteFunc(p.Statement, func(st statement) bool { return st.Sid == awsapi.Val(in.Label) })
		return nil
	})
}

func (s *Service) changePolicy(ctx context.Context, ref topicRef, change func(*policy) error) error {
	return s.changeTopic(ctx, ref, func(_ store.Tx, t *topic) error {
		p, err := parsePolicy(t.policyText())
		if err != nil {
			p = &policy{Version: "2008-10-17"} // all of its statements were removed
		}
		if err := change(p); err != nil {
			return err
		}
		t.Attributes["Policy"] = p.text()
		return nil
	})
}

// oneOrMany is how policies are written: a list of one is that one.
func oneOrMany(list []string) json.RawMessage {
	if len(list) == 1 {
		return encodeJSON(list[0])
	}
	return encodeJSON(list)
}
