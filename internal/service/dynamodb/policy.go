package dynamodb

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
)

// maxPolicy is how many bytes a resource policy may have.
const maxPolicy = 20 << 10

// noPolicy is the revision that a caller expects where there must be no policy yet.
const noPolicy = "NO_POLICY"

// PutResourcePolicy gives a table a policy. It is kept and told, as identity policies are, and not enforced.
// https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
func (s *Service) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	if err := checkPolicy(in.Policy); err != nil {
		return nil, err
	}
	out := &api.PutResourcePolicyOutput{}
	err := s.changeResource(ctx, *in.ResourceArn, func(r *table.Record) error {
		if err := checkRevision(r, in.ExpectedRevisionId); err != nil {
			return err
		}
		if r.Policy != *in.Policy { // AWS does not count a change that changes nothing
			setPolicy(r, in.Policy)
		}
		out.RevisionId = new(r.PolicyRevision)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// GetResourcePolicy tells a table's policy.
func (s *Service) GetResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	r, err := s.resource(ctx, *in.ResourceArn)
	if err != nil {
		return nil, err
	}
	if r.Policy == "" {
		return nil, policyNotFound(*in.ResourceArn)
	}
	return &api.GetResourcePolicyOutput{Policy: &r.Policy, RevisionId: &r.PolicyRevision}, nil
}

// DeleteResourcePolicy removes a table's policy; where there is none that is no error.
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	out := &api.DeleteResourcePolicyOutput{}
	err := s.changeResource(ctx, *in.ResourceArn, func(r *table.Record) error {
		if err := checkRevision(r, in.ExpectedRevisionId); err != nil {
			return err
		}
		if r.Policy != "" {
			out.RevisionId = new(r.PolicyRevision)
		}
		r.Policy, r.PolicyRevision = "", ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func policyNotFound(arn string) error {
	return api.PolicyNotFoundException.New("Resource-based policy not found for the provided ResourceArn: %s", arn)
}

// checkRevision checks that a policy is the one that the caller means.
func checkRevision(r *table.Record, expected *string) error {
	is := r.PolicyRevision
	if is == "" {
		is = noPolicy
	}
	if expected != nil && *expected != is {
		return api.PolicyNotFoundException.New("Resource-based policy not found for the provided ResourceArn: %s and ExpectedRevisionId: %s", *r.API.TableArn, *expected)
	}
	return nil
}

func checkPolicy(policy *string) error {
	switch {
	case policy == nil:
		return nil
	case len(*policy) > maxPolicy:
		return wrong("Maximum policy size of %d bytes exceeded", maxPolicy)
	}
	var document struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(*policy), &document); err != nil {
		return wrong("Invalid policy document: This policy contains invalid Json")
	}
	if len(document.Statement) == 0 || string(document.Statement) == "[]" {
		return wrong("Invalid policy document: Could not parse the policy: Statement is empty!")
	}
	return nil
}

// setPolicy gives a table's record a policy, with a new revision, which is a number that grows, as AWS's is.
func setPolicy(r *table.Record, policy *string) {
	if policy != nil {
		r.Policy, r.PolicyRevision = awsapi.Val(policy), strconv.FormatInt(time.Now().UnixMilli(), 10)
	}
}
