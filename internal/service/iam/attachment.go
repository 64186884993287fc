package iam

import (
	"context"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/store"
)

// attachedPerPrincipal is a quota.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entities
const attachedPerPrincipal = 10

// use is one principal's use of a managed policy, as permissions or as a boundary. Uses are kept under
// the policy's key, so that it knows who would miss it.
type use struct {
	Kind     kind
	Name, ID string
	Path     string
	Boundary bool
}

func useOf(p *principal) use      { return use{Kind: p.Kind, Name: p.Name, ID: p.ID, Path: p.Path} }
func boundaryOf(p *principal) use { u := useOf(p); u.Boundary = true; return u }

func useKey(account, policyARN string, u use) []byte {
	as := "permissions"
	if u.Boundary {
		as = "boundary"
	}
	return store.Key("iam", "use", account, policyARN, as, string(u.Kind), strings.ToLower(u.Name))
}

// attach records the use of a policy that exists.
func attach(tx store.Tx, account, policyARN string, u use) error {
	_, found, err := findPolicy(tx, account, policyARN)
	if err != nil {
		return err
	}
	if !found {
		return iam.NoSuchEntityException.New("Policy %s does not exist or is not attachable.", policyARN)
	}
	return store.SetRecord(tx, useKey(account, policyARN, u), u)
}

func detach(tx store.Tx, account, policyARN string, u use) error {
	return tx.Delete(useKey(account, policyARN, u))
}

func (s *Service) attachPolicy(ctx context.Context, k kind, name, policyARN string) error {
	return s.change(ctx, k, name, func(tx store.Tx, p *principal) error {
		if slices.Contains(p.Attached, policyARN) {
			return nil
		}
		if len(p.Attached) == attachedPerPrincipal {
			return iam.LimitExceededException.New("Cannot exceed quota for PoliciesPer%s: %d", k.title(), attachedPerPrincipal)
		}
		p.Attached = append(p.Attached, policyARN)
		return attach(tx, account(ctx), policyARN, useOf(p))
	})
}

func (s *Service) detachPolicy(ctx context.Context, k kind, name, policyARN string) error {
	return s.change(ctx, k, name, func(tx store.Tx, p *principal) error {
		i := slices.Index(p.Attached, policyARN)
		if i < 0 {
			return iam.NoSuchEntityException.New("Policy %s was not found.", policyARN)
		}
		p.Attached = slices.Delete(p.Attached, i, i+1)
		return detach(tx, account(ctx), policyARN, useOf(p))
	})
}

func (s *Service) listAttached(ctx context.Context, k kind, name string, pathPrefix, marker *string, maxItems *int32) ([]iam.AttachedPolicy, page, error) {
	p, err := s.get(ctx, k, name)
	if err != nil {
		return nil, page{}, err
	}
	arns := slices.DeleteFunc(slices.Sorted(slices.Values(p.Attached)), func(arn string) bool {
		return !strings.HasPrefix(pathOf(arn), awsapi.Val(pathPrefix))
	})
	arns, page, err := paginate(each(arns), self, marker, maxItems)
	list := []iam.AttachedPolicy{}
	for _, arn := range arns {
		list = append(list, iam.AttachedPolicy{PolicyArn: new(arn), PolicyName: new(nameOf(arn))})
	}
	return list, page, err
}

// pathOf is the path in a policy's ARN: /service-role/ of arn:aws:iam::aws:policy/service-role/X.
func pathOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":policy")
	return rest[:strings.LastIndexByte(rest, '/')+1]
}

func nameOf(arn string) string { return arn[strings.LastIndexByte(arn, '/')+1:] }

// ListEntitiesForPolicy lists who uses a managed policy.
func (s *Service) ListEntitiesForPolicy(ctx context.Context, in *iam.ListEntitiesForPolicyRequest) (out *iam.ListEntitiesForPolicyResponse, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		if _, found, err := findPolicy(r, account(ctx), *in.PolicyArn); err != nil || !found {
			return orNotFound(err, *in.PolicyArn)
		}
		uses, err := usesOf(r, account(ctx), *in.PolicyArn, func(u use) bool {
			return (in.EntityFilter == nil || strings.EqualFold(*in.EntityFilter, string(u.Kind))) &&
				(in.PolicyUsageFilter == nil || (*in.PolicyUsageFilter == iam.PolicyUsageTypePermissionsBoundary) == u.Boundary) &&
				strings.HasPrefix(u.Path, awsapi.Val(in.PathPrefix))
		})
		if err != nil {
			return err
		}
		list, page, err := paginate(each(uses), func(u use) string { return string(u.Kind) + "/" + strings.ToLower(u.Name) }, in.Marker, in.MaxItems)
		out = &iam.ListEntitiesForPolicyResponse{PolicyRoles: []iam.PolicyRole{}, PolicyUsers: []iam.PolicyUser{},
			PolicyGroups: []iam.PolicyGroup{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
		for _, u := range list {
			switch u.Kind {
			case role:
				out.PolicyRoles = append(out.PolicyRoles, iam.PolicyRole{RoleName: &u.Name, RoleId: &u.ID})
			case user:
				out.PolicyUsers = append(out.PolicyUsers, iam.PolicyUser{UserName: &u.Name, UserId: &u.ID})
			case group:
				out.PolicyGroups = append(out.PolicyGroups, iam.PolicyGroup{GroupName: &u.Name, GroupId: &u.ID})
			}
		}
		return err
	})
	return out, err
}

// usesOf returns the uses of a policy that want accepts, each principal once, ordered by kind and name.
func usesOf(r store.Reader, account, policyARN string, want func(use) bool) ([]use, error) {
	var uses []use
	for u, err := range store.Records[use](r, store.Prefix("iam", "use", account, policyARN)) {
		if err != nil {
			return nil, err
		}
		if want(u) {
			u.Boundary = false
			uses = append(uses, u)
		}
	}
	slices.SortFunc(uses, func(a, b use) int {
		return strings.Compare(string(a.Kind)+"/"+strings.ToLower(a.Name), string(b.Kind)+"/"+strings.ToLower(b.Name))
	})
	return slices.Compact(uses), nil
}
