package lambda

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

func (r *rig) layer(name string, zip []byte, change ...func(*api.PublishLayerVersionRequest)) *api.PublishLayerVersionResponse {
	r.t.Helper()
	in := &api.PublishLayerVersionRequest{LayerName: &name, Content: &api.LayerVersionContentInput{ZipFile: zip}}
	for _, f := range change {
		f(in)
	}
	return must(r.PublishLayerVersion(r.ctx(), in))(r.t)
}

const arnL = "arn:aws:lambda:us-east-1:000000000000:layer:l"

func TestLayer(t *testing.T) {
	r := newRig(t)
	zip := packed(t, "python/lib.py", "x = 1")
	first := r.layer("l", zip, func(in *api.PublishLayerVersionRequest) {
		in.Description, in.LicenseInfo = new("d"), new("MIT")
		in.CompatibleRuntimes, in.CompatibleArchitectures = []string{"python3.12"}, []string{"x86_64"}
	})
	if *first.LayerArn != arnL || *first.LayerVersionArn != arnL+":1" || *first.Version != 1 ||
		*first.CreatedDate != "2024-05-06T07:08:09.123+0000" || *first.Content.CodeSize != int64(len(zip)) {
		t.Errorf("published %v", members(t, first))
	}
	second := r.layer("l", packed(t, "python/lib.py", "x = 2"))
	if *second.Version != 2 || *second.Description != "" || second.LicenseInfo != nil || second.CompatibleRuntimes != nil {
		t.Errorf("published %v", members(t, second))
	}
	for _, get := range []func() (*api.GetLayerVersionResponse, error){
		func() (*api.GetLayerVersionResponse, error) {
			return r.GetLayerVersion(r.ctx(), &api.GetLayerVersionRequest{LayerName: new("l"), VersionNumber: new(int64(1))})
		},
		func() (*api.GetLayerVersionResponse, error) {
			return r.GetLayerVersion(r.ctx(), &api.GetLayerVersionRequest{LayerName: new(arnL), VersionNumber: new(int64(1))})
		},
		func() (*api.GetLayerVersionResponse, error) {
			return r.GetLayerVersionByArn(r.ctx(), &api.GetLayerVersionByArnRequest{Arn: new(arnL + ":1")})
		},
	} {
		if got := must(get())(t); fmt.Sprint(members(t, got)) != fmt.Sprint(members(t, first)) {
			t.Errorf("got %v\nwant %v", members(t, got), members(t, first))
		}
	}
	w := httptest.NewRecorder()
	r.Packages().ServeHTTP(w, httptest.NewRequest(http.MethodGet, *first.Content.Location, nil))
	if body := must(io.ReadAll(w.Body))(t); !bytes.Equal(body, zip) {
		t.Errorf("downloaded %d bytes, status %d", len(body), w.Code)
	}

	versions := must(r.ListLayerVersions(r.ctx(), &api.ListLayerVersionsRequest{LayerName: new("l")}))(t)
	if len(versions.LayerVersions) != 2 || *versions.LayerVersions[0].Version != 2 {
		t.Errorf("versions %v", members(t, versions))
	}
	r.layer("another", zip)
	layers := must(r.ListLayers(r.ctx(), &api.ListLayersRequest{}))(t)
	if len(layers.Layers) != 2 || *layers.Layers[1].LayerName != "l" || *layers.Layers[1].LatestMatchingVersion.Version != 2 {
		t.Errorf("layers %v", members(t, layers))
	}
	layers = must(r.ListLayers(r.ctx(), &api.ListLayersRequest{CompatibleRuntime: new("python3.12"), CompatibleArchitecture: new("x86_64")}))(t)
	if len(layers.Layers) != 1 || *layers.Layers[0].LatestMatchingVersion.Version != 1 {
		t.Errorf("layers for Python %v", members(t, layers))
	}

	must(r.DeleteLayerVersion(r.ctx(), &api.DeleteLayerVersionRequest{LayerName: new("l"), VersionNumber: new(int64(2))}))(t)
	must(r.DeleteLayerVersion(r.ctx(), &api.DeleteLayerVersionRequest{LayerName: new("l"), VersionNumber: new(int64(2))}))(t)
	if third := r.layer("l", zip); *third.Version != 3 {
		t.Errorf("the number of a deleted version is used again: %d", *third.Version)
	}
	for number, c := range map[int64]struct {
		kind *awsapi.ErrorType
		want string
	}{0: {api.InvalidParameterValueException, "Layer Version Cannot be less than 1"},
		2: {api.ResourceNotFoundException, "The resource you requested does not exist."}} {
		_, err := r.GetLayerVersion(r.ctx(), &api.GetLayerVersionRequest{LayerName: new("l"), VersionNumber: &number})
		wantError(t, err, c.kind, c.want)
	}
	_, err := r.GetLayerVersionByArn(r.ctx(), &api.GetLayerVersionByArnRequest{Arn: new(arnL)})
	wantError(t, err, awsapi.ValidationException, "1 validation error detected: Value '"+arnL+"' at 'arn' failed to satisfy constraint: …")
	_, err = r.PublishLayerVersion(r.ctx(), &api.PublishLayerVersionRequest{LayerName: new("l"), Content: &api.LayerVersionContentInput{ZipFile: []byte("no")}})
	wantError(t, err, api.InvalidParameterValueException, "Could not unzip uploaded file. Please check your file, then try to upload again.")
}

// A function keeps the layers it has, even deleted ones, and they count towards its size.
func TestFunctionWithLayers(t *testing.T) {
	r := newRig(t)
	one := r.layer("l", packed(t, "python/lib.py", "x = 1"))
	two := r.layer("l", packed(t, "python/lib.py", "x = 2"))
	other := r.layer("m", packed(t, "python/more.py", "y = 1"))
	large := r.layer("large", packed(t, "zeros", "00"))
	must(0, r.Store.Update(t.Context(), func(tx store.Tx) error { // as if its one file were that large
		key := layerVersionKey(scope{account, region}, "large", 1)
		v, _, err := store.GetRecord[layerVersion](tx, key)
		v.Code.Unpacked = maxUnpacked - 10
		return errors.Join(err, store.SetRecord(tx, key, v))
	}))(t)
	in := request(t, "f")
	in.Layers = []string{*two.LayerVersionArn, *other.LayerVersionArn}
	created := r.create(in)
	if len(created.Layers) != 2 || *created.Layers[0].Arn != arnL+":2" || *created.Layers[0].CodeSize != *two.Content.CodeSize {
		t.Errorf("created %v", members(t, created))
	}
	update := func(layers ...string) error {
		_, err := r.UpdateFunctionConfiguration(r.ctx(), &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), Layers: layers})
		r.settle("f")
		return err
	}
	wantError(t, update(*one.LayerVersionArn, *two.LayerVersionArn), api.InvalidParameterValueException,
		"Two different versions of the same layer are not allowed to be referenced in the same function. "+arnL+":1 and "+arnL+":2 are versions of the same layer.")
	wantError(t, update(*large.LayerVersionArn, *two.LayerVersionArn), api.InvalidParameterValueException, "Unzipped size must be smaller than 262144000 bytes")
	wantError(t, update("arn:aws:lambda:eu-west-1:000000000000:layer:l:1"), api.InvalidParameterValueException,
		"Layers are not in the same region as the function. Layers are expected to be in region us-east-1.")
	wantError(t, update("nonsense"), awsapi.ValidationException, "1 validation error detected: Value '[nonsense]' at 'layers' failed to satisfy constraint: …")

	must(r.DeleteLayerVersion(r.ctx(), &api.DeleteLayerVersionRequest{LayerName: new("l"), VersionNumber: new(int64(2))}))(t)
	must(0, errors.Join(os.RemoveAll(r.codeRoot()), os.Mkdir(r.codeRoot(), 0o755)))(t)
	must(0, r.sweep(t.Context()))(t)
	must(0, r.store.View(t.Context(), func(v store.Reader) error {
		f := must(resolve(v, account, region, "f", ""))(t)
		dirs := must(r.layerDirs(t.Context(), f.version))(t)
		if b := must(os.ReadFile(filepath.Join(dirs[0], "python/lib.py")))(t); string(b) != "x = 2" || len(dirs) != 2 {
			t.Errorf("%v: %s", dirs, b)
		}
		return nil
	}))(t)
	must(0, update([]string{}...))(t)
	for name, number := range map[string]int64{"l": 1, "m": 1, "large": 1} {
		must(r.DeleteLayerVersion(r.ctx(), &api.DeleteLayerVersionRequest{LayerName: &name, VersionNumber: &number}))(t)
	}
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f")}))(t)
	nothingStored(t, r, "f")
}

func TestLayerPermissions(t *testing.T) {
	r := newRig(t)
	zip := packed(t, "python/lib.py", "x = 1")
	r.layer("l", zip)
	add := func(sid, principal string, revision *string) (*api.AddLayerVersionPermissionResponse, error) {
		return r.AddLayerVersionPermission(r.ctx(), &api.AddLayerVersionPermissionRequest{LayerName: new("l"), VersionNumber: new(int64(1)),
			StatementId: &sid, Action: new("lambda:GetLayerVersion"), Principal: &principal, RevisionId: revision})
	}
	friend := as(t, "111111111111", region)
	use := func() error {
		in := request(t, "g")
		in.Layers = []string{arnL + ":1"}
		_, err := r.CreateFunction(friend, in)
		return err
	}
	wantError(t, use(), awsapi.AccessDenied, "User: arn:aws:iam::111111111111:root is not authorized to perform: lambda:GetLayerVersion on resource: "+
		arnL+":1 because no resource-based policy allows the lambda:GetLayerVersion action")
	_, err := r.GetLayerVersionByArn(friend, &api.GetLayerVersionByArnRequest{Arn: new(arnL + ":1")})
	wantError(t, err, awsapi.AccessDenied, "User: …")
	_, err = r.GetLayerVersionPolicy(r.ctx(), &api.GetLayerVersionPolicyRequest{LayerName: new("l"), VersionNumber: new(int64(1))})
	wantError(t, err, api.ResourceNotFoundException, "No policy is associated with the given resource.")

	added := must(add("friends", "111111111111", nil))(t)
	statement := `{"Sid":"friends","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"lambda:GetLayerVersion","Resource":"` + arnL + `:1"}`
	if *added.Statement != statement {
		t.Errorf("statement %s", *added.Statement)
	}
	policy := must(r.GetLayerVersionPolicy(r.ctx(), &api.GetLayerVersionPolicyRequest{LayerName: new("l"), VersionNumber: new(int64(1))}))(t)
	if *policy.Policy != `{"Version":"2012-10-17","Id":"default","Statement":[`+statement+`]}` || *policy.RevisionId != *added.RevisionId {
		t.Errorf("policy %s", *policy.Policy)
	}
	if err := use(); err != nil {
		t.Error(err)
	}
	must(r.GetLayerVersionByArn(friend, &api.GetLayerVersionByArnRequest{Arn: new(arnL + ":1")}))(t)

	_, err = add("friends", "*", nil)
	wantError(t, err, api.ResourceConflictException, "The statement id (friends) provided already exists. Please provide a new statement id, or remove the existing statement.")
	_, err = add("all", "*", new("wrong"))
	wantError(t, err, api.PreconditionFailedException, "The Revision Id provided does not match the latest Revision Id. Call the GetLayerPolicy API to retrieve the latest Revision Id")
	remove := func(sid string, number int64) error {
		_, err := r.RemoveLayerVersionPermission(r.ctx(), &api.RemoveLayerVersionPermissionRequest{LayerName: new("l"), VersionNumber: &number, StatementId: &sid})
		return err
	}
	wantError(t, remove("none", 1), api.ResourceNotFoundException, "Statement none is not found in resource policy.")
	wantError(t, remove("friends", 9), api.ResourceNotFoundException, "Layer version "+arnL+":9 does not exist.")
	must(0, remove("friends", 1))(t)
	_, err = r.GetLayerVersionByArn(friend, &api.GetLayerVersionByArnRequest{Arn: new(arnL + ":1")})
	wantError(t, err, awsapi.AccessDenied, "User: …")
}

func FuzzReferLayer(f *testing.F) {
	f.Add(arnL + ":1")
	f.Add("l")
	f.Add("arn:aws:lambda:us-east-1:000000000000:layer:l:99999999999999999999")
	f.Fuzz(func(t *testing.T, name string) {
		ref := referLayer(scope{account, region}, name)
		if ref.Number < 0 || ref.Number > 0 && referLayer(scope{}, ref.ARN()) != ref {
			t.Errorf("%q: %+v", name, ref)
		}
	})
}
