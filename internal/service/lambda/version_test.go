package lambda

import (
	"fmt"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

const arnF = "arn:aws:lambda:us-east-1:000000000000:function:f"

func (r *rig) publish(name string, description *string) *api.FunctionConfiguration {
	r.t.Helper()
	out := must(r.PublishVersion(r.ctx(), &api.PublishVersionRequest{FunctionName: &name, Description: description}))(r.t)
	r.settle(name)
	return out
}

func (r *rig) describe(name, description string) {
	r.t.Helper()
	must(r.UpdateFunctionConfiguration(r.ctx(), &api.UpdateFunctionConfigurationRequest{FunctionName: &name, Description: &description}))(r.t)
	r.settle(name)
}

func TestPublishVersion(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.describe("f", "First version :)")
	first := r.publish("f", new("First version description :)"))
	if *first.Version != "1" || *first.FunctionArn != arnF+":1" || *first.Description != "First version description :)" ||
		*first.State != "Active" || *first.LastUpdateStatus != "Successful" {
		t.Errorf("got %v", members(t, first))
	}
	if again := r.publish("f", nil); *again.Version != "1" || *again.RevisionId != *first.RevisionId {
		t.Errorf("nothing changed, and there is version %s", *again.Version)
	}
	r.describe("f", "Second version :))")
	before := *must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: new("f")}))(t).RevisionId
	if second := r.publish("f", nil); *second.Version != "2" || *second.Description != "Second version :))" {
		t.Errorf("got %v", members(t, second))
	}
	if after := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: new("f")}))(t); *after.RevisionId == before {
		t.Error("publishing leaves the revision of $LATEST")
	}
	unchanged := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: new("f"), Qualifier: new("1")}))(t)
	if *unchanged.Description != "First version description :)" || *unchanged.RevisionId != *first.RevisionId {
		t.Errorf("version 1 changed: %v", members(t, unchanged))
	}
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f:2")}))(t)
	if third := r.publish("f", nil); *third.Version != "3" {
		t.Errorf("after version 2 was deleted there is version %s", *third.Version)
	}
	out := must(r.ListVersionsByFunction(r.ctx(), &api.ListVersionsByFunctionRequest{FunctionName: new("f")}))(t)
	var numbers []string
	for _, v := range out.Versions {
		numbers = append(numbers, strings.TrimPrefix(*v.FunctionArn, arnF+":"))
	}
	if got := fmt.Sprint(numbers); got != "[$LATEST 1 3]" {
		t.Errorf("versions %s", got)
	}
}

func TestPublishVersionRefuses(t *testing.T) {
	r := newRig(t)
	created := r.create(request(t, "f"))
	_, err := r.PublishVersion(r.ctx(), &api.PublishVersionRequest{FunctionName: new("f"), CodeSha256: new("c29tZW5vbmV4aXN0ZW50c2hhMjU2aGFzaA==")})
	wantError(t, err, api.InvalidParameterValueException, "CodeSHA256 (c29tZW5vbmV4aXN0ZW50c2hhMjU2aGFzaA==) is different from current CodeSHA256 in $LATEST ("+
		*created.CodeSha256+"). Please try again with the CodeSHA256 in $LATEST.")
	_, err = r.PublishVersion(r.ctx(), &api.PublishVersionRequest{FunctionName: new("f"), RevisionId: created.RevisionId})
	wantError(t, err, api.PreconditionFailedException, "The Revision Id provided…")
	_, err = r.PublishVersion(r.ctx(), &api.PublishVersionRequest{FunctionName: new("none")})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none")
	must(r.PublishVersion(r.ctx(), &api.PublishVersionRequest{FunctionName: new("f"), CodeSha256: created.CodeSha256}))(t)
}

// CreateFunction and UpdateFunctionCode publish what they made, when asked to.
func TestPublishTogether(t *testing.T) {
	r := newRig(t)
	in := request(t, "f")
	in.Publish = new(true)
	created := r.create(in)
	if *created.Version != "1" || *created.State != "Pending" || *created.FunctionArn != arnF {
		t.Errorf("created %v", members(t, created))
	}
	updated := must(r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("f"), Publish: new(true),
		ZipFile: packed(t, "app.py", "new")}))(t)
	r.settle("f")
	if *updated.Version != "2" || *updated.FunctionArn != arnF+":2" || *updated.CodeSha256 == *created.CodeSha256 {
		t.Errorf("updated %v", members(t, updated))
	}
	for _, q := range []string{"$LATEST", "1", "2"} {
		c := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: new("f"), Qualifier: &q}))(t)
		if *c.State != "Active" || *c.LastUpdateStatus != "Successful" || *c.FunctionArn != arnF+":"+q {
			t.Errorf("%s: %v", q, members(t, c))
		}
	}
}

func TestDeleteVersionRefuses(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}))(t)
	for qualifier, want := range map[string]struct {
		kind *awsapi.ErrorType
		text string
	}{
		"1":       {api.ResourceConflictException, "Unable to delete version because the following aliases reference it: [live]"},
		"$LATEST": {api.InvalidParameterValueException, "$LATEST version cannot be deleted without deleting the function."},
		"live":    {api.InvalidParameterValueException, "Deletion of aliases is not currently supported."},
	} {
		_, err := r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f"), Qualifier: &qualifier})
		wantError(t, err, want.kind, want.text)
	}
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f"), Qualifier: new("7")}))(t)
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f")}))(t)
	nothingStored(t, r, "f")
}

func TestAlias(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	r.describe("f", "two")
	r.publish("f", nil)
	weights := func(m map[string]float64) *api.AliasRoutingConfiguration {
		return &api.AliasRoutingConfiguration{AdditionalVersionWeights: m}
	}
	created := must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1"),
		Description: new("d"), RoutingConfig: weights(map[string]float64{"2": 0.25})}))(t)
	if *created.AliasArn != arnF+":live" || *created.FunctionVersion != "1" || created.RoutingConfig.AdditionalVersionWeights["2"] != 0.25 {
		t.Errorf("created %v", members(t, created))
	}
	got := must(r.GetAlias(r.ctx(), &api.GetAliasRequest{FunctionName: new("f"), Name: new("live")}))(t)
	if fmt.Sprint(members(t, got)) != fmt.Sprint(members(t, created)) {
		t.Errorf("got %v, created %v", members(t, got), members(t, created))
	}
	config := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: new("f:live")}))(t)
	if *config.Version != "1" || *config.FunctionArn != arnF+":live" {
		t.Errorf("config %v", members(t, config))
	}
	updated := must(r.UpdateAlias(r.ctx(), &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("2"),
		RoutingConfig: weights(map[string]float64{}), RevisionId: created.RevisionId}))(t)
	if *updated.FunctionVersion != "2" || updated.RoutingConfig != nil || *updated.Description != "d" || *updated.RevisionId == *created.RevisionId {
		t.Errorf("updated %v", members(t, updated))
	}
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("dev"), FunctionVersion: new("$LATEST")}))(t)
	list := must(r.ListAliases(r.ctx(), &api.ListAliasesRequest{FunctionName: new("f"), MaxItems: new(int32(1))}))(t)
	if len(list.Aliases) != 1 || *list.Aliases[0].Name != "dev" || list.NextMarker == nil {
		t.Errorf("list %v", members(t, list))
	}
	list = must(r.ListAliases(r.ctx(), &api.ListAliasesRequest{FunctionName: new("f"), FunctionVersion: new("2")}))(t)
	if len(list.Aliases) != 1 || *list.Aliases[0].Name != "live" || list.NextMarker != nil {
		t.Errorf("list %v", members(t, list))
	}
	for range 2 {
		must(r.DeleteAlias(r.ctx(), &api.DeleteAliasRequest{FunctionName: new("f"), Name: new("live")}))(t)
	}
	_, err := r.GetAlias(r.ctx(), &api.GetAliasRequest{FunctionName: new("f"), Name: new("live")})
	wantError(t, err, api.ResourceNotFoundException, "Cannot find alias arn: "+arnF+":live")
}

func TestAliasRefuses(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("taken"), FunctionVersion: new("1")}))(t)
	for name, c := range map[string]struct {
		alias, number string
		weights       map[string]float64
		kind          *awsapi.ErrorType
		want          string
	}{
		"taken":       {"taken", "1", nil, api.ResourceConflictException, "Alias already exists: " + arnF + ":taken"},
		"number":      {"123", "1", nil, awsapi.ValidationException, "1 validation error detected: Value '123' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"},
		"no version":  {"a", "9", nil, api.ResourceNotFoundException, "Function not found: " + arnF + ":9"},
		"two weights": {"a", "1", map[string]float64{"2": 0.5, "3": 0.5}, api.InvalidParameterValueException, "Number of items in AdditionalVersionWeights cannot be greater than 1"},
		"too heavy": {"a", "1", map[string]float64{"2": 2}, awsapi.ValidationException,
			"1 validation error detected: Value '{2=2.0}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"},
		"itself":     {"a", "1", map[string]float64{"1": 0.5}, api.InvalidParameterValueException, "Invalid function version 1. Function version 1 is already included in routing configuration."},
		"of $LATEST": {"a", "$LATEST", map[string]float64{"1": 0.5}, api.InvalidParameterValueException, "$LATEST is not supported for an alias pointing to more than 1 version"},
		"to $LATEST": {"a", "1", map[string]float64{"$LATEST": 0.5}, awsapi.ValidationException, "1 validation error detected: Value '{$LATEST=0.5}' at 'routingConfig.additionalVersionWeights' failed to satisfy constraint: Map keys…"},
		"to none":    {"a", "1", map[string]float64{"9": 0.5}, api.ResourceNotFoundException, "Function not found: " + arnF + ":9"},
	} {
		t.Run(name, func(t *testing.T) {
			in := &api.CreateAliasRequest{FunctionName: new("f"), Name: &c.alias, FunctionVersion: &c.number}
			if c.weights != nil {
				in.RoutingConfig = &api.AliasRoutingConfiguration{AdditionalVersionWeights: c.weights}
			}
			_, err := r.CreateAlias(r.ctx(), in)
			wantError(t, err, c.kind, c.want)
		})
	}
	_, err := r.UpdateAlias(r.ctx(), &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("none")})
	wantError(t, err, api.ResourceNotFoundException, "Alias not found: "+arnF+":none")
	_, err = r.UpdateAlias(r.ctx(), &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("taken"), RevisionId: new("wrong")})
	wantError(t, err, api.PreconditionFailedException, "The Revision Id provided…")
	_, err = r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("none"), Name: new("a"), FunctionVersion: new("1")})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none:1")
}

// An alias sends its share of invocations to the additional version.
func TestAliasWeights(t *testing.T) {
	a := alias{Version: "1", Weights: map[string]float64{"2": 0.25}}
	for at, want := range map[float64]string{0: "2", 0.2499: "2", 0.25: "1", 0.9999: "1"} {
		if got := a.pick(at); got != want {
			t.Errorf("at %v: %s, want %s", at, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}))(t)
	must(0, r.store.View(t.Context(), func(v store.Reader) error {
		for _, c := range []struct{ name, qualifier, number, invoked string }{
			{"f", "", "$LATEST", arnF},
			{"f", "$LATEST", "$LATEST", arnF + ":$LATEST"},
			{"f:1", "", "1", arnF + ":1"},
			{arnF, "live", "1", arnF + ":live"},
			{arnF + ":live", "live", "1", arnF + ":live"},
		} {
			got, err := resolve(v, account, region, c.name, c.qualifier)
			if err != nil {
				t.Errorf("%s %s: %v", c.name, c.qualifier, err)
				continue
			}
			if got.Number != c.number || got.InvokedARN() != c.invoked || (got.Alias != nil) != strings.HasSuffix(c.invoked, "live") {
				t.Errorf("%s %s: %s as %s", c.name, c.qualifier, got.Number, got.InvokedARN())
			}
		}
		for name, want := range map[string]string{"none": "function:none", "f:2": "function:f:2", "f:dead": "function:f:dead"} {
			_, err := resolve(v, account, region, name, "")
			wantError(t, err, api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:"+want)
		}
		return nil
	}))(t)
}
