package dynamodb

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/table"
)

// tables are those that one operation uses, by the name that the request has: a name or an ARN.
type tables struct {
	byName map[string]*table.Table
	uses   []table.Use
}

// useAll uses several tables; the caller ends the use. Each is used once, in the order of their names, so that
// operations and changes of tables never wait for each other in a circle.
func (s *Service) useAll(ctx context.Context, names []string) (*tables, error) {
	refs := make(map[table.Ref]*table.Table, len(names))
	of := make(map[string]table.Ref, len(names))
	for _, name := range names {
		if _, seen := of[name]; seen {
			continue
		}
		ref, err := refOf(ctx, &name)
		if err != nil {
			return nil, err
		}
		of[name], refs[ref] = ref, nil
	}
	all := &tables{byName: make(map[string]*table.Table, len(of))}
	order := slices.SortedFunc(maps.Keys(refs), func(a, b table.Ref) int { return strings.Compare(a.Name, b.Name) })
	for _, ref := range order {
		t, err := s.catalog.Use(ctx, ref)
		if err != nil {
			all.end()
			if errors.Is(err, table.ErrNotFound) {
				err = api.ResourceNotFoundException.New("Requested resource not found")
			}
			return nil, err
		}
		all.uses = append(all.uses, t)
		if t.Creating() {
			all.end()
			return nil, api.ResourceNotFoundException.New("Requested resource not found")
		}
		refs[ref] = t.Table
	}
	for name, ref := range of {
		all.byName[name] = refs[ref]
	}
	return all, nil
}

func (t *tables) end() {
	for _, use := range t.uses {
		use.End()
	}
}
