package iam

import (
	"context"
	"slices"

	"cirro/internal/awsapi/iam"
	"cirro/internal/store"
)

// Inline policies are parts of a principal. The operations of the three kinds differ in names alone.

func (s *Service) putInline(ctx context.Context, k kind, name, policy, document string) error {
	if err := checkDocument(document, identityPolicy); err != nil {
		return err
	}
	return s.change(ctx, k, name, func(_ store.Tx, p *principal) error {
		if p.Inline == nil {
			p.Inline = map[string]string{}
		}
		p.Inline[policy] = document
		return nil
	})
}

func noInline(k kind, policy string) error {
	return iam.NoSuchEntityException.New("The %s policy with name %s cannot be found.", k, policy)
}

func (s *Service) getInline(ctx context.Context, k kind, name, policy string) (escaped *string, err error) {
	p, err := s.get(ctx, k, name)
	if err != nil {
		return nil, err
	}
	document, ok := p.Inline[policy]
	if !ok {
		return nil, noInline(k, policy)
	}
	return new(escape(document)), nil
}

func (s *Service) deleteInline(ctx context.Context, k kind, name, policy string) error {
	return s.change(ctx, k, name, func(_ store.Tx, p *principal) error {
		if _, ok := p.Inline[policy]; !ok {
			return noInline(k, policy)
		}
		delete(p.Inline, policy)
		return nil
	})
}

func (s *Service) listInline(ctx context.Context, k kind, name string, marker *string, maxItems *int32) ([]string, page, error) {
	p, err := s.get(ctx, k, name)
	if err != nil {
		return nil, page{}, err
	}
	names, page, err := paginate(each(p.inlineNames()), self, marker, maxItems)
	return slices.Concat([]string{}, names), page, err
}
