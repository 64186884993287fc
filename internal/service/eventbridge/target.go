package eventbridge

import (
	"context"
	"encoding/json"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"
	"cirro/internal/target"
)

// maxTargets is how many targets a rule has at most.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
const maxTargets = 5

// PutTargets gives targets to a rule; one with an id that is there already is replaced.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
func (s *Service) PutTargets(ctx context.Context, in *api.PutTargetsRequest) (*api.PutTargetsResponse, error) {
	for i := range in.Targets {
		if err := checkTarget(&in.Targets[i]); err != nil {
			return nil, err
		}
	}
	err := s.changeRule(ctx, ownBus(ctx, in.EventBusName), *in.Rule, func(_ store.Tx, u *rule) error {
		for _, t := range in.Targets {
			replaced := false
			for i := range u.Targets {
				if *u.Targets[i].Id == *t.Id {
					u.Targets[i], replaced = t, true
				}
			}
			if !replaced {
				u.Targets = append(u.Targets, t)
			}
		}
		if len(u.Targets) > maxTargets {
			return api.LimitExceededException.New("The requested resource exceeds the maximum number allowed.")
		}
		return nil
	})
	return &api.PutTargetsResponse{FailedEntryCount: new(int32(0)), FailedEntries: []api.PutTargetsResultEntry{}}, err
}

// checkTarget refuses targets that could never be reached, and what they are asked to do in another way than
// their kind allows.
func checkTarget(t *api.Target) error {
	a, ok := target.ParseARN(*t.Arn)
	if !ok {
		return invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", *t.Arn)
	}
	if !isDestination(a) {
		if _, _, universal := a.Universal(); universal {
			return invalid("Parameter %s is not valid. Reason: Provided Arn is not in correct format.", *t.Arn)
		}
		if err := target.Check(*t.Arn); err != nil {
			return err
		}
	}
	if name := unsupported(t); name != "" {
		return awsapi.NotImplemented.New("Cirro does not implement %s of EventBridge's targets", name)
	}
	switch {
	case a.Service == "sqs" && strings.HasSuffix(a.Resource, ".fifo") && (t.SqsParameters == nil || t.SqsParameters.MessageGroupId == nil):
		return invalid("Parameter(s) SqsParameters must be specified for target: %s.", *t.Id)
	case t.RoleArn == nil && (a.Service == "kinesis" || a.Service == "states" || isDestination(a)):
		return invalid("RoleArn is required for target %s.", *t.Arn)
	case t.DeadLetterConfig != nil && t.DeadLetterConfig.Arn != nil:
		if q, ok := target.ParseARN(*t.DeadLetterConfig.Arn); !ok || q.Service != "sqs" || strings.HasSuffix(q.Resource, ".fifo") {
			return invalid("Parameter DeadLetterConfig is not valid. Reason: Provided Arn is not of a standard queue.")
		}
	}
	return checkInput(t)
}

// isDestination reports whether an ARN is an API destination's.
func isDestination(a target.ARN) bool {
	return a.Service == "events" && strings.HasPrefix(a.Resource, "api-destination/")
}

// unsupported names a parameter of kinds of targets that there are none of.
func unsupported(t *api.Target) string {
	switch {
	case t.EcsParameters != nil:
		return "EcsParameters"
	case t.BatchParameters != nil:
		return "BatchParameters"
	case t.RunCommandParameters != nil:
		return "RunCommandParameters"
	case t.RedshiftDataParameters != nil:
		return "RedshiftDataParameters"
	case t.SageMakerPipelineParameters != nil:
		return "SageMakerPipelineParameters"
	case t.AppSyncParameters != nil:
		return "AppSyncParameters"
	}
	return ""
}

// checkInput refuses an input that can be none.
func checkInput(t *api.Target) error {
	given := 0
	for _, is := range []bool{t.Input != nil, t.InputPath != nil, t.InputTransformer != nil} {
		if is {
			given++
		}
	}
	if given > 1 {
		return invalid("Only one of Input, InputPath, or InputTransformer must be provided for target %s.", *t.Id)
	}
	if t.Input != nil && !json.Valid([]byte(*t.Input)) {
		return invalid("JSON syntax error in input for target %s.", *t.Id)
	}
	if t.InputTransformer == nil {
		return nil
	}
	for _, name := range placeholders(*t.InputTransformer.InputTemplate) {
		if _, ok := t.InputTransformer.InputPathsMap[name]; !ok && !predefined[name] {
			return invalid("InputTemplate for target %s contains invalid placeholder %s.", *t.Id, name)
		}
	}
	return nil
}

// RemoveTargets takes targets from a rule.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_RemoveTargets.html
func (s *Service) RemoveTargets(ctx context.Context, in *api.RemoveTargetsRequest) (*api.RemoveTargetsResponse, error) {
	out := &api.RemoveTargetsResponse{}
	err := s.changeRule(ctx, ownBus(ctx, in.EventBusName), *in.Rule, func(_ store.Tx, u *rule) error {
		out.FailedEntries = []api.RemoveTargetsResultEntry{}
		for _, id := range in.Ids {
			left := make([]api.Target, 0, len(u.Targets))
			for _, t := range u.Targets {
				if *t.Id != id {
					left = append(left, t)
				}
			}
			if len(left) == len(u.Targets) {
				out.FailedEntries = append(out.FailedEntries, api.RemoveTargetsResultEntry{TargetId: &id, ErrorCode: new("ResourceNotFoundException"),
					ErrorMessage: new("Rule " + u.Name + " does not have a target with the Id " + id + ".")})
			}
			u.Targets = left
		}
		out.FailedEntryCount = new(int32(len(out.FailedEntries)))
		return nil
	})
	return out, err
}

// ListTargetsByRule lists a rule's targets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListTargetsByRule.html
func (s *Service) ListTargetsByRule(ctx context.Context, in *api.ListTargetsByRuleRequest) (*api.ListTargetsByRuleResponse, error) {
	ref := ownBus(ctx, in.EventBusName)
	out := &api.ListTargetsByRuleResponse{Targets: []api.Target{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		u, err := getRule(r, ref, *in.Rule)
		if err != nil {
			return err
		}
		from := 0 // a page ends before the target whose id is the token
		if in.NextToken != nil {
			for from < len(u.Targets) && *u.Targets[from].Id != *in.NextToken {
				from++
			}
		}
		out.Targets = append(out.Targets, u.Targets[from:]...)
		if in.Limit != nil && len(out.Targets) > int(*in.Limit) {
			out.NextToken = out.Targets[*in.Limit].Id
			out.Targets = out.Targets[:*in.Limit]
		}
		return nil
	})
	return out, err
}
