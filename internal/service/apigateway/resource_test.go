package apigateway

import (
	"slices"
	"testing"

	api "cirro/internal/awsapi/apigateway"
)

func (r *rig) paths(apiID string) []string {
	r.t.Helper()
	var out []string
	for _, x := range must[*api.Resources](r.t)(r.GetResources(r.ctx, &api.GetResourcesRequest{RestApiId: &apiID})).Items {
		out = append(out, *x.Path)
	}
	return out
}

func TestCreateResource(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	create := func(parent, part string) (*api.Resource, error) {
		return r.CreateResource(r.ctx, &api.CreateResourceRequest{RestApiId: &id, ParentId: &parent, PathPart: &part})
	}
	proxied := must[*api.Resource](t)(create(root, "{proxy+}"))
	if *proxied.Path != "/{proxy+}" || *proxied.ParentId != root || len(*proxied.Id) != 6 {
		t.Errorf("got %+v", proxied)
	}
	parent := r.resource(id, root, "parent")
	child := r.resource(id, parent, "{child}")
	r.resource(id, child, "{proxy+}")
	static := r.resource(id, child, "x")
	for _, c := range []struct{ parent, part, want string }{
		{root, "{x}", "BadRequestException: A sibling ({proxy+}) of this resource already has a variable path part -- only one is allowed"},
		{*proxied.Id, "x", "BadRequestException: Cannot create a child of a resource with a greedy path variable: {proxy+}"},
		{root, "parent", "ConflictException: Another resource with the same parent already has this name: parent"},
		{"nope", "x", "NotFoundException: Invalid Resource identifier specified"},
		{static, "{child}", "BadRequestException: Resource's path part contains a duplicate path parameter name: child"},
	} {
		out, err := create(c.parent, c.part)
		fails(t, c.want, out, err)
	}
	for _, part := range []string{"", "/", "a/b", "{x", "x}", "{+}", "a b", "{a}{b}", "x+", "é", "{x+}y", "a\n"} {
		out, err := create(parent, part)
		fails(t, "BadRequestException: Resource's path part only allow a-zA-Z0-9._- and curly braces at the beginning and the end and an optional plus sign before the closing brace.", out, err)
	}
	if got := r.paths(id); !slices.Equal(got, []string{"/", "/parent", "/parent/{child}", "/parent/{child}/x", "/parent/{child}/{proxy+}", "/{proxy+}"}) {
		t.Errorf("got %q", got)
	}
}

func TestUpdateResource(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	pets := r.resource(id, root, "pets")
	sub := r.resource(id, pets, "sub")
	inner := r.resource(id, sub, "pets")
	update := func(resource string, op api.PatchOperation) (*api.Resource, error) {
		return r.UpdateResource(r.ctx, &api.UpdateResourceRequest{RestApiId: &id, ResourceId: &resource, PatchOperations: []api.PatchOperation{op}})
	}
	for _, c := range []struct {
		resource string
		op       api.PatchOperation
		want     string
	}{
		{"nope", value("replace", "/pathPart", "x"), "NotFoundException: Invalid Resource identifier specified"},
		{sub, value("replace", "/invalid", "x"), "BadRequestException: Invalid patch path  '/invalid' specified for op 'replace'. Must be one of: [/parentId, /pathPart]"},
		{sub, bare("remove", "/pathPart"), "BadRequestException: Invalid patch path  '/pathPart' specified for op 'remove'. Please choose supported operations"},
		{sub, value("replace", "/parentId", "nope"), "NotFoundException: Invalid Resource identifier specified"},
		{inner, value("replace", "/parentId", root), "ConflictException: Another resource with the same parent already has this name: pets"},
		{sub, value("replace", "/parentId", inner), "BadRequestException: Resources cannot be cyclical."},
		{sub, value("replace", "/parentId", sub), "BadRequestException: Resources cannot be cyclical."},
		{root, value("replace", "/pathPart", "x"), "BadRequestException: Root resource cannot update its pathPart."},
		{root, value("replace", "/parentId", sub), "BadRequestException: Root resource cannot update its parentId."},
		{sub, value("replace", "/pathPart", "{x+}"), "BadRequestException: Cannot create a child of a resource with a greedy path variable: {x+}"},
	} {
		out, err := update(c.resource, c.op)
		fails(t, c.want, out, err)
	}
	must[*api.Resource](t)(update(pets, value("replace", "/pathPart", "dogs")))
	if got := r.paths(id); !slices.Equal(got, []string{"/", "/dogs", "/dogs/sub", "/dogs/sub/pets"}) {
		t.Errorf("renamed: %q", got)
	}
	if moved := must[*api.Resource](t)(update(sub, value("replace", "/parentId", root))); *moved.Path != "/sub" || *moved.ParentId != root {
		t.Errorf("got %+v", moved)
	}
	if got := r.paths(id); !slices.Equal(got, []string{"/", "/dogs", "/sub", "/sub/pets"}) {
		t.Errorf("moved: %q", got)
	}
	must[*api.DeleteResourceOutput](t)(r.DeleteResource(r.ctx, &api.DeleteResourceRequest{RestApiId: &id, ResourceId: &sub}))
	if got := r.paths(id); !slices.Equal(got, []string{"/", "/dogs"}) {
		t.Errorf("deleted: %q", got)
	}
	out, err := r.DeleteResource(r.ctx, &api.DeleteResourceRequest{RestApiId: &id, ResourceId: &inner})
	fails(t, "NotFoundException: Invalid Resource identifier specified", out, err)
	outRoot, err := r.DeleteResource(r.ctx, &api.DeleteResourceRequest{RestApiId: &id, ResourceId: &root})
	fails(t, "BadRequestException: Root resource cannot be deleted.", outRoot, err)
}

func TestGetResourcesEmbed(t *testing.T) {
	r := newRig(t)
	id, root := r.newAPI(api.CreateRestApiRequest{})
	r.proxied(id, root, "GET", fnARN)
	brief := must[*api.Resource](t)(r.GetResource(r.ctx, &api.GetResourceRequest{RestApiId: &id, ResourceId: &root}))
	if m, ok := brief.ResourceMethods["GET"]; !ok || m.HttpMethod != nil {
		t.Errorf("got %+v", brief.ResourceMethods)
	}
	whole := must[*api.Resources](t)(r.GetResources(r.ctx, &api.GetResourcesRequest{RestApiId: &id, Embed: []string{"methods"}}))
	if m := whole.Items[0].ResourceMethods["GET"]; m.MethodIntegration == nil || *m.MethodIntegration.TimeoutInMillis != 29000 {
		t.Errorf("got %+v", m)
	}
}
