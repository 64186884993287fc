package sqs

import (
	"context"
	"encoding/json"
	"slices"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/sqs"
	"cirro/internal/store"
)

// maxActions is how many actions a statement made by AddPermission can name.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
const maxActions = 7

// sharable are the actions that AddPermission can grant.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_AddPermission.html
var sharable = []string{"*", "SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility", "GetQueueAttributes",
	"GetQueueUrl", "ListDeadLetterSourceQueues", "PurgeQueue"}

// policy is a queue's policy, as far as AddPermission knows it.
type policy struct {
	Version   string            `json:"Version,omitempty"`
	ID        string            `json:"Id,omitempty"`
	Statement []json.RawMessage `json:"Statement"`
}

// statement is what AddPermission adds. One value stands alone, several in a list.
type statement struct {
	Sid       string
	Effect    string
	Principal struct{ AWS any }
	Action    any
	Resource  string
}

// AddPermission adds a statement to a queue's policy.
func (s *Service) AddPermission(ctx context.Context, in *api.AddPermissionRequest) (*api.AddPermissionOutput, error) {
	if err := checkGrant(in); err != nil {
		return nil, err
	}
	return nil, s.changePolicy(ctx, *in.QueueUrl, func(q *queue, p *policy) error {
		if slices.ContainsFunc(p.Statement, labelled(*in.Label)) {
			return invalidValue(*in.Label, "Label", "Already exists.")
		}
		granted := statement{Sid: *in.Label, Effect: "Allow", Resource: q.arn()}
		var principals, actions []string
		for _, account := range in.AWSAccountIds {
			principals = append(principals, "arn:aws:iam::"+account+":root")
		}
		for _, action := range in.Actions {
			actions = append(actions, "SQS:"+action)
		}
		granted.Principal.AWS, granted.Action = alone(principals), alone(actions)
		b, err := json.Marshal(granted)
		p.Statement = append(p.Statement, b)
		return err
	})
}

// RemovePermission removes the statements of a label from a queue's policy.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_RemovePermission.html
func (s *Service) RemovePermission(ctx context.Context, in *api.RemovePermissionRequest) (*api.RemovePermissionOutput, error) {
	return nil, s.changePolicy(ctx, *in.QueueUrl, func(_ *queue, p *policy) error {
		left := slices.DeleteFunc(slices.Clone(p.Statement), labelled(*in.Label))
		if len(left) == len(p.Statement) {
			return invalidValue(*in.Label, "Label", "can't find label.")
		}
		p.Statement = left
		return nil
	})
}

func checkGrant(in *api.AddPermissionRequest) error {
	if len(*in.Label) > maxQueueName || !isName(*in.Label) {
		return invalidValue(*in.Label, "Label", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.")
	}
	if len(in.AWSAccountIds) == 0 {
		return missing("AWSAccountIds")
	}
	for _, account := range in.AWSAccountIds {
		if !awsapi.IsAccount(account) {
			return invalidValue("["+account+"]", "PrincipalId", "Unable to verify.")
		}
	}
	if len(in.Actions) == 0 {
		return missing("Actions")
	}
	if len(in.Actions) > maxActions {
		return api.OverLimit.New("%d Actions were found, maximum allowed is %d.", len(in.Actions), maxActions)
	}
	for _, action := range in.Actions {
		if !slices.Contains(sharable, action) {
			return invalidParameterValue.New("Value SQS:%s for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action.", action)
		}
	}
	return nil
}

// changePolicy changes a queue's policy; one without statements is none.
func (s *Service) changePolicy(ctx context.Context, url string, f func(*queue, *policy) error) error {
	const attribute = api.QueueAttributeNamePolicy
	at, err := queueAt(awsapi.RequestOf(ctx), url)
	if err != nil {
		return err
	}
	return s.Store.Update(ctx, func(tx store.Tx) error {
		return s.change(tx, at, func(q *queue, r *record) error {
			p := policy{Version: "2008-10-17", ID: q.arn() + "/SQSDefaultPolicy"}
			if text := r.Attributes[attribute]; text != "" {
				p = policy{}
				if err := json.Unmarshal([]byte(text), &p); err != nil {
					return invalidParameterValue.New("The queue's policy cannot be extended: %s", err)
				}
			}
			if err := f(q, &p); err != nil {
				return err
			}
			delete(r.Attributes, attribute)
			if len(p.Statement) == 0 {
				return nil
			}
			b, err := json.Marshal(p)
			r.Attributes[attribute] = string(b)
			return err
		})
	})
}

func labelled(label string) func(json.RawMessage) bool {
	return func(b json.RawMessage) bool {
		var s struct{ Sid string }
		return json.Unmarshal(b, &s) == nil && s.Sid == label
	}
}

// alone is a list's one value, or the list.
func alone(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}
