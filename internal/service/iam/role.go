package iam

import (
	"context"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/store"
)

// describeRole shows a role; only GetRole and the like show its tags.
func describeRole(p *principal) iam.Role {
	return iam.Role{RoleName: &p.Name, Path: &p.Path, RoleId: &p.ID, Arn: &p.ARN, CreateDate: &p.Created,
		AssumeRolePolicyDocument: new(escape(p.Trust)), Description: optional(p.Description),
		MaxSessionDuration: &p.MaxSession, PermissionsBoundary: p.boundary()}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// CreateRole makes a role with its trust policy.
func (s *Service) CreateRole(ctx context.Context, in *iam.CreateRoleRequest) (*iam.CreateRoleResponse, error) {
	if err := checkDocument(*in.AssumeRolePolicyDocument, trustPolicy); err != nil {
		return nil, err
	}
	p, err := newPrincipal(ctx, role, in.RoleName, in.Path, in.Tags)
	if err != nil {
		return nil, err
	}
	p.Trust, p.Description, p.MaxSession = *in.AssumeRolePolicyDocument, awsapi.Val(in.Description), 3600
	p.Boundary = awsapi.Val(in.PermissionsBoundary)
	if in.MaxSessionDuration != nil {
		p.MaxSession = *in.MaxSessionDuration
	}
	if err := s.create(ctx, p); err != nil {
		return nil, err
	}
	r := describeRole(p)
	r.Tags = p.Tags
	return &iam.CreateRoleResponse{Role: &r}, nil
}

// GetRole shows a role.
func (s *Service) GetRole(ctx context.Context, in *iam.GetRoleRequest) (*iam.GetRoleResponse, error) {
	p, err := s.get(ctx, role, *in.RoleName)
	if err != nil {
		return nil, err
	}
	r := describeRole(p)
	r.Tags, r.RoleLastUsed = p.Tags, &iam.RoleLastUsed{}
	return &iam.GetRoleResponse{Role: &r}, nil
}

// ListRoles lists roles by name.
func (s *Service) ListRoles(ctx context.Context, in *iam.ListRolesRequest) (*iam.ListRolesResponse, error) {
	list, page, err := s.list(ctx, role, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.ListRolesResponse{Roles: []iam.Role{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
	for i := range list {
		out.Roles = append(out.Roles, describeRole(&list[i]))
	}
	return out, nil
}

// UpdateRole changes a role's description and longest session.
func (s *Service) UpdateRole(ctx context.Context, in *iam.UpdateRoleRequest) (*iam.UpdateRoleResponse, error) {
	return &iam.UpdateRoleResponse{}, s.change(ctx, role, *in.RoleName, func(_ store.Tx, p *principal) error {
		p.Description = awsapi.Val(in.Description)
		if in.MaxSessionDuration != nil {
			p.MaxSession = *in.MaxSessionDuration
		}
		return nil
	})
}

// UpdateRoleDescription changes a role's description.
func (s *Service) UpdateRoleDescription(ctx context.Context, in *iam.UpdateRoleDescriptionRequest) (*iam.UpdateRoleDescriptionResponse, error) {
	var r iam.Role
	err := s.change(ctx, role, *in.RoleName, func(_ store.Tx, p *principal) error {
		p.Description = *in.Description
		r = describeRole(p)
		return nil
	})
	return &iam.UpdateRoleDescriptionResponse{Role: &r}, err
}

// UpdateAssumeRolePolicy replaces a role's trust policy.
func (s *Service) UpdateAssumeRolePolicy(ctx context.Context, in *iam.UpdateAssumeRolePolicyRequest) (*iam.UpdateAssumeRolePolicyOutput, error) {
	if err := checkDocument(*in.PolicyDocument, trustPolicy); err != nil {
		return nil, err
	}
	return &iam.UpdateAssumeRolePolicyOutput{}, s.change(ctx, role, *in.RoleName, func(_ store.Tx, p *principal) error {
		p.Trust = *in.PolicyDocument
		return nil
	})
}

// DeleteRole deletes a role that has no policies left.
func (s *Service) DeleteRole(ctx context.Context, in *iam.DeleteRoleRequest) (*iam.DeleteRoleOutput, error) {
	return &iam.DeleteRoleOutput{}, s.remove(ctx, role, *in.RoleName, func(store.Tx, *principal) error { return nil })
}
