package kinesis

import (
	"context"
	"encoding/json"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/kinesis"
	"cirro/internal/store"
)

// policyOf is where a stream's or a consumer's policy is kept, in a transaction.
func (s *Service) changePolicy(ctx context.Context, arn string, f func(policy *string) error) error {
	return s.Store.Update(ctx, func(tx store.Tx) error {
		if strings.Contains(arn, "/consumer/") {
			st, c, err := s.consumerByARN(tx, arn)
			if err != nil {
				return err
			}
			if err := f(&c.Policy); err != nil {
				return err
			}
			return store.SetRecord(tx, st.consumerKey(c.Name), c)
		}
		st, err := s.find(ctx, tx, nil, &arn, nil)
		if err != nil {
			return err
		}
		return st.change(tx, func(r *record) error { return f(&r.Policy) })
	})
}

// PutResourcePolicy keeps a policy. It is not enforced.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutResourcePolicy.html
func (s *Service) PutResourcePolicy(ctx context.Context, in *api.PutResourcePolicyInput) (*api.PutResourcePolicyOutput, error) {
	var document map[string]any
	if json.Unmarshal([]byte(*in.Policy), &document) != nil || document["Statement"] == nil {
		return nil, api.InvalidArgumentException.New("The policy is not a valid policy document.")
	}
	return nil, s.changePolicy(ctx, awsapi.Val(in.ResourceARN), func(policy *string) error {
		*policy = *in.Policy
		return nil
	})
}

// DeleteResourcePolicy removes it.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_DeleteResourcePolicy.html
func (s *Service) DeleteResourcePolicy(ctx context.Context, in *api.DeleteResourcePolicyInput) (*api.DeleteResourcePolicyOutput, error) {
	return nil, s.changePolicy(ctx, awsapi.Val(in.ResourceARN), func(policy *string) error {
		if *policy == "" {
			return api.ResourceNotFoundException.New("No resource policy found for resource ARN %s", awsapi.Val(in.ResourceARN))
		}
		*policy = ""
		return nil
	})
}

// GetResourcePolicy returns it; where there is none, an empty one.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetResourcePolicy.html
func (s *Service) GetResourcePolicy(ctx context.Context, in *api.GetResourcePolicyInput) (*api.GetResourcePolicyOutput, error) {
	arn := awsapi.Val(in.ResourceARN)
	policy := ""
	err := s.Store.View(ctx, func(r store.Reader) error {
		if strings.Contains(arn, "/consumer/") {
			_, c, err := s.consumerByARN(r, arn)
			policy = c.Policy
			return err
		}
		st, err := s.find(ctx, r, nil, &arn, nil)
		if err == nil {
			policy = st.record.Policy
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if policy == "" {
		policy = "{}"
	}
	return &api.GetResourcePolicyOutput{Policy: &policy}, nil
}
