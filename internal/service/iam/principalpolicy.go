package iam

import (
	"context"

	"cirro/internal/awsapi/iam"
)

// The operations on policies of the three kinds of principals: the same, by other names.

// PutRolePolicy writes an inline policy of a role.
func (s *Service) PutRolePolicy(ctx context.Context, in *iam.PutRolePolicyRequest) (*iam.PutRolePolicyOutput, error) {
	return &iam.PutRolePolicyOutput{}, s.putInline(ctx, role, *in.RoleName, *in.PolicyName, *in.PolicyDocument)
}

// GetRolePolicy shows an inline policy of a role.
func (s *Service) GetRolePolicy(ctx context.Context, in *iam.GetRolePolicyRequest) (*iam.GetRolePolicyResponse, error) {
	document, err := s.getInline(ctx, role, *in.RoleName, *in.PolicyName)
	return &iam.GetRolePolicyResponse{RoleName: in.RoleName, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteRolePolicy deletes an inline policy of a role.
func (s *Service) DeleteRolePolicy(ctx context.Context, in *iam.DeleteRolePolicyRequest) (*iam.DeleteRolePolicyOutput, error) {
	return &iam.DeleteRolePolicyOutput{}, s.deleteInline(ctx, role, *in.RoleName, *in.PolicyName)
}

// ListRolePolicies lists the names of a role's inline policies.
func (s *Service) ListRolePolicies(ctx context.Context, in *iam.ListRolePoliciesRequest) (*iam.ListRolePoliciesResponse, error) {
	names, page, err := s.listInline(ctx, role, *in.RoleName, in.Marker, in.MaxItems)
	return &iam.ListRolePoliciesResponse{PolicyNames: names, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}

// AttachRolePolicy attaches a managed policy to a role.
func (s *Service) AttachRolePolicy(ctx context.Context, in *iam.AttachRolePolicyRequest) (*iam.AttachRolePolicyOutput, error) {
	return &iam.AttachRolePolicyOutput{}, s.attachPolicy(ctx, role, *in.RoleName, *in.PolicyArn)
}

// DetachRolePolicy detaches a managed policy from a role.
func (s *Service) DetachRolePolicy(ctx context.Context, in *iam.DetachRolePolicyRequest) (*iam.DetachRolePolicyOutput, error) {
	return &iam.DetachRolePolicyOutput{}, s.detachPolicy(ctx, role, *in.RoleName, *in.PolicyArn)
}

// ListAttachedRolePolicies lists the managed policies attached to a role.
func (s *Service) ListAttachedRolePolicies(ctx context.Context, in *iam.ListAttachedRolePoliciesRequest) (*iam.ListAttachedRolePoliciesResponse, error) {
	list, page, err := s.listAttached(ctx, role, *in.RoleName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedRolePoliciesResponse{AttachedPolicies: list, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}

// PutUserPolicy writes an inline policy of a user.
func (s *Service) PutUserPolicy(ctx context.Context, in *iam.PutUserPolicyRequest) (*iam.PutUserPolicyOutput, error) {
	return &iam.PutUserPolicyOutput{}, s.putInline(ctx, user, *in.UserName, *in.PolicyName, *in.PolicyDocument)
}

// GetUserPolicy shows an inline policy of a user.
func (s *Service) GetUserPolicy(ctx context.Context, in *iam.GetUserPolicyRequest) (*iam.GetUserPolicyResponse, error) {
	document, err := s.getInline(ctx, user, *in.UserName, *in.PolicyName)
	return &iam.GetUserPolicyResponse{UserName: in.UserName, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteUserPolicy deletes an inline policy of a user.
func (s *Service) DeleteUserPolicy(ctx context.Context, in *iam.DeleteUserPolicyRequest) (*iam.DeleteUserPolicyOutput, error) {
	return &iam.DeleteUserPolicyOutput{}, s.deleteInline(ctx, user, *in.UserName, *in.PolicyName)
}

// ListUserPolicies lists the names of a user's inline policies.
func (s *Service) ListUserPolicies(ctx context.Context, in *iam.ListUserPoliciesRequest) (*iam.ListUserPoliciesResponse, error) {
	names, page, err := s.listInline(ctx, user, *in.UserName, in.Marker, in.MaxItems)
	return &iam.ListUserPoliciesResponse{PolicyNames: names, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}

// AttachUserPolicy attaches a managed policy to a user.
func (s *Service) AttachUserPolicy(ctx context.Context, in *iam.AttachUserPolicyRequest) (*iam.AttachUserPolicyOutput, error) {
	return &iam.AttachUserPolicyOutput{}, s.attachPolicy(ctx, user, *in.UserName, *in.PolicyArn)
}

// DetachUserPolicy detaches a managed policy from a user.
func (s *Service) DetachUserPolicy(ctx context.Context, in *iam.DetachUserPolicyRequest) (*iam.DetachUserPolicyOutput, error) {
	return &iam.DetachUserPolicyOutput{}, s.detachPolicy(ctx, user, *in.UserName, *in.PolicyArn)
}

// ListAttachedUserPolicies lists the managed policies attached to a user.
func (s *Service) ListAttachedUserPolicies(ctx context.Context, in *iam.ListAttachedUserPoliciesRequest) (*iam.ListAttachedUserPoliciesResponse, error) {
	list, page, err := s.listAttached(ctx, user, *in.UserName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedUserPoliciesResponse{AttachedPolicies: list, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}

// PutGroupPolicy writes an inline policy of a group.
func (s *Service) PutGroupPolicy(ctx context.Context, in *iam.PutGroupPolicyRequest) (*iam.PutGroupPolicyOutput, error) {
	return &iam.PutGroupPolicyOutput{}, s.putInline(ctx, group, *in.GroupName, *in.PolicyName, *in.PolicyDocument)
}

// GetGroupPolicy shows an inline policy of a group.
func (s *Service) GetGroupPolicy(ctx context.Context, in *iam.GetGroupPolicyRequest) (*iam.GetGroupPolicyResponse, error) {
	document, err := s.getInline(ctx, group, *in.GroupName, *in.PolicyName)
	return &iam.GetGroupPolicyResponse{GroupName: in.GroupName, PolicyName: in.PolicyName, PolicyDocument: document}, err
}

// DeleteGroupPolicy deletes an inline policy of a group.
func (s *Service) DeleteGroupPolicy(ctx context.Context, in *iam.DeleteGroupPolicyRequest) (*iam.DeleteGroupPolicyOutput, error) {
	return &iam.DeleteGroupPolicyOutput{}, s.deleteInline(ctx, group, *in.GroupName, *in.PolicyName)
}

// ListGroupPolicies lists the names of a group's inline policies.
func (s *Service) ListGroupPolicies(ctx context.Context, in *iam.ListGroupPoliciesRequest) (*iam.ListGroupPoliciesResponse, error) {
	names, page, err := s.listInline(ctx, group, *in.GroupName, in.Marker, in.MaxItems)
	return &iam.ListGroupPoliciesResponse{PolicyNames: names, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}

// AttachGroupPolicy attaches a managed policy to a group.
func (s *Service) AttachGroupPolicy(ctx context.Context, in *iam.AttachGroupPolicyRequest) (*iam.AttachGroupPolicyOutput, error) {
	return &iam.AttachGroupPolicyOutput{}, s.attachPolicy(ctx, group, *in.GroupName, *in.PolicyArn)
}

// DetachGroupPolicy detaches a managed policy from a group.
func (s *Service) DetachGroupPolicy(ctx context.Context, in *iam.DetachGroupPolicyRequest) (*iam.DetachGroupPolicyOutput, error) {
	return &iam.DetachGroupPolicyOutput{}, s.detachPolicy(ctx, group, *in.GroupName, *in.PolicyArn)
}

// ListAttachedGroupPolicies lists the managed policies attached to a group.
func (s *Service) ListAttachedGroupPolicies(ctx context.Context, in *iam.ListAttachedGroupPoliciesRequest) (*iam.ListAttachedGroupPoliciesResponse, error) {
	list, page, err := s.listAttached(ctx, group, *in.GroupName, in.PathPrefix, in.Marker, in.MaxItems)
	return &iam.ListAttachedGroupPoliciesResponse{AttachedPolicies: list, IsTruncated: page.IsTruncated, Marker: page.Marker}, err
}
