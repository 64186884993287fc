package logs

import (
	"context"
	"encoding/json"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
	"cirro/internal/store"
)

// maxPolicies is how many resource policies an account can have in a region.
// https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutResourcePolicy.html
const maxPolicies = 10

// policy is a resource policy as it is stored.
type policy struct {
	Name     string
	Document string
	Updated  int64 // ms
}

func (p *policy) describe() logs.ResourcePolicy {
	return logs.ResourcePolicy{PolicyName: &p.Name, PolicyDocument: &p.Document, LastUpdatedTime: &p.Updated}
}

// PutResourcePolicy makes or replaces a policy by which other services may write logs.
func (s *Service) PutResourcePolicy(ctx context.Context, in *logs.PutResourcePolicyRequest) (*logs.PutResourcePolicyResponse, error) {
	if in.PolicyName == nil || in.PolicyDocument == nil {
		return nil, invalid("Policy name and policy document are required.")
	}
	if !json.Valid([]byte(*in.PolicyDocument)) {
		return nil, invalid("The specified policy document is not valid JSON.")
	}
	r := awsapi.RequestOf(ctx)
	p := policy{*in.PolicyName, *in.PolicyDocument, s.millis()}
	k := key(kindPolicy, r.Account(), r.Region, p.Name)
	err := s.store.Update(ctx, func(tx store.Tx) error {
		found, err := has(tx, k)
		if err != nil {
			return err
		}
		if !found {
			n := 0
			for _, err := range tx.Range(keys(kindPolicy, r.Account(), r.Region)) {
				if err != nil {
					return err
				}
				n++
			}
			if n >= maxPolicies {
				return errLimit
			}
		}
		return store.SetRecord(tx, k, p)
	})
	return &logs.PutResourcePolicyResponse{ResourcePolicy: new(p.describe())}, err
}

// DescribeResourcePolicies lists the policies of the account by name.
func (s *Service) DescribeResourcePolicies(ctx context.Context, in *logs.DescribeResourcePoliciesRequest) (*logs.DescribeResourcePoliciesResponse, error) {
	r := awsapi.RequestOf(ctx)
	out := &logs.DescribeResourcePoliciesResponse{ResourcePolicies: []logs.ResourcePolicy{}}
	err := s.store.View(ctx, func(reader store.Reader) error {
		policies, next, err := page[policy](reader, kindPolicy, keys(kindPolicy, r.Account(), r.Region), in.NextToken, limit(in.Limit), nil)
		for i := range policies {
			out.ResourcePolicies = append(out.ResourcePolicies, policies[i].describe())
		}
		out.NextToken = next
		return err
	})
	return out, err
}

// DeleteResourcePolicy removes a policy.
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *logs.DeleteResourcePolicyRequest) (*logs.DeleteResourcePolicyOutput, error) {
	r := awsapi.RequestOf(ctx)
	name := awsapi.Val(in.PolicyName)
	k := key(kindPolicy, r.Account(), r.Region, name)
	err := s.store.Update(ctx, func(tx store.Tx) error {
		found, err := has(tx, k)
		if err != nil {
			return err
		}
		if !found {
			return logs.ResourceNotFoundException.New("Policy with name [%s] does not exist.", name)
		}
		return tx.Delete(k)
	})
	return &logs.DeleteResourcePolicyOutput{}, err
}
