package iam

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/identity"
	"cirro/internal/store"
)

// policyVersions is a quota.
const policyVersions = 5

// policy is the record of a managed policy.
type policy struct {
	Name, Path, ID, ARN string
	Description         string `json:",omitempty"`
	Created, Updated    time.Time
	Tags                []iam.Tag `json:",omitempty"`
	Default             string    // version id
	Versions            []policyVersion
	Latest              int // number of the latest version, deleted ones counted
}

type policyVersion struct {
	ID       string // v1
	Document string
	Created  time.Time
}

func policyKey(account, arn string) []byte { return store.Key("iam", "policy", account, arn) }

// findPolicy reads a managed policy of the account or of AWS.
func findPolicy(r store.Reader, account, arn string) (policy, bool, error) {
	if strings.HasPrefix(arn, awsManagedPrefix) {
		p, ok := awsManaged(arn)
		return p, ok, nil
	}
	return store.GetRecord[policy](r, policyKey(account, arn))
}

func orNotFound(err error, arn string) error {
	if err != nil {
		return err
	}
	return iam.NoSuchEntityException.New("Policy %s was not found.", arn)
}

func (s *Service) changePolicy(ctx context.Context, arn string, f func(store.Tx, *policy) error) error {
	if strings.HasPrefix(arn, awsManagedPrefix) {
		return awsapi.QueryAccessDenied.New("Cannot change a policy that AWS manages: %s", arn)
	}
	return s.store.Update(ctx, func(tx store.Tx) error {
		p, found, err := findPolicy(tx, account(ctx), arn)
		if err != nil || !found {
			return orNotFound(err, arn)
		}
		if err := f(tx, &p); err != nil {
			return err
		}
		return store.SetRecord(tx, policyKey(account(ctx), arn), p)
	})
}

func (s *Service) getPolicy(ctx context.Context, arn string, f func(store.Reader, *policy) error) error {
	return s.store.View(ctx, func(r store.Reader) error {
		p, found, err := findPolicy(r, account(ctx), arn)
		if err != nil || !found {
			return orNotFound(err, arn)
		}
		return f(r, &p)
	})
}

func describePolicy(r store.Reader, account string, p *policy) (*iam.Policy, error) {
	var attached, boundaries int32
	for u, err := range store.Records[use](r, store.Prefix("iam", "use", account, p.ARN)) {
		switch {
		case err != nil:
			return nil, err
		case u.Boundary:
			boundaries++
		default:
			attached++
		}
	}
	return &iam.Policy{PolicyName: &p.Name, PolicyId: &p.ID, Arn: &p.ARN, Path: &p.Path, DefaultVersionId: &p.Default,
		AttachmentCount: &attached, PermissionsBoundaryUsageCount: &boundaries, IsAttachable: new(true),
		CreateDate: &p.Created, UpdateDate: &p.Updated}, nil
}

// CreatePolicy makes a managed policy with its first version.
func (s *Service) CreatePolicy(ctx context.Context, in *iam.CreatePolicyRequest) (out *iam.CreatePolicyResponse, err error) {
	if err := checkDocument(*in.PolicyDocument, identityPolicy); err != nil {
		return nil, err
	}
	now := awsapi.RequestOf(ctx).Time.UTC().Truncate(time.Second)
	p := policy{Name: *in.PolicyName, Path: "/", ID: identity.NewID("ANPA"), Description: awsapi.Val(in.Description),
		Created: now, Updated: now, Default: "v1", Latest: 1,
		Versions: []policyVersion{{ID: "v1", Document: *in.PolicyDocument, Created: now}}}
	if in.Path != nil {
		p.Path = *in.Path
	}
	p.ARN = fmt.Sprintf("arn:aws:iam::%s:policy%s%s", account(ctx), p.Path, p.Name)
	if err := mergeTags(&p.Tags, in.Tags); err != nil {
		return nil, err
	}
	err = s.store.Update(ctx, func(tx store.Tx) error {
		for other, err := range store.Records[policy](tx, store.Prefix("iam", "policy", account(ctx))) {
			if err != nil {
				return err
			}
			if strings.EqualFold(other.Name, p.Name) {
				return iam.EntityAlreadyExistsException.New("A policy called %s already exists. Duplicate names are not allowed.", p.Name)
			}
		}
		described, err := describePolicy(tx, account(ctx), &p)
		if err != nil {
			return err
		}
		described.Tags = p.Tags
		out = &iam.CreatePolicyResponse{Policy: described}
		return store.SetRecord(tx, policyKey(account(ctx), p.ARN), p)
	})
	return out, err
}

// GetPolicy shows a managed policy, without its document.
func (s *Service) GetPolicy(ctx context.Context, in *iam.GetPolicyRequest) (out *iam.GetPolicyResponse, err error) {
	err = s.getPolicy(ctx, *in.PolicyArn, func(r store.Reader, p *policy) error {
		described, err := describePolicy(r, account(ctx), p)
		if err != nil {
			return err
		}
		described.Tags, described.Description = p.Tags, optional(p.Description)
		out = &iam.GetPolicyResponse{Policy: described}
		return nil
	})
	return out, err
}

// ListPolicies lists managed policies: AWS's first, then the account's.
func (s *Service) ListPolicies(ctx context.Context, in *iam.ListPoliciesRequest) (out *iam.ListPoliciesResponse, err error) {
	scope := awsapi.Val(in.Scope)
	err = s.store.View(ctx, func(r store.Reader) error {
		described := func(yield func(*iam.Policy, error) bool) {
			for p, err := range allPolicies(r, account(ctx), scope) {
				var d *iam.Policy
				if err == nil {
					d, err = describePolicy(r, account(ctx), &p)
				}
				if err == nil && (!strings.HasPrefix(p.Path, awsapi.Val(in.PathPrefix)) || !listedUse(in, d)) {
					continue
				}
				if !yield(d, err) {
					return
				}
			}
		}
		list, page, err := paginate(described, func(p *iam.Policy) string { return policyOrder(*p.Arn) }, in.Marker, in.MaxItems)
		out = &iam.ListPoliciesResponse{Policies: []iam.Policy{}, IsTruncated: page.IsTruncated, Marker: page.Marker}
		for _, p := range list {
			out.Policies = append(out.Policies, *p)
		}
		return err
	})
	return out, err
}

// policyOrder sorts AWS's policies before the account's.
func policyOrder(arn string) string {
	if strings.HasPrefix(arn, awsManagedPrefix) {
		return "0" + arn
	}
	return "1" + arn
}

func listedUse(in *iam.ListPoliciesRequest, p *iam.Policy) bool {
	uses := *p.AttachmentCount
	if awsapi.Val(in.PolicyUsageFilter) == iam.PolicyUsageTypePermissionsBoundary {
		uses = *p.PermissionsBoundaryUsageCount
	}
	return !awsapi.Val(in.OnlyAttached) || uses > 0
}

func allPolicies(r store.Reader, account, scope string) iter.Seq2[policy, error] {
	return func(yield func(policy, error) bool) {
		if scope != iam.PolicyScopeTypeLocal {
			for _, p := range awsManagedPolicies() {
				if !yield(p, nil) {
					return
				}
			}
		}
		if scope == iam.PolicyScopeTypeAws {
			return
		}
		for p, err := range store.Records[policy](r, store.Prefix("iam", "policy", account)) {
			if !yield(p, err) {
				return
			}
		}
	}
}

// DeletePolicy deletes a managed policy that nobody uses, with its one version.
func (s *Service) DeletePolicy(ctx context.Context, in *iam.DeletePolicyRequest) (*iam.DeletePolicyOutput, error) {
	arn := *in.PolicyArn
	return &iam.DeletePolicyOutput{}, s.store.Update(ctx, func(tx store.Tx) error {
		p, found, err := store.GetRecord[policy](tx, policyKey(account(ctx), arn))
		if err != nil || !found {
			return orNotFound(err, arn)
		}
		for _, err := range store.Records[use](tx, store.Prefix("iam", "use", account(ctx), arn)) {
			if err != nil {
				return err
			}
			return iam.DeleteConflictException.New("Cannot delete a policy attached to entities.")
		}
		if len(p.Versions) > 1 {
			return iam.DeleteConflictException.New("This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.")
		}
		return tx.Delete(policyKey(account(ctx), arn))
	})
}

func (p *policy) version(id string) (int, error) {
	i := slices.IndexFunc(p.Versions, func(v policyVersion) bool { return v.ID == id })
	if i < 0 {
		return 0, iam.NoSuchEntityException.New("Policy %s version %s does not exist or is not attachable.", p.ARN, id)
	}
	return i, nil
}

func (p *policy) describeVersion(i int) *iam.PolicyVersion {
	v := &p.Versions[i]
	return &iam.PolicyVersion{VersionId: &v.ID, CreateDate: &v.Created, IsDefaultVersion: new(v.ID == p.Default)}
}

// CreatePolicyVersion adds a version to a managed policy.
func (s *Service) CreatePolicyVersion(ctx context.Context, in *iam.CreatePolicyVersionRequest) (out *iam.CreatePolicyVersionResponse, err error) {
	if err := checkDocument(*in.PolicyDocument, identityPolicy); err != nil {
		return nil, err
	}
	err = s.changePolicy(ctx, *in.PolicyArn, func(_ store.Tx, p *policy) error {
		if len(p.Versions) == policyVersions {
			return iam.LimitExceededException.New("A managed policy can have up to %d versions. Before you create a new version, you must delete an existing version.", policyVersions)
		}
		now := awsapi.RequestOf(ctx).Time.UTC().Truncate(time.Second)
		p.Latest++
		v := policyVersion{ID: fmt.Sprintf("v%d", p.Latest), Document: *in.PolicyDocument, Created: now}
		p.Versions, p.Updated = append(p.Versions, v), now
		if awsapi.Val(in.SetAsDefault) {
			p.Default = v.ID
		}
		out = &iam.CreatePolicyVersionResponse{PolicyVersion: p.describeVersion(len(p.Versions) - 1)}
		return nil
	})
	return out, err
}

// GetPolicyVersion shows a version with its document.
func (s *Service) GetPolicyVersion(ctx context.Context, in *iam.GetPolicyVersionRequest) (out *iam.GetPolicyVersionResponse, err error) {
	err = s.getPolicy(ctx, *in.PolicyArn, func(_ store.Reader, p *policy) error {
		i, err := p.version(*in.VersionId)
		if err != nil {
			return err
		}
		v := p.describeVersion(i)
		v.Document = new(escape(p.Versions[i].Document))
		out = &iam.GetPolicyVersionResponse{PolicyVersion: v}
		return nil
	})
	return out, err
}

// ListPolicyVersions lists a managed policy's versions, latest first.
func (s *Service) ListPolicyVersions(ctx context.Context, in *iam.ListPolicyVersionsRequest) (out *iam.ListPolicyVersionsResponse, err error) {
	err = s.getPolicy(ctx, *in.PolicyArn, func(_ store.Reader, p *policy) error {
		out = &iam.ListPolicyVersionsResponse{Versions: []iam.PolicyVersion{}, IsTruncated: new(false)}
		for i := range slices.Backward(p.Versions) {
			out.Versions = append(out.Versions, *p.describeVersion(i))
		}
		return nil
	})
	return out, err
}

// DeletePolicyVersion deletes a version that is not the default one.
func (s *Service) DeletePolicyVersion(ctx context.Context, in *iam.DeletePolicyVersionRequest) (*iam.DeletePolicyVersionOutput, error) {
	return &iam.DeletePolicyVersionOutput{}, s.changePolicy(ctx, *in.PolicyArn, func(_ store.Tx, p *policy) error {
		i, err := p.version(*in.VersionId)
		if err != nil {
			return err
		}
		if p.Default == *in.VersionId {
			return iam.DeleteConflictException.New("Cannot delete the default version of a policy.")
		}
		p.Versions = slices.Delete(p.Versions, i, i+1)
		return nil
	})
}

// SetDefaultPolicyVersion makes a version the one that counts.
func (s *Service) SetDefaultPolicyVersion(ctx context.Context, in *iam.SetDefaultPolicyVersionRequest) (*iam.SetDefaultPolicyVersionOutput, error) {
	return &iam.SetDefaultPolicyVersionOutput{}, s.changePolicy(ctx, *in.PolicyArn, func(_ store.Tx, p *policy) error {
		_, err := p.version(*in.VersionId)
		p.Default = *in.VersionId
		return err
	})
}

// TagPolicy adds tags to a managed policy.
func (s *Service) TagPolicy(ctx context.Context, in *iam.TagPolicyRequest) (*iam.TagPolicyOutput, error) {
	return &iam.TagPolicyOutput{}, s.changePolicy(ctx, *in.PolicyArn, func(_ store.Tx, p *policy) error {
		return mergeTags(&p.Tags, in.Tags)
	})
}

// UntagPolicy removes tags from a managed policy.
func (s *Service) UntagPolicy(ctx context.Context, in *iam.UntagPolicyRequest) (*iam.UntagPolicyOutput, error) {
	return &iam.UntagPolicyOutput{}, s.changePolicy(ctx, *in.PolicyArn, func(_ store.Tx, p *policy) error {
		removeTags(&p.Tags, in.TagKeys)
		return nil
	})
}

// ListPolicyTags lists a managed policy's tags by key.
func (s *Service) ListPolicyTags(ctx context.Context, in *iam.ListPolicyTagsRequest) (out *iam.ListPolicyTagsResponse, err error) {
	err = s.getPolicy(ctx, *in.PolicyArn, func(_ store.Reader, p *policy) error {
		tags, page, err := tagPage(p.Tags, in.Marker, in.MaxItems)
		out = &iam.ListPolicyTagsResponse{Tags: tags, IsTruncated: page.IsTruncated, Marker: page.Marker}
		return err
	})
	return out, err
}
