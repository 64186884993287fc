package lambda

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// The answer to CreateFunction and the configuration afterwards, to the last field.
func TestFunctionLifecycle(t *testing.T) {
	r := newRig(t)
	in := request(t, "f")
	in.Environment = &api.Environment{}
	in.MemorySize, in.Timeout = new(int32(256)), new(int32(5))
	created := r.create(in)
	arn := "arn:aws:lambda:us-east-1:000000000000:function:f"
	code := must(lookupCode(r, "f"))(t)
	want := map[string]any{
		"Architectures": []any{"x86_64"}, "CodeSha256": code.sha256Base64(), "CodeSize": float64(len(in.Code.ZipFile)),
		"Description": "", "Environment": map[string]any{"Variables": map[string]any{}},
		"EphemeralStorage": map[string]any{"Size": 512.0}, "FunctionArn": arn, "FunctionName": "f", "Handler": "app.handler",
		"LastModified": "2024-05-06T07:08:09.123+0000", "LoggingConfig": map[string]any{"LogFormat": "Text", "LogGroup": "/aws/lambda/f"},
		"MemorySize": 256.0, "PackageType": "Zip", "Role": role, "Runtime": "python3.12",
		"RuntimeVersionConfig": map[string]any{"RuntimeVersionArn": runtimeVersion(region, "python3.12")},
		"SnapStart":            map[string]any{"ApplyOn": "None", "OptimizationStatus": "Off"},
		"State":                "Pending", "StateReason": "The function is being created.", "StateReasonCode": "Creating",
		"Timeout": 5.0, "TracingConfig": map[string]any{"Mode": "PassThrough"}, "Version": "$LATEST",
	}
	got := members(t, created)
	first := got["RevisionId"]
	delete(got, "RevisionId")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("created: got %v\nwant %v", got, want)
	}

	delete(want, "StateReason")
	delete(want, "StateReasonCode")
	want["State"], want["LastUpdateStatus"] = "Active", "Successful"
	found := must(r.GetFunction(r.ctx(), &api.GetFunctionRequest{FunctionName: new("f")}))(t)
	got = members(t, found.Configuration)
	if got["RevisionId"] == first {
		t.Error("the revision stayed as the state changed")
	}
	delete(got, "RevisionId")
	if !reflect.DeepEqual(got, want) {
		t.Errorf("active: got %v\nwant %v", got, want)
	}
	if *found.Code.RepositoryType != "S3" || found.Concurrency != nil || found.Tags != nil {
		t.Errorf("got %+v", members(t, found))
	}

	updated := must(r.UpdateFunctionConfiguration(r.ctx(), &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"),
		Description: new("Changed"), Timeout: new(int32(10)), MemorySize: new(int32(512)), Runtime: new("python3.11"),
		Environment: &api.Environment{Variables: map[string]string{"AB": "a"}}}))(t)
	got = members(t, updated)
	for field, value := range map[string]any{"State": "Active", "LastUpdateStatus": "InProgress",
		"LastUpdateStatusReason": "The function is being created.", "LastUpdateStatusReasonCode": "Creating",
		"Description": "Changed", "Timeout": 10.0, "MemorySize": 512.0, "Runtime": "python3.11", "Handler": "app.handler"} {
		if got[field] != value {
			t.Errorf("%s = %v, want %v", field, got[field], value)
		}
	}
	r.settle("f")
	if len(r.runner.retired) != 1 {
		t.Errorf("retired %v, want the environments of before the update", r.runner.retired)
	}

	newZip := packed(t, "app.py", "another")
	must(r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: &arn, ZipFile: newZip}))(t)
	r.settle("f")
	config := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: &arn}))(t)
	if *config.LastUpdateStatus != "Successful" || *config.CodeSize != int64(len(newZip)) || *config.CodeSha256 == *created.CodeSha256 {
		t.Errorf("got %v", members(t, config))
	}

	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f")}))(t)
	_, err := r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: "+arn)
	if err.(*awsapi.Error).Fields["Type"] != "User" {
		t.Errorf("fields %v", err.(*awsapi.Error).Fields)
	}
	_, err = r.GetFunction(r.ctx(), &api.GetFunctionRequest{FunctionName: new("f"), Qualifier: new("3")})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: "+arn+":3")
	nothingStored(t, r, "f")
}

// nothingStored looks that nothing of a function, nor any package without a use, is left in the store.
func nothingStored(t *testing.T, r *rig, name string) {
	t.Helper()
	must(0, r.sweep(t.Context()))(t)
	err := r.store.View(t.Context(), func(v store.Reader) error {
		for kv, err := range v.Range(store.Prefix("lambda")) {
			if err != nil {
				return err
			}
			parts := must(store.Split(kv.Key))(t)
			if len(parts) > 4 && parts[4] == name || parts[1] == "package" || parts[1] == "released" || parts[1] == "url-id" {
				t.Errorf("left over: %v", parts)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	filepath.Walk(filepath.Join(r.path, "blobs"), func(path string, info os.FileInfo, _ error) error {
		if info.Mode().IsRegular() {
			t.Errorf("left over: %s", path)
		}
		return nil
	})
}

func lookupCode(r *rig, name string) (c code, err error) {
	err = r.store.View(r.t.Context(), func(v store.Reader) error {
		t, err := resolve(v, account, region, name, "")
		if err == nil {
			c = t.Code
		}
		return err
	})
	return c, err
}

// members are the members of an output that are there.
func members(t *testing.T, v any) map[string]any {
	t.Helper()
	var strip func(any) any
	strip = func(v any) any {
		m, ok := v.(map[string]any)
		if !ok {
			return v
		}
		for k, e := range m {
			if e == nil {
				delete(m, k)
			} else {
				m[k] = strip(e)
			}
		}
		return m
	}
	b := must(json.Marshal(v))(t)
	var out any
	must(0, json.Unmarshal(b, &out))(t)
	return strip(out).(map[string]any)
}

func TestCreateFunctionRefuses(t *testing.T) {
	r := newRig(t)
	r.function("taken")
	big := map[string]string{"BIG": strings.Repeat("x", 4096)}
	for name, c := range map[string]struct {
		change func(in *api.CreateFunctionRequest)
		kind   *awsapi.ErrorType
		want   string
	}{
		"taken": {func(in *api.CreateFunctionRequest) { in.FunctionName = new("taken") },
			api.ResourceConflictException, "Function already exist: taken"},
		"unknown runtime": {func(in *api.CreateFunctionRequest) { in.Runtime = new("non-existent-runtime") }, api.InvalidParameterValueException,
			"Value non-existent-runtime at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [nodejs20.x, …"},
		"blocked runtime": {func(in *api.CreateFunctionRequest) { in.Runtime = new("python3.7") }, api.InvalidParameterValueException,
			"The runtime parameter of python3.7 is no longer supported for creating or updating AWS Lambda functions. We recommend you use a supported runtime while creating or updating functions."},
		"no handler": {func(in *api.CreateFunctionRequest) { in.Handler = nil }, api.InvalidParameterValueException,
			"Runtime and Handler are mandatory parameters for functions created with deployment packages."},
		"bad role": {func(in *api.CreateFunctionRequest) { in.Role = new("r1") }, awsapi.ValidationException,
			`1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`},
		"reserved variables": {func(in *api.CreateFunctionRequest) {
			in.Environment = &api.Environment{Variables: map[string]string{"AWS_REGION": "x", "OK": "y", "AWS_ACCESS_KEY_ID": "z"}}
		}, api.InvalidParameterValueException, "Lambda was unable to configure your environment variables because the environment variables you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: AWS_ACCESS_KEY_ID, AWS_REGION"},
		"4 KB": {func(in *api.CreateFunctionRequest) { in.Environment = &api.Environment{Variables: big} }, api.InvalidParameterValueException,
			`Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {"BIG":"xxx…`},
		"variable name": {func(in *api.CreateFunctionRequest) {
			in.Environment = &api.Environment{Variables: map[string]string{"1a": "x"}}
		}, api.InvalidParameterValueException, "1 validation error detected: Value at 'environment.variables' failed…"},
		"memory":  {func(in *api.CreateFunctionRequest) { in.MemorySize = new(int32(127)) }, awsapi.ValidationException, "1 validation error detected: Value '127' at 'memorySize' failed to satisfy constraint: Member must have value greater than or equal to 128"},
		"timeout": {func(in *api.CreateFunctionRequest) { in.Timeout = new(int32(901)) }, awsapi.ValidationException, "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: Member must have value less than or equal to 900"},
		"tmp": {func(in *api.CreateFunctionRequest) {
			in.EphemeralStorage = &api.EphemeralStorage{Size: new(int32(10241))}
		}, awsapi.ValidationException,
			"1 validation error detected: Value '10241' at 'ephemeralStorage.size' failed to satisfy constraint: Member must have value less than or equal to 10240"},
		"two architectures": {func(in *api.CreateFunctionRequest) { in.Architectures = []string{"x86_64", "arm64"} }, awsapi.ValidationException,
			"1 validation error detected: Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member must have length less than or equal to 1"},
		"unknown architecture": {func(in *api.CreateFunctionRequest) { in.Architectures = []string{"X64"} }, awsapi.ValidationException,
			"1 validation error detected: Value '[X64]' at 'architectures' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]"},
		"no zip": {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = []byte("this is no zip") }, api.InvalidParameterValueException,
			"Could not unzip uploaded file. Please check your file, then try to upload again."},
		"empty zip": {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = packed(t) }, api.InvalidParameterValueException,
			"Uploaded file must be a non-empty zip"},
		"climbing zip": {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = packed(t, "../../evil", "x") }, api.InvalidParameterValueException,
			"Could not unzip uploaded file. Please check your file, then try to upload again."},
		"zip bomb": {func(in *api.CreateFunctionRequest) {
			in.Code.ZipFile = bomb(t)
		}, api.InvalidParameterValueException,
			"Unzipped size must be smaller than 262144000 bytes"},
		"large zip": {func(in *api.CreateFunctionRequest) { in.Code.ZipFile = make([]byte, maxZipped+1) }, requestEntityTooLarge,
			"Zipped size must be smaller than 52428800 bytes"},
		"from nowhere in S3": {func(in *api.CreateFunctionRequest) { in.Code = &api.FunctionCode{S3Bucket: new("b")} }, api.InvalidParameterValueException,
			"Please provide a source for function code."},
		"image": {func(in *api.CreateFunctionRequest) { in.PackageType = new("Image") }, awsapi.NotImplemented,
			"Cirro does not run functions from container images: give Code.ZipFile"},
		"VPC": {func(in *api.CreateFunctionRequest) { in.VpcConfig = &api.VpcConfig{SubnetIds: []string{"subnet-1"}} }, awsapi.NotImplemented,
			"Cirro has no VPCs…"},
		"EFS": {func(in *api.CreateFunctionRequest) { in.FileSystemConfigs = make([]api.FileSystemConfig, 1) }, awsapi.NotImplemented, "Cirro has no EFS…"},
		"KMS": {func(in *api.CreateFunctionRequest) { in.KMSKeyArn = new("arn:aws:kms:us-east-1:1:key/k") }, awsapi.NotImplemented, "Cirro has no KMS keys…"},
		"code signing": {func(in *api.CreateFunctionRequest) { in.CodeSigningConfigArn = new("csc") }, api.CodeSigningConfigNotFoundException,
			"The code signing configuration cannot be found. Check that the provided configuration is not deleted: csc."},
		"dead letters": {func(in *api.CreateFunctionRequest) {
			in.DeadLetterConfig = &api.DeadLetterConfig{TargetArn: new("arn:aws:lambda:us-east-1:000000000000:function:f")}
		}, api.InvalidParameterValueException, "The provided dead letter target ARN …"},
		"SnapStart of a custom runtime": {func(in *api.CreateFunctionRequest) {
			in.Runtime, in.SnapStart = new("provided.al2023"), &api.SnapStart{ApplyOn: new("PublishedVersions")}
		}, api.InvalidParameterValueException, "provided.al2023 is not supported for SnapStart enabled functions."},
		"SnapStart with much of /tmp": {func(in *api.CreateFunctionRequest) {
			in.EphemeralStorage, in.SnapStart = &api.EphemeralStorage{Size: new(int32(513))}, &api.SnapStart{ApplyOn: new("PublishedVersions")}
		}, api.InvalidParameterValueException, "EphemeralStorage greater than 512 MB is not supported for SnapStart enabled functions."},
		"SnapStart": {func(in *api.CreateFunctionRequest) {
			in.Runtime, in.SnapStart = new("ruby3.3"), &api.SnapStart{ApplyOn: new("PublishedVersions")}
		}, api.InvalidParameterValueException, "ruby3.3 is not supported for SnapStart enabled functions."},
		"log levels": {func(in *api.CreateFunctionRequest) {
			in.LoggingConfig = &api.LoggingConfig{SystemLogLevel: new("INFO")}
		},
			api.InvalidParameterValueException, "To use ApplicationLogLevel or SystemLogLevel, set LogFormat to JSON."},
		"51 tags": {func(in *api.CreateFunctionRequest) { in.Tags = numbered(51) }, api.InvalidParameterValueException,
			"Number of tags exceeds resource tag limit."},
		"six layers": {func(in *api.CreateFunctionRequest) { in.Layers = make([]string, 6) }, api.InvalidParameterValueException,
			"Cannot reference more than 5 layers."},
		"no layer version": {func(in *api.CreateFunctionRequest) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:000000000000:layer:l:1"}
		},
			api.InvalidParameterValueException, "Layer version arn:aws:lambda:us-east-1:000000000000:layer:l:1 does not exist."},
		"other region": {func(in *api.CreateFunctionRequest) {
			in.FunctionName = new("arn:aws:lambda:eu-west-1:000000000000:function:f")
		},
			api.ResourceNotFoundException, "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
	} {
		t.Run(name, func(t *testing.T) {
			in := request(t, "f")
			c.change(in)
			_, err := r.CreateFunction(r.ctx(), in)
			wantError(t, err, c.kind, c.want)
		})
	}
	// What was refused left nothing: no record, no package, nothing half unpacked.
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("taken")}))(t)
	nothingStored(t, r, "f")
	if left, _ := os.ReadDir(r.scratch()); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(r.path, "evil*")); len(left) > 0 {
		t.Errorf("climbed out: %v", left)
	}
}

// bomb is a small zip that says it holds 250 MB.
func bomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w := must(z.CreateRaw(&zip.FileHeader{Name: "zeros", Method: zip.Deflate, UncompressedSize64: maxUnpacked, CompressedSize64: 2}))(t)
	must(w.Write([]byte{3, 0}))(t)
	must(0, z.Close())(t)
	return b.Bytes()
}

func numbered(n int) map[string]string {
	m := map[string]string{}
	for i := range n {
		m[fmt.Sprint("k", i)] = "v"
	}
	return m
}

// Exactly 4 KB of environment is allowed.
func TestEnvironmentLimitIsInclusive(t *testing.T) {
	value := func(n int) map[string]string {
		return map[string]string{"BIG": strings.Repeat("x", n-len(`{"BIG":""}`))}
	}
	if err := checkEnvironment(value(4096)); err != nil {
		t.Error(err)
	}
	if err := checkEnvironment(value(4097)); err == nil {
		t.Error("4,097 bytes are allowed")
	}
}

func TestUpdateRefusals(t *testing.T) {
	r := newRig(t)
	created := r.create(request(t, "f"))
	_, err := r.UpdateFunctionConfiguration(r.ctx(), &api.UpdateFunctionConfigurationRequest{FunctionName: new("f"), RevisionId: created.RevisionId})
	const stale = "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias API to retrieve the latest Revision Id"
	wantError(t, err, api.PreconditionFailedException, stale)
	zip := packed(t, "app.py", "other")
	_, err = r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("f"), ZipFile: zip, RevisionId: new("wrong")})
	wantError(t, err, api.PreconditionFailedException, stale)
	_, err = r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("none"), ZipFile: zip})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none")
	_, err = r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("f"), ImageUri: new("i")})
	wantError(t, err, api.InvalidParameterValueException, "Please don't provide ImageUri when updating a function with packageType Zip.")

	dry := must(r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("f"), ZipFile: zip, DryRun: new(true)}))(t)
	now := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: new("f")}))(t)
	if *dry.CodeSha256 == *created.CodeSha256 || *now.CodeSha256 != *created.CodeSha256 || *now.LastUpdateStatus != "Successful" {
		t.Errorf("a dry run: answered %s, was %s, is %s", *dry.CodeSha256, *created.CodeSha256, *now.CodeSha256)
	}
	must(r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("f"), ZipFile: zip, RevisionId: now.RevisionId}))(t)
}

// While a function is on its way to its state it cannot be changed.
func TestChangesWaitForTheState(t *testing.T) {
	r := newRig(t)
	r.function("f")
	setState(t, r, "f", func(v *version) { v.State = api.StatePending })
	_, err := r.PublishVersion(r.ctx(), &api.PublishVersionRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceConflictException, "The operation cannot be performed at this time. The function is currently in the following state: Pending")
	setState(t, r, "f", func(v *version) { v.State, v.Update = api.StateActive, api.LastUpdateStatusInProgress })
	_, err = r.UpdateFunctionConfiguration(r.ctx(), &api.UpdateFunctionConfigurationRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceConflictException, "The operation cannot be performed at this time. An update is in progress for resource: arn:aws:lambda:us-east-1:000000000000:function:f")
}

func setState(t *testing.T, r *rig, name string, f func(*version)) {
	t.Helper()
	must(0, r.Store.Update(t.Context(), func(tx store.Tx) error {
		v, err := versionOf(tx, reference{scope: scope{account, region}, Name: name}, latest)
		if err != nil {
			return err
		}
		f(v)
		return setVersion(tx, v)
	}))(t)
}

// What a crash left on its way arrives after the next start: Active, or Failed where the package is
// lost.
func TestRestartFinishesActivations(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"created", "updated", "lost", "lost-update"} {
		r.function(name)
	}
	pending := func(v *version) {
		v.State, v.StateReason, v.StateCode, v.Update = api.StatePending, "The function is being created.", "Creating", ""
	}
	updating := func(v *version) { v.Update = api.LastUpdateStatusInProgress }
	setState(t, r, "created", pending)
	setState(t, r, "updated", updating)
	setState(t, r, "lost", pending)
	setState(t, r, "lost-update", updating)
	for _, name := range []string{"lost", "lost-update"} {
		must(0, r.Blobs.Delete(t.Context(), blobKey(must(lookupCode(r, name))(t).Package)))(t)
	}
	must(0, os.RemoveAll(r.codeRoot()))(t)
	r.restart()
	for name, want := range map[string]string{"created": "Active Successful", "updated": "Active Successful",
		"lost": "Failed Failed", "lost-update": "Active Failed"} {
		r.settle(name)
		c := must(r.GetFunctionConfiguration(r.ctx(), &api.GetFunctionConfigurationRequest{FunctionName: &name}))(t)
		if got := *c.State + " " + *c.LastUpdateStatus; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	dir := must(r.codeDir(t.Context(), must(lookupCode(r, "created"))(t)))(t)
	if _, err := os.Stat(filepath.Join(dir, "app.py")); err != nil {
		t.Error(err)
	}
}

func TestListFunctions(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"b", "a", "c"} {
		in := request(t, name)
		in.Publish = new(true)
		r.create(in)
	}
	list := func(all bool, max int32) (arns []string) {
		t.Helper()
		in := &api.ListFunctionsRequest{MaxItems: &max}
		if all {
			in.FunctionVersion = new("ALL")
		}
		for {
			out := must(r.ListFunctions(r.ctx(), in))(t)
			if len(out.Functions) > int(max) {
				t.Errorf("a page of %d", len(out.Functions))
			}
			for _, f := range out.Functions {
				arns = append(arns, strings.TrimPrefix(*f.FunctionArn, "arn:aws:lambda:us-east-1:000000000000:function:"))
				if f.State != nil || f.LastUpdateStatus != nil || f.RuntimeVersionConfig != nil {
					t.Errorf("a list with states: %v", members(t, f))
				}
			}
			if in.Marker = out.NextMarker; in.Marker == nil {
				return arns
			}
		}
	}
	for max := range int32(4) {
		if got := fmt.Sprint(list(false, max+1)); got != "[a b c]" {
			t.Errorf("by %d: %s", max+1, got)
		}
		if got := fmt.Sprint(list(true, max+1)); got != "[a:$LATEST a:1 b:$LATEST b:1 c:$LATEST c:1]" {
			t.Errorf("all, by %d: %s", max+1, got)
		}
	}
	_, err := r.ListFunctions(r.ctx(), &api.ListFunctionsRequest{Marker: new("nonsense!")})
	wantError(t, err, api.InvalidParameterValueException, "Invalid Marker: …")
	_, err = r.ListFunctions(r.ctx(), &api.ListFunctionsRequest{Marker: new("AAAA")})
	wantError(t, err, api.InvalidParameterValueException, "Invalid Marker: …")
	if out := must(r.ListFunctions(as(t, "111111111111", region), &api.ListFunctionsRequest{}))(t); len(out.Functions) > 0 {
		t.Error("another account's functions are listed")
	}
	if out := must(r.ListFunctions(as(t, account, "eu-west-1"), &api.ListFunctionsRequest{}))(t); len(out.Functions) > 0 {
		t.Error("another region's functions are listed")
	}
	if out := must(r.ListFunctions(r.ctx(), &api.ListFunctionsRequest{MasterRegion: new("eu-west-1")}))(t); len(out.Functions) > 0 {
		t.Error("functions have no other master region")
	}
}

// Code.Location really is where the package can be had, for a while, by whoever has the address.
func TestPackageLocation(t *testing.T) {
	r := newRig(t)
	in := request(t, "f")
	r.create(in)
	out := must(r.GetFunction(r.ctx(), &api.GetFunctionRequest{FunctionName: new("f")}))(t)
	get := func(url string) (int, []byte) {
		req := httptest.NewRequest(http.MethodGet, url, nil)
		if !r.Packages().Match(req) {
			t.Fatalf("no match: %s", url)
		}
		w := httptest.NewRecorder()
		r.Packages().ServeHTTP(w, req)
		return w.Code, must(io.ReadAll(w.Body))(t)
	}
	if status, body := get(*out.Code.Location); status != 200 || !bytes.Equal(body, in.Code.ZipFile) {
		t.Errorf("%d with %d bytes", status, len(body))
	}
	if status, _ := get(*out.Code.Location + "0"); status != http.StatusForbidden {
		t.Errorf("another signature: %d", status)
	}
	if status, _ := get(strings.Replace(*out.Code.Location, "Expires=1", "Expires=2", 1)); status != http.StatusForbidden {
		t.Errorf("another time: %d", status)
	}
	r.clock.Add(11 * time.Minute)
	if status, _ := get(*out.Code.Location); status != http.StatusForbidden {
		t.Errorf("after 11 minutes: %d", status)
	}
	if r.Packages().Match(httptest.NewRequest(http.MethodGet, "/2015-03-31/functions", nil)) {
		t.Error("an API request matches")
	}
}

// The unpacked package of a function that is gone goes, not at once, and what is in use stays.
func TestSweepDirectories(t *testing.T) {
	r := newRig(t)
	r.function("stays")
	r.function("goes")
	kept, gone := must(lookupCode(r, "stays"))(t), must(lookupCode(r, "goes"))(t)
	exists := func(c code) bool {
		_, err := os.Stat(filepath.Join(r.codeRoot(), c.SHA256))
		return err == nil
	}
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("goes")}))(t)
	must(0, r.sweep(t.Context()))(t)
	r.clock.Add(directoryGrace / 2)
	must(0, r.sweep(t.Context()))(t)
	if !exists(gone) {
		t.Error("gone while an invocation may still run")
	}
	r.clock.Add(directoryGrace)
	must(0, r.sweep(t.Context()))(t)
	if exists(gone) || !exists(kept) {
		t.Errorf("gone: %v, kept: %v", !exists(gone), exists(kept))
	}
}

// A package whose upload a crash cut short is swept once no upload can be under way.
func TestSweepAbandonedUploads(t *testing.T) {
	r := newRig(t)
	c := must(r.upload(t.Context(), packed(t, "a", "b"), maxUnpacked))(t)
	there := func() bool {
		body, _, err := r.Blobs.Get(t.Context(), blobKey(c.Package))
		if err == nil {
			body.Close()
		}
		return err == nil
	}
	must(0, r.sweep(t.Context()))(t)
	if !there() {
		t.Fatal("swept under an upload")
	}
	r.clock.Add(uploadGrace + time.Second)
	must(0, r.sweep(t.Context()))(t)
	if there() {
		t.Error("an abandoned upload stays")
	}
}

func TestRefer(t *testing.T) {
	in := scope{account, region}
	for name, want := range map[string]string{
		"f":                                 "000000000000 us-east-1 f ",
		"f:live":                            "000000000000 us-east-1 f live",
		"f:$LATEST":                         "000000000000 us-east-1 f $LATEST",
		"function:f:3":                      "000000000000 us-east-1 f 3",
		"111111111111:f":                    "111111111111 us-east-1 f ",
		"111111111111:function:f:live":      "111111111111 us-east-1 f live",
		"us-east-1:111111111111:function:f": "111111111111 us-east-1 f ",
		"arn:aws:lambda:us-east-1:000000000000:function:f":             "000000000000 us-east-1 f ",
		"arn:aws:lambda:us-east-1:000000000000:function:f_-9:live":     "000000000000 us-east-1 f_-9 live",
		"arn:aws-us-gov:lambda:us-east-1:000000000000:function:f:live": "000000000000 us-east-1 f live",
	} {
		ref, err := refer(in, name, "")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := fmt.Sprint(ref.Account, " ", ref.Region, " ", ref.Name, " ", ref.Qualifier); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"", "a b", "f:", "f:a:b", "arn:aws:sqs:us-east-1:000000000000:f", "ünï", "f/../g", strings.Repeat("x", 65)} {
		if ref, err := refer(in, name, ""); err == nil {
			t.Errorf("%q is taken as %+v", name, ref)
		}
	}
	_, err := refer(in, "f:1", "2")
	wantError(t, err, api.InvalidParameterValueException, "The derived qualifier from the function name does not match the specified qualifier.")
}

func FuzzRefer(f *testing.F) {
	f.Add("arn:aws:lambda:us-east-1:000000000000:function:f:live", "live")
	f.Add("000000000000:function:f", "$LATEST")
	f.Fuzz(func(t *testing.T, name, qualifier string) {
		ref, err := refer(scope{account, region}, name, qualifier)
		if err != nil {
			return
		}
		again, err := refer(scope{account, region}, ref.arn("function", ref.Name), ref.Qualifier)
		if err != nil || again != ref {
			t.Errorf("%q: %+v, then %+v, %v", name, ref, again, err)
		}
	})
}

// Other accounts reach a function by its ARN to invoke it alone.
func TestOtherAccounts(t *testing.T) {
	r := newRig(t)
	r.function("f")
	arn := "arn:aws:lambda:us-east-1:000000000000:function:f"
	_, err := r.GetFunction(as(t, "111111111111", region), &api.GetFunctionRequest{FunctionName: &arn})
	wantError(t, err, awsapi.AccessDenied, "User: arn:aws:iam::111111111111:root is not authorized…")
	_, err = r.GetFunction(as(t, "111111111111", region), &api.GetFunctionRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:111111111111:function:f")
}
