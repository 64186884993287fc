package apigateway

import (
	"context"
	"regexp"
	"slices"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/service/apigateway/patch"
	"cirro/internal/service/apigateway/route"
)

// maxResources is AWS's quota of resources in an API.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
const maxResources = 300

var pathPart = regexp.MustCompile(`^([a-zA-Z0-9._:-]+|\{[a-zA-Z0-9._:-]+\+?\})$`)

var errNoResource = api.NotFoundException.New("Invalid Resource identifier specified")

// CreateResource makes a resource below another.
// https://docs.aws.amazon.com/apigateway/latest/api/API_CreateResource.html
func (s *Service) CreateResource(ctx context.Context, in *api.CreateResourceRequest) (*api.Resource, error) {
	var out api.Resource
	err := s.change(ctx, in.RestApiId, func(a *restAPI) error {
		if len(a.Resources) >= maxResources {
			return api.LimitExceededException.New("Maximum number of resources for this API has been reached. Please contact AWS if you need additional resources.")
		}
		out = api.Resource{Id: new(newID(partIDLength)), PathPart: in.PathPart}
		if err := a.place(&out, awsapi.Val(in.ParentId)); err != nil {
			return err
		}
		a.Resources[*out.Id] = out
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// place checks that a resource may stand below the given parent under its path part, and sets its path.
func (a *restAPI) place(r *api.Resource, parentID string) error {
	parent, ok := a.Resources[parentID]
	if !ok {
		return errNoResource
	}
	part := awsapi.Val(r.PathPart)
	if !pathPart.MatchString(part) {
		return badRequest("Resource's path part only allow a-zA-Z0-9._- and curly braces at the beginning and the end and an optional plus sign before the closing brace.")
	}
	if _, kind := route.Variable(awsapi.Val(parent.PathPart)); kind == route.Greedy {
		return badRequest("Cannot create a child of a resource with a greedy path variable: %s", *parent.PathPart)
	}
	if err := a.checkSiblings(r, parentID); err != nil {
		return err
	}
	if err := a.checkVariables(r, parent); err != nil {
		return err
	}
	r.ParentId = &parentID
	r.Path = new(strings.TrimSuffix(*parent.Path, "/") + "/" + part)
	return nil
}

func (a *restAPI) checkSiblings(r *api.Resource, parentID string) error {
	part := *r.PathPart
	_, kind := route.Variable(part)
	for id, sibling := range a.Resources {
		if id == *r.Id || awsapi.Val(sibling.ParentId) != parentID {
			continue
		}
		if *sibling.PathPart == part {
			return api.ConflictException.New("Another resource with the same parent already has this name: %s", part)
		}
		if _, other := route.Variable(*sibling.PathPart); other != route.Static && kind != route.Static {
			return badRequest("A sibling (%s) of this resource already has a variable path part -- only one is allowed", *sibling.PathPart)
		}
	}
	return nil
}

// checkVariables refuses a variable that a resource above already has: an event could hold but one.
func (a *restAPI) checkVariables(r *api.Resource, parent api.Resource) error {
	name, kind := route.Variable(*r.PathPart)
	if kind == route.Static {
		return nil
	}
	for part := range strings.SplitSeq(*parent.Path, "/") {
		if above, k := route.Variable(part); k != route.Static && above == name {
			return badRequest("Resource's path part contains a duplicate path parameter name: %s", name)
		}
	}
	return nil
}

// inside reports whether the resource id is, or stands below, the resource ancestor.
func (a *restAPI) inside(id, ancestor string) bool {
	for ; id != ""; id = awsapi.Val(a.Resources[id].ParentId) {
		if id == ancestor {
			return true
		}
	}
	return false
}

// replant sets the paths of all resources below parent.
func (a *restAPI) replant(parent api.Resource) {
	for id, r := range a.Resources {
		if awsapi.Val(r.ParentId) == *parent.Id {
			r.Path = new(strings.TrimSuffix(*parent.Path, "/") + "/" + *r.PathPart)
			a.Resources[id] = r
			a.replant(r)
		}
	}
}

// resource returns the resource with the given id.
func (a *restAPI) resource(id *string) (api.Resource, error) {
	r, ok := a.Resources[awsapi.Val(id)]
	if !ok {
		return r, errNoResource
	}
	return r, nil
}

// GetResource describes a resource.
func (s *Service) GetResource(ctx context.Context, in *api.GetResourceRequest) (*api.Resource, error) {
	var out api.Resource
	err := s.viewResource(ctx, in.RestApiId, func(a *restAPI) (err error) {
		out, err = a.resource(in.ResourceId)
		return err
	})
	if err != nil {
		return nil, err
	}
	return new(shown(out, in.Embed)), nil
}

// shown is a resource as operations show it: its methods by name alone, unless they are asked for.
func shown(r api.Resource, embed []string) api.Resource {
	if slices.Contains(embed, "methods") || len(r.ResourceMethods) == 0 {
		return r
	}
	names := make(map[string]api.Method, len(r.ResourceMethods))
	for name := range r.ResourceMethods {
		names[name] = api.Method{}
	}
	r.ResourceMethods = names
	return r
}

// GetResources lists an API's resources by their paths.
func (s *Service) GetResources(ctx context.Context, in *api.GetResourcesRequest) (*api.Resources, error) {
	out := &api.Resources{Items: []api.Resource{}}
	err := s.view(ctx, in.RestApiId, func(a *restAPI) error {
		cut, next, err := page(a.sorted(), func(r api.Resource) string { return *r.Path }, in.Position, in.Limit)
		for _, r := range cut {
			out.Items = append(out.Items, shown(r, in.Embed))
		}
		out.Position = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// sorted are the API's resources by path.
func (a *restAPI) sorted() []api.Resource {
	all := make([]api.Resource, 0, len(a.Resources))
	for _, r := range a.Resources {
		all = append(all, r)
	}
	slices.SortFunc(all, func(x, y api.Resource) int { return strings.Compare(*x.Path, *y.Path) })
	return all
}

// UpdateResource renames a resource, or moves it below another.
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html#UpdateResource-Patch
func (s *Service) UpdateResource(ctx context.Context, in *api.UpdateResourceRequest) (*api.Resource, error) {
	var out api.Resource
	err := s.changeResource(ctx, in.RestApiId, func(a *restAPI) error {
		r, err := a.resource(in.ResourceId)
		if err != nil {
			return err
		}
		move := resourceMove{a, r}
		if err := apply(&resourcePatches, &move, in.PatchOperations); err != nil {
			return err
		}
		a.Resources[*r.Id] = move.resource
		a.replant(move.resource)
		out = shown(move.resource, nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// resourceMove is a resource in its API while it changes its place.
type resourceMove struct {
	api      *restAPI
	resource api.Resource
}

var resourcePatches = patch.Table[resourceMove]{Style: patch.Listing, Paths: []patch.Path[resourceMove]{
	{Pattern: "/parentId", Ops: replace, Apply: func(m *resourceMove, o patch.Operation, _ []string) error {
		parent := awsapi.Val(o.Value)
		switch {
		case m.resource.ParentId == nil:
			return badRequest("Root resource cannot update its parentId.")
		case m.api.inside(parent, *m.resource.Id):
			return badRequest("Resources cannot be cyclical.")
		}
		return m.api.place(&m.resource, parent)
	}},
	{Pattern: "/pathPart", Ops: replace, Apply: func(m *resourceMove, o patch.Operation, _ []string) error {
		if m.resource.ParentId == nil {
			return badRequest("Root resource cannot update its pathPart.")
		}
		if _, kind := route.Variable(awsapi.Val(o.Value)); kind == route.Greedy && m.api.hasChildren(*m.resource.Id) {
			return badRequest("Cannot create a child of a resource with a greedy path variable: %s", *o.Value)
		}
		m.resource.PathPart = o.Value
		return m.api.place(&m.resource, *m.resource.ParentId)
	}},
}}

func (a *restAPI) hasChildren(id string) bool {
	for _, r := range a.Resources {
		if awsapi.Val(r.ParentId) == id {
			return true
		}
	}
	return false
}

// DeleteResource deletes a resource and all below it.
func (s *Service) DeleteResource(ctx context.Context, in *api.DeleteResourceRequest) (*api.DeleteResourceOutput, error) {
	err := s.changeResource(ctx, in.RestApiId, func(a *restAPI) error {
		r, err := a.resource(in.ResourceId)
		if err != nil {
			return err
		}
		if r.ParentId == nil {
			return badRequest("Root resource cannot be deleted.")
		}
		var gone []string
		for id := range a.Resources {
			if a.inside(id, *r.Id) {
				gone = append(gone, id)
			}
		}
		for _, id := range gone {
			delete(a.Resources, id)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteResourceOutput{}, nil
}

// viewResource and changeResource are view and change for the operations that name a resource: an API
// that is not there is, to them, a resource that is not.
func (s *Service) viewResource(ctx context.Context, id *string, f func(*restAPI) error) error {
	return resourceError(s.view(ctx, id, f))
}

func (s *Service) changeResource(ctx context.Context, id *string, f func(*restAPI) error) error {
	return resourceError(s.change(ctx, id, f))
}

func resourceError(err error) error {
	if e, ok := err.(*awsapi.Error); ok && strings.HasPrefix(e.Message, "Invalid API identifier") {
		return errNoResource
	}
	return err
}
