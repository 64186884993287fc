package iam

import (
	"context"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/store"
)

func describeUser(p *principal) iam.User {
	return iam.User{UserName: &p.Name, Path: &p.Path, UserId: &p.ID, Arn: &p.ARN, CreateDate: &p.Created,
		PermissionsBoundary: p.boundary()}
}

// CreateUser makes a user.
func (s *Service) CreateUser(ctx context.Context, in *iam.CreateUserRequest) (*iam.CreateUserResponse, error) {
	p, err := newPrincipal(ctx, user, in.UserName, in.Path, in.Tags)
	if err != nil {
		return nil, err
	}
	p.Boundary = awsapi.Val(in.PermissionsBoundary)
	if err := s.create(ctx, p); err != nil {
		return nil, err
	}
	u := describeUser(p)
	u.Tags = p.Tags
	return &iam.CreateUserResponse{User: &u}, nil
}

// callerName is the user that a request without a user name means: the caller.
func callerName(ctx context.Context, name *string) (string, error) {
	if name != nil {
		return *name, nil
	}
	arn := awsapi.RequestOf(ctx).Principal.ARN
	if !strings.Contains(arn, ":user/") {
		return "", awsapi.ValidationError.New("Must specify userName when calling with non-User credentials")
	}
	return arn[strings.LastIndexByte(arn, '/')+1:], nil
}

// GetUser shows a user, or the account's root where the root asks for itself.
func (s *Service) GetUser(ctx context.Context, in *iam.GetUserRequest) (*iam.GetUserResponse, error) {
	caller := awsapi.RequestOf(ctx).Principal
	if in.UserName == nil && strings.HasSuffix(caller.ARN, ":root") {
		return &iam.GetUserResponse{User: &iam.User{UserId: &caller.UserID, Arn: &caller.ARN}}, nil
	}
	name, err := callerName(ctx, in.UserName)
	if err != nil {
		return nil, err
	}
	p, err := s.get(ctx, user, name)
	if err != nil {
		return nil, err
	}
	u := describeUser(p)
	u.Tags = p.Tags
	return &iam.GetUserResponse{User: &u}, nil
}

// ListUsers lists users by name.
func (s *Service) ListUsers(ctx context.Context, in *iam.ListUsersRequest) (*iam.ListUsersResponse, error) {
	list, page, err := s.list(ctx, user, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.ListUsersResponse{Users: []iam.User{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
	for i := range list {
		out.Users = append(out.Users, describeUser(&list[i]))
	}
	return out, nil
}

// DeleteUser deletes a user that has no policies, access keys or groups left.
func (s *Service) DeleteUser(ctx context.Context, in *iam.DeleteUserRequest) (*iam.DeleteUserOutput, error) {
	return &iam.DeleteUserOutput{}, s.remove(ctx, user, *in.UserName, func(_ store.Tx, p *principal) error {
		if len(p.AccessKeys) > 0 {
			return iam.DeleteConflictException.New("Cannot delete entity, must delete access keys first.")
		}
		if len(p.Groups) > 0 {
			return iam.DeleteConflictException.New("Cannot delete entity, must remove user from group first.")
		}
		return nil
	})
}

func describeGroup(p *principal) iam.Group {
	return iam.Group{GroupName: &p.Name, Path: &p.Path, GroupId: &p.ID, Arn: &p.ARN, CreateDate: &p.Created}
}

// CreateGroup makes a group.
func (s *Service) CreateGroup(ctx context.Context, in *iam.CreateGroupRequest) (*iam.CreateGroupResponse, error) {
	p, err := newPrincipal(ctx, group, in.GroupName, in.Path, nil)
	if err != nil {
		return nil, err
	}
	if err := s.create(ctx, p); err != nil {
		return nil, err
	}
	return &iam.CreateGroupResponse{Group: new(describeGroup(p))}, nil
}

// GetGroup shows a group and a page of its users.
func (s *Service) GetGroup(ctx context.Context, in *iam.GetGroupRequest) (out *iam.GetGroupResponse, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		g, err := find(r, account(ctx), group, *in.GroupName)
		if err != nil {
			return err
		}
		members, err := membersOf(r, account(ctx), g.Name)
		if err != nil {
			return err
		}
		list, page, err := paginate(each(members), func(p principal) string { return strings.ToLower(p.Name) }, in.Marker, in.MaxItems)
		out = &iam.GetGroupResponse{Group: new(describeGroup(g)), Users: []iam.User{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
		for i := range list {
			out.Users = append(out.Users, describeUser(&list[i]))
		}
		return err
	})
	return out, err
}

func membersOf(r store.Reader, account, groupName string) (members []principal, err error) {
	for p, err := range store.Records[principal](r, store.Prefix("iam", string(user), account)) {
		if err != nil {
			return nil, err
		}
		if slices.Contains(p.Groups, groupName) {
			members = append(members, p)
		}
	}
	return members, nil
}

// ListGroups lists groups by name.
func (s *Service) ListGroups(ctx context.Context, in *iam.ListGroupsRequest) (*iam.ListGroupsResponse, error) {
	list, page, err := s.list(ctx, group, in.PathPrefix, in.Marker, in.MaxItems)
	if err != nil {
		return nil, err
	}
	out := &iam.ListGroupsResponse{Groups: []iam.Group{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
	for i := range list {
		out.Groups = append(out.Groups, describeGroup(&list[i]))
	}
	return out, nil
}

// DeleteGroup deletes a group without users and policies.
func (s *Service) DeleteGroup(ctx context.Context, in *iam.DeleteGroupRequest) (*iam.DeleteGroupOutput, error) {
	return &iam.DeleteGroupOutput{}, s.remove(ctx, group, *in.GroupName, func(tx store.Tx, p *principal) error {
		members, err := membersOf(tx, account(ctx), p.Name)
		if err == nil && len(members) > 0 {
			err = iam.DeleteConflictException.New("Cannot delete entity, must remove users from group first.")
		}
		return err
	})
}

// AddUserToGroup adds a user to a group; a member stays one.
func (s *Service) AddUserToGroup(ctx context.Context, in *iam.AddUserToGroupRequest) (*iam.AddUserToGroupOutput, error) {
	return &iam.AddUserToGroupOutput{}, s.change(ctx, user, *in.UserName, func(tx store.Tx, p *principal) error {
		g, err := find(tx, account(ctx), group, *in.GroupName)
		if err == nil && !slices.Contains(p.Groups, g.Name) {
			p.Groups = append(p.Groups, g.Name)
		}
		return err
	})
}

// RemoveUserFromGroup removes a user from a group.
func (s *Service) RemoveUserFromGroup(ctx context.Context, in *iam.RemoveUserFromGroupRequest) (*iam.RemoveUserFromGroupOutput, error) {
	return &iam.RemoveUserFromGroupOutput{}, s.change(ctx, user, *in.UserName, func(tx store.Tx, p *principal) error {
		g, err := find(tx, account(ctx), group, *in.GroupName)
		if err != nil {
			return err
		}
		if i := slices.Index(p.Groups, g.Name); i >= 0 {
			p.Groups = slices.Delete(p.Groups, i, i+1)
		}
		return nil
	})
}

// ListGroupsForUser lists the groups that a user is in.
func (s *Service) ListGroupsForUser(ctx context.Context, in *iam.ListGroupsForUserRequest) (out *iam.ListGroupsForUserResponse, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		u, err := find(r, account(ctx), user, *in.UserName)
		if err != nil {
			return err
		}
		names, page, err := paginate(each(slices.Sorted(slices.Values(u.Groups))), self, in.Marker, in.MaxItems)
		if err != nil {
			return err
		}
		out = &iam.ListGroupsForUserResponse{Groups: []iam.Group{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
		for _, name := range names {
			g, err := find(r, account(ctx), group, name)
			if err != nil {
				return err
			}
			out.Groups = append(out.Groups, describeGroup(g))
		}
		return nil
	})
	return out, err
}
