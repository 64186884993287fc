// Package sts is the AWS Security Token Service: who am I, and temporary credentials of a role or a
// user. Federation through SAML and OpenID Connect is not implemented.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
package sts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/awsapi/sts"
	"cirro/internal/identity"
)

// Service answers STS's operations.
type Service struct {
	sts.Unimplemented
	authority *identity.Authority
	caller    awsapi.Caller
}

// New makes the service. It finds roles by calling IAM.
func New(a *identity.Authority, c awsapi.Caller) *Service { return &Service{authority: a, caller: c} }

// GetCallerIdentity says who signed the request. It needs no permission.
func (s *Service) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	p := awsapi.RequestOf(ctx).Principal
	return &sts.GetCallerIdentityResponse{Account: &p.Account, Arn: &p.ARN, UserId: &p.UserID}, nil
}

// AssumeRole issues credentials for a session of a role that exists. The role's trust policy is not
// evaluated yet; a role that does not exist answers what AWS answers.
func (s *Service) AssumeRole(ctx context.Context, in *sts.AssumeRoleRequest) (*sts.AssumeRoleResponse, error) {
	account, name, ok := parseRole(*in.RoleArn)
	if !ok {
		return nil, awsapi.ValidationError.New("%s is invalid", *in.RoleArn)
	}
	role, err := s.role(ctx, account, name)
	if err != nil {
		if errors.Is(err, iam.NoSuchEntityException) {
			return nil, accessDenied(ctx, *in.RoleArn)
		}
		return nil, err
	}
	if awsapi.Val(role.Arn) != *in.RoleArn {
		return nil, accessDenied(ctx, *in.RoleArn)
	}
	seconds := int32(3600)
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	if longest := max(awsapi.Val(role.MaxSessionDuration), 3600); seconds > longest {
		return nil, awsapi.ValidationError.New(
			"The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	session := identity.Session{
		Account: account,
		ARN:     fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", account, name, *in.RoleSessionName),
		UserID:  awsapi.Val(role.RoleId) + ":" + *in.RoleSessionName,
		Expires: expiry(ctx, seconds),
	}
	return &sts.AssumeRoleResponse{
		Credentials:     s.issue(session),
		AssumedRoleUser: &sts.AssumedRoleUser{Arn: &session.ARN, AssumedRoleId: &session.UserID},
		SourceIdentity:  in.SourceIdentity,
	}, nil
}

func accessDenied(ctx context.Context, roleARN string) error {
	return awsapi.QueryAccessDenied.New("User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
		awsapi.RequestOf(ctx).Principal.ARN, roleARN)
}

// role asks IAM for a role of any account.
func (s *Service) role(ctx context.Context, account, name string) (*iam.Role, error) {
	p := awsapi.RootPrincipal(account, "")
	p.Service = "sts.amazonaws.com"
	out, err := s.caller.Call(ctx, p, "iam", "GetRole", &iam.GetRoleRequest{RoleName: &name})
	if err != nil {
		return nil, err
	}
	return out.(*iam.GetRoleResponse).Role, nil
}

// parseRole takes arn:aws:iam::123456789012:role/path/name apart.
func parseRole(arn string) (account, name string, ok bool) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || !awsapi.IsAccount(parts[4]) {
		return "", "", false
	}
	path, found := strings.CutPrefix(parts[5], "role/")
	name = path[strings.LastIndexByte(path, '/')+1:]
	return parts[4], name, found && name != ""
}

// GetSessionToken issues credentials for a session of the caller.
func (s *Service) GetSessionToken(ctx context.Context, in *sts.GetSessionTokenRequest) (*sts.GetSessionTokenResponse, error) {
	seconds := int32(43200)
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	p := awsapi.RequestOf(ctx).Principal
	if strings.Contains(p.ARN, ":assumed-role/") {
		return nil, awsapi.QueryAccessDenied.New("Cannot call GetSessionToken with session credentials")
	}
	return &sts.GetSessionTokenResponse{Credentials: s.issue(identity.Session{
		Account: p.Account, ARN: p.ARN, UserID: p.UserID, Expires: expiry(ctx, seconds)})}, nil
}

// GetFederationToken issues credentials for a federated user.
func (s *Service) GetFederationToken(ctx context.Context, in *sts.GetFederationTokenRequest) (*sts.GetFederationTokenResponse, error) {
	seconds := int32(43200)
	if in.DurationSeconds != nil {
		seconds = *in.DurationSeconds
	}
	p := awsapi.RequestOf(ctx).Principal
	arn := fmt.Sprintf("arn:aws:sts::%s:federated-user/%s", p.Account, *in.Name)
	id := p.Account + ":" + *in.Name
	return &sts.GetFederationTokenResponse{
		Credentials: s.issue(identity.Session{Account: p.Account, ARN: arn, UserID: id,
			Expires: expiry(ctx, seconds)}),
		FederatedUser: &sts.FederatedUser{Arn: &arn, FederatedUserId: &id},
	}, nil
}

// GetAccessKeyInfo names the account of an access key that the platform issued.
func (s *Service) GetAccessKeyInfo(ctx context.Context, in *sts.GetAccessKeyInfoRequest) (*sts.GetAccessKeyInfoResponse, error) {
	k, found, err := s.authority.AccessKey(ctx, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, awsapi.ValidationError.New("Invalid Access Key: %s", *in.AccessKeyId)
	}
	return &sts.GetAccessKeyInfoResponse{Account: &k.Account}, nil
}

func expiry(ctx context.Context, seconds int32) time.Time {
	return awsapi.RequestOf(ctx).Time.Add(time.Duration(seconds) * time.Second).UTC().Truncate(time.Second)
}

func (s *Service) issue(session identity.Session) *sts.Credentials {
	c := s.authority.Issue(session)
	return &sts.Credentials{AccessKeyId: &c.AccessKeyID, SecretAccessKey: &c.SecretAccessKey,
		SessionToken: &c.SessionToken, Expiration: &c.Expires}
}
