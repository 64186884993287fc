package iam

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
	"cirro/internal/identity"
	"cirro/internal/store"
)

// kind is what a principal is: its name in ARNs and in AWS's messages.
type kind string

const (
	role  kind = "role"
	user  kind = "user"
	group kind = "group"
)

// idPrefixes begin the unique ids.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
var idPrefixes = map[kind]string{role: "AROA", user: "AIDA", group: "AGPA"}

// title is the kind as a sentence begins with it.
func (k kind) title() string { return strings.ToUpper(string(k[:1])) + string(k[1:]) }

// principal is the record of a role, a user or a group.
type principal struct {
	Kind     kind
	Name     string
	Path     string
	ID       string
	ARN      string
	Created  time.Time
	Tags     []iam.Tag         `json:",omitempty"`
	Inline   map[string]string `json:",omitempty"` // policy documents by name
	Attached []string          `json:",omitempty"` // ARNs of managed policies, in the order of attaching
	Boundary string            `json:",omitempty"` // ARN

	// Of a role alone.
	Trust       string `json:",omitempty"` // document
	Description string `json:",omitempty"`
	MaxSession  int32  `json:",omitempty"` // seconds

	// Of a user alone.
	Groups     []string `json:",omitempty"`
	AccessKeys []string `json:",omitempty"`
}

// principalKey orders principals of a kind without regard to case, as their names are unique.
func principalKey(account string, k kind, name string) []byte {
	return store.Key("iam", string(k), account, strings.ToLower(name))
}

// newPrincipal checks what is common to the Create operations and makes the record.
func newPrincipal(ctx context.Context, k kind, name, path *string, tags []iam.Tag) (*principal, error) {
	p := &principal{Kind: k, Name: *name, Path: "/", ID: identity.NewID(idPrefixes[k]),
		Created: awsapi.RequestOf(ctx).Time.UTC().Truncate(time.Second)}
	if path != nil {
		p.Path = *path
	}
	p.ARN = fmt.Sprintf("arn:aws:iam::%s:%s%s%s", account(ctx), k, p.Path, p.Name)
	return p, mergeTags(&p.Tags, tags)
}

func (s *Service) create(ctx context.Context, p *principal) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		key := principalKey(account(ctx), p.Kind, p.Name)
		_, found, err := store.GetRecord[principal](tx, key)
		if err != nil {
			return err
		}
		if found {
			return iam.EntityAlreadyExistsException.New("%s with name %s already exists.", p.Kind.title(), p.Name)
		}
		if p.Boundary != "" {
			if err := attach(tx, account(ctx), p.Boundary, boundaryOf(p)); err != nil {
				return err
			}
		}
		return store.SetRecord(tx, key, p)
	})
}

// find reads a principal, or answers NoSuchEntity.
func find(r store.Reader, account string, k kind, name string) (*principal, error) {
	p, found, err := store.GetRecord[principal](r, principalKey(account, k, name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, iam.NoSuchEntityException.New("The %s with name %s cannot be found.", k, name)
	}
	return &p, nil
}

func (s *Service) get(ctx context.Context, k kind, name string) (p *principal, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		p, err = find(r, account(ctx), k, name)
		return err
	})
	return p, err
}

// change reads a principal, lets f change it, and writes it back.
func (s *Service) change(ctx context.Context, k kind, name string, f func(store.Tx, *principal) error) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		p, err := find(tx, account(ctx), k, name)
		if err != nil {
			return err
		}
		if err := f(tx, p); err != nil {
			return err
		}
		return store.SetRecord(tx, principalKey(account(ctx), k, name), p)
	})
}

// remove deletes a principal that has no policies left and that allowed does not refuse.
func (s *Service) remove(ctx context.Context, k kind, name string, allowed func(store.Tx, *principal) error) error {
	return s.store.Update(ctx, func(tx store.Tx) error {
		p, err := find(tx, account(ctx), k, name)
		if err != nil {
			return err
		}
		if len(p.Attached) > 0 {
			return iam.DeleteConflictException.New("Cannot delete entity, must detach all policies first.")
		}
		if len(p.Inline) > 0 {
			return iam.DeleteConflictException.New("Cannot delete entity, must delete policies first.")
		}
		if err := allowed(tx, p); err != nil {
			return err
		}
		if p.Boundary != "" {
			if err := detach(tx, account(ctx), p.Boundary, boundaryOf(p)); err != nil {
				return err
			}
		}
		return tx.Delete(principalKey(account(ctx), k, name))
	})
}

// list returns a page of the principals of a kind whose path begins with the prefix.
func (s *Service) list(ctx context.Context, k kind, pathPrefix, marker *string, maxItems *int32) (list []principal, p page, err error) {
	err = s.store.View(ctx, func(r store.Reader) error {
		all := store.Records[principal](r, store.Prefix("iam", string(k), account(ctx)))
		list, p, err = paginate(under(all, pathPrefix), func(p principal) string { return strings.ToLower(p.Name) }, marker, maxItems)
		return err
	})
	return list, p, err
}

func under(all iter.Seq2[principal, error], pathPrefix *string) iter.Seq2[principal, error] {
	return func(yield func(principal, error) bool) {
		for p, err := range all {
			if err == nil && !strings.HasPrefix(p.Path, awsapi.Val(pathPrefix)) {
				continue
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// boundary is a principal's permissions boundary as roles and users show it.
func (p *principal) boundary() *iam.AttachedPermissionsBoundary {
	if p.Boundary == "" {
		return nil
	}
	return &iam.AttachedPermissionsBoundary{PermissionsBoundaryArn: &p.Boundary,
		PermissionsBoundaryType: new(iam.PermissionsBoundaryAttachmentTypePermissionsBoundaryPolicy)}
}

// inlineNames are the names of the inline policies, in order.
func (p *principal) inlineNames() []string { return slices.Sorted(maps.Keys(p.Inline)) }
