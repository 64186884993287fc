package lambda

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

func TestPermissions(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}))(t)
	for _, c := range []struct {
		name string
		in   api.AddPermissionRequest
		want string
	}{
		{"a service", api.AddPermissionRequest{Principal: new("s3.amazonaws.com"), SourceArn: new("arn:aws:s3:::b"), SourceAccount: new("000000000000")},
			`{"Sid":"%s","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arnF +
				`","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"},"StringEquals":{"AWS:SourceAccount":"000000000000"}}}`},
		{"an account", api.AddPermissionRequest{Principal: new("111111111111")},
			`{"Sid":"%s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"lambda:InvokeFunction","Resource":"` + arnF + `"}`},
		{"a browser", api.AddPermissionRequest{Principal: new("*"), InvokedViaFunctionUrl: new(true)},
			`{"Sid":"%s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + arnF + `","Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}}`},
		{"everyone", api.AddPermissionRequest{Principal: new("*"), FunctionUrlAuthType: new("NONE")},
			`{"Sid":"%s","Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Resource":"` + arnF + `","Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}}`},
		{"a role, of an organisation", api.AddPermissionRequest{Principal: new("arn:aws:iam::111111111111:role/r"), PrincipalOrgID: new("o-1234567890")},
			`{"Sid":"%s","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:role/r"},"Action":"lambda:InvokeFunction","Resource":"` + arnF +
				`","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}}`},
		{"an alias, a token", api.AddPermissionRequest{Principal: new("alexa-appkit.amazon.com.amazonaws.com"), Qualifier: new("live"), EventSourceToken: new("tok")},
			`{"Sid":"%s","Effect":"Allow","Principal":{"Service":"alexa-appkit.amazon.com.amazonaws.com"},"Action":"lambda:InvokeFunction","Resource":"` + arnF +
				`:live","Condition":{"StringEquals":{"lambda:EventSourceToken":"tok"}}}`},
	} {
		sid := strings.NewReplacer(" ", "-", ",", "").Replace(c.name)
		c.in.FunctionName, c.in.StatementId, c.in.Action = new("f"), &sid, new("lambda:InvokeFunction")
		out, err := r.AddPermission(r.ctx(), &c.in)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if want := fmt.Sprintf(c.want, sid); *out.Statement != want {
			t.Errorf("%s: got  %s\nwant %s", c.name, *out.Statement, want)
		}
	}
	policy := must(r.GetPolicy(r.ctx(), &api.GetPolicyRequest{FunctionName: new("f"), Qualifier: new("live")}))(t)
	if !strings.HasPrefix(*policy.Policy, `{"Version":"2012-10-17","Id":"default","Statement":[{"Sid":"an-alias-a-token",`) {
		t.Errorf("policy %s", *policy.Policy)
	}
	a := must(r.GetAlias(r.ctx(), &api.GetAliasRequest{FunctionName: new("f"), Name: new("live")}))(t)
	if *a.RevisionId != *policy.RevisionId {
		t.Error("the revision of an alias's policy is the alias's")
	}
	remove := func(sid, revision string) error {
		_, err := r.RemovePermission(r.ctx(), &api.RemovePermissionRequest{FunctionName: new("f"), StatementId: &sid, RevisionId: text(revision)})
		return err
	}
	wantError(t, remove("none", ""), api.ResourceNotFoundException, "Statement none is not found in resource policy.")
	wantError(t, remove("everyone", "wrong"), api.PreconditionFailedException, "The Revision Id provided…")
	for _, sid := range []string{"a-service", "an-account", "a-browser", "everyone", "a-role-of-an-organisation"} {
		must(0, remove(sid, ""))(t)
	}
	wantError(t, remove("a-service", ""), api.ResourceNotFoundException, "No policy is associated with the given resource.")
	_, err := r.GetPolicy(r.ctx(), &api.GetPolicyRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceNotFoundException, "The resource you requested does not exist.")
}

func TestAddPermissionRefuses(t *testing.T) {
	r := newRig(t)
	r.function("f")
	in := func(change func(*api.AddPermissionRequest)) *api.AddPermissionRequest {
		in := &api.AddPermissionRequest{FunctionName: new("f"), StatementId: new("s"), Action: new("lambda:InvokeFunction"), Principal: new("s3.amazonaws.com")}
		change(in)
		return in
	}
	must(r.AddPermission(r.ctx(), in(func(in *api.AddPermissionRequest) { in.StatementId = new("taken") })))(t)
	for _, c := range []struct {
		change func(*api.AddPermissionRequest)
		kind   *awsapi.ErrorType
		want   string
	}{
		{func(in *api.AddPermissionRequest) { in.StatementId = new("taken") }, api.ResourceConflictException,
			"The statement id (taken) provided already exists. Please provide a new statement id, or remove the existing statement."},
		{func(in *api.AddPermissionRequest) { in.Principal = new("invalid.nonaws.com") }, api.InvalidParameterValueException,
			"The provided principal was invalid. Please check the principal and try again."},
		{func(in *api.AddPermissionRequest) { in.Qualifier = new("$LATEST") }, api.InvalidParameterValueException,
			"We currently do not support adding policies for $LATEST."},
		{func(in *api.AddPermissionRequest) { in.Qualifier = new("42") }, api.ResourceNotFoundException, "Function not found: " + arnF + ":42"},
		{func(in *api.AddPermissionRequest) { in.Qualifier = new("none") }, api.ResourceNotFoundException, "Cannot find alias arn: " + arnF + ":none"},
		{func(in *api.AddPermissionRequest) { in.FunctionName = new("none") }, api.ResourceNotFoundException,
			"Function not found: arn:aws:lambda:us-east-1:000000000000:function:none"},
		{func(in *api.AddPermissionRequest) { in.RevisionId = new("wrong") }, api.PreconditionFailedException, "The Revision Id provided…"},
		{func(in *api.AddPermissionRequest) {
			in.SourceArn = new("arn:aws:s3:::" + strings.Repeat("x", maxPolicy))
		}, api.PolicyLengthExceededException,
			"The final policy size (…"},
	} {
		_, err := r.AddPermission(r.ctx(), in(c.change))
		wantError(t, err, c.kind, c.want)
	}
}

func TestTags(t *testing.T) {
	r := newRig(t)
	in := request(t, "f")
	in.Tags = map[string]string{"a": "1"}
	r.create(in)
	tag := func(arn string, tags map[string]string) error {
		_, err := r.TagResource(r.ctx(), &api.TagResourceRequest{Resource: &arn, Tags: tags})
		return err
	}
	must(0, tag(arnF, map[string]string{"b": "2", "c": "3"}))(t)
	must(r.UntagResource(r.ctx(), &api.UntagResourceRequest{Resource: new(arnF), TagKeys: []string{"a", "none"}}))(t)
	list := must(r.ListTags(r.ctx(), &api.ListTagsRequest{Resource: new(arnF)}))(t)
	if fmt.Sprint(list.Tags) != "map[b:2 c:3]" {
		t.Errorf("tags %v", list.Tags)
	}
	if got := must(r.GetFunction(r.ctx(), &api.GetFunctionRequest{FunctionName: new("f")}))(t); fmt.Sprint(got.Tags) != "map[b:2 c:3]" {
		t.Errorf("tags of GetFunction %v", got.Tags)
	}
	wantError(t, tag(arnF, numbered(49)), api.InvalidParameterValueException, "Number of tags exceeds resource tag limit.")
	must(0, tag(arnF, numbered(48)))(t)
	wantError(t, tag(arnF+":1", numbered(1)), api.InvalidParameterValueException, "Tags on function aliases and versions are not supported. Please specify a function ARN.")
	wantError(t, tag("f", numbered(1)), awsapi.ValidationException, "1 validation error detected: Value 'f' at 'resource' failed to satisfy constraint: Member must satisfy regular expression pattern: arn:(aws…")
	wantError(t, tag(arnF+"2", numbered(1)), api.ResourceNotFoundException, "Function not found: "+arnF+"2")
	wantError(t, tag(arnF, nil), api.InvalidParameterValueException, "An error occurred and the request cannot be processed.")
}

func TestFunctionURLConfig(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}))(t)
	create := func(name string, qualifier *string) (*api.CreateFunctionUrlConfigResponse, error) {
		return r.CreateFunctionUrlConfig(r.ctx(), &api.CreateFunctionUrlConfigRequest{FunctionName: &name, Qualifier: qualifier, AuthType: new("NONE"),
			Cors: &api.Cors{AllowOrigins: []string{"*"}, MaxAge: new(int32(60))}})
	}
	url := must(create("f", nil))(t)
	if !regexp.MustCompile(`^http://[a-z0-9]{32}\.lambda-url\.us-east-1\.localhost:4566/$`).MatchString(*url.FunctionUrl) ||
		*url.FunctionArn != arnF || *url.AuthType != "NONE" || url.InvokeMode != nil || *url.Cors.MaxAge != 60 ||
		*url.CreationTime != "2024-05-06T07:08:09.123000Z" {
		t.Errorf("created %v", members(t, url))
	}
	got := must(r.GetFunctionUrlConfig(r.ctx(), &api.GetFunctionUrlConfigRequest{FunctionName: new("f")}))(t)
	if *got.InvokeMode != "BUFFERED" || *got.FunctionUrl != *url.FunctionUrl {
		t.Errorf("got %v", members(t, got))
	}
	alias := must(create("f", new("live")))(t)
	if *alias.FunctionArn != arnF+":live" || *alias.FunctionUrl == *url.FunctionUrl {
		t.Errorf("created %v", members(t, alias))
	}
	_, err := create("f", nil)
	wantError(t, err, api.ResourceConflictException, "Failed to create function url config for [functionArn = "+arnF+"]. Error message:  FunctionUrlConfig exists for this Lambda function")
	for qualifier, want := range map[string]string{"1": "1", "$LATEST": "$LATEST"} {
		_, err = create("f", &qualifier)
		wantError(t, err, awsapi.ValidationException, "1 validation error detected: Value '"+want+`' at 'qualifier' failed to satisfy constraint: Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`)
	}
	_, err = create("f", new("none"))
	wantError(t, err, api.ResourceNotFoundException, "Function does not exist")
	_, err = create("none", nil)
	wantError(t, err, api.ResourceNotFoundException, "Function does not exist")

	r.clock.Add(time.Second)
	updated := must(r.UpdateFunctionUrlConfig(r.ctx(), &api.UpdateFunctionUrlConfigRequest{FunctionName: new("f"), AuthType: new("AWS_IAM"), InvokeMode: new("RESPONSE_STREAM")}))(t)
	if *updated.AuthType != "AWS_IAM" || *updated.InvokeMode != "RESPONSE_STREAM" || updated.Cors == nil || *updated.LastModifiedTime == *updated.CreationTime {
		t.Errorf("updated %v", members(t, updated))
	}
	list := must(r.ListFunctionUrlConfigs(r.ctx(), &api.ListFunctionUrlConfigsRequest{FunctionName: new("f")}))(t)
	if len(list.FunctionUrlConfigs) != 2 || *list.FunctionUrlConfigs[1].FunctionArn != arnF+":live" {
		t.Errorf("list %v", members(t, list))
	}
	must(r.DeleteFunctionUrlConfig(r.ctx(), &api.DeleteFunctionUrlConfigRequest{FunctionName: new("f")}))(t)
	_, err = r.GetFunctionUrlConfig(r.ctx(), &api.GetFunctionUrlConfigRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceNotFoundException, "The resource you requested does not exist.")
	if again := must(create("f", nil))(t); *again.FunctionUrl != *url.FunctionUrl {
		t.Error("the URL changed")
	}
	must(r.DeleteAlias(r.ctx(), &api.DeleteAliasRequest{FunctionName: new("f"), Name: new("live")}))(t)
	_, err = r.GetFunctionUrlConfig(r.ctx(), &api.GetFunctionUrlConfigRequest{FunctionName: new("f"), Qualifier: new("live")})
	wantError(t, err, api.ResourceNotFoundException, "The resource you requested does not exist.")
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f")}))(t)
	nothingStored(t, r, "f")
}

// The address is what the client can reach: its own scheme and port.
func TestURLAddress(t *testing.T) {
	u := functionURL{ID: "id", scope: scope{account, "eu-west-1"}}
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:4566":  "http://id.lambda-url.eu-west-1.localhost:4566/",
		"https://localhost:8443": "https://id.lambda-url.eu-west-1.localhost:8443/",
		"http://localhost":       "http://id.lambda-url.eu-west-1.localhost/",
		"http://[::1]:99":        "http://id.lambda-url.eu-west-1.localhost:99/",
		"":                       "http://id.lambda-url.eu-west-1.localhost/",
	} {
		if got := u.Address(endpoint); got != want {
			t.Errorf("%q: %s, want %s", endpoint, got, want)
		}
	}
}

func TestReservedConcurrencyConfig(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.function("g")
	put := func(name string, n int32) error {
		_, err := r.PutFunctionConcurrency(r.ctx(), &api.PutFunctionConcurrencyRequest{FunctionName: &name, ReservedConcurrentExecutions: &n})
		return err
	}
	const floor = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."
	wantError(t, put("f", 901), api.InvalidParameterValueException, floor)
	must(0, put("f", 900))(t)
	must(0, put("f", 900))(t) // in place of itself
	wantError(t, put("g", 1), api.InvalidParameterValueException, floor)
	must(0, put("f", 10))(t)
	must(0, put("g", 0))(t)
	got := must(r.GetFunctionConcurrency(r.ctx(), &api.GetFunctionConcurrencyRequest{FunctionName: new("g")}))(t)
	if got.ReservedConcurrentExecutions == nil || *got.ReservedConcurrentExecutions != 0 {
		t.Errorf("got %v", members(t, got))
	}
	f := must(r.GetFunction(r.ctx(), &api.GetFunctionRequest{FunctionName: new("f")}))(t)
	if *f.Concurrency.ReservedConcurrentExecutions != 10 {
		t.Errorf("GetFunction says %v", members(t, f.Concurrency))
	}
	settings := must(r.GetAccountSettings(r.ctx(), &api.GetAccountSettingsRequest{}))(t)
	if *settings.AccountLimit.ConcurrentExecutions != 1000 || *settings.AccountLimit.UnreservedConcurrentExecutions != 990 ||
		*settings.AccountUsage.FunctionCount != 2 || *settings.AccountUsage.TotalCodeSize != 2**f.Configuration.CodeSize {
		t.Errorf("settings %v", members(t, settings))
	}
	must(r.DeleteFunctionConcurrency(r.ctx(), &api.DeleteFunctionConcurrencyRequest{FunctionName: new("g")}))(t)
	got = must(r.GetFunctionConcurrency(r.ctx(), &api.GetFunctionConcurrencyRequest{FunctionName: new("g")}))(t)
	if got.ReservedConcurrentExecutions != nil {
		t.Errorf("got %v", members(t, got))
	}
	wantError(t, put("f:1", 1), api.InvalidParameterValueException, "This operation is permitted on Lambda functions only. Aliases and versions do not support this operation. Please specify either a function name or an unqualified function ARN.")
	wantError(t, put("none", 1), api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none:$LATEST")
}

func (r *rig) provisionedStatus(qualifier string) string {
	r.t.Helper()
	p, err := r.GetProvisionedConcurrencyConfig(r.ctx(), &api.GetProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: &qualifier})
	if err != nil {
		return err.(*awsapi.Error).Type.Code
	}
	return fmt.Sprint(*p.RequestedProvisionedConcurrentExecutions, " ", *p.AvailableProvisionedConcurrentExecutions, " ", *p.Status)
}

func TestProvisionedConcurrencyConfig(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	r.describe("f", "two")
	r.publish("f", nil)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}))(t)
	put := func(qualifier string, n int32) error {
		_, err := r.PutProvisionedConcurrencyConfig(r.ctx(), &api.PutProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: &qualifier, ProvisionedConcurrentExecutions: &n})
		return err
	}
	for _, c := range []struct {
		qualifier string
		n         int32
		kind      *awsapi.ErrorType
		want      string
	}{
		{"$LATEST", 1, api.InvalidParameterValueException, "Provisioned Concurrency Configs cannot be applied to unpublished function versions."},
		{"9", 1, api.ResourceNotFoundException, "Function not found: " + arnF + ":9"},
		{"none", 1, api.ResourceNotFoundException, "Cannot find alias arn: " + arnF + ":none"},
		{"1", 1001, api.InvalidParameterValueException, "Specified ConcurrentExecutions for function is greater than account's unreserved concurrency [1000]."},
		{"1", 901, api.InvalidParameterValueException, "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its minimum value of [100]."},
	} {
		wantError(t, put(c.qualifier, c.n), c.kind, c.want)
	}
	if got := r.provisionedStatus("1"); got != "ProvisionedConcurrencyConfigNotFoundException" {
		t.Error(got)
	}
	must(0, put("live", 4))(t)
	r.eventually("four environments", func() bool { return r.provisionedStatus("live") == "4 4 READY" })
	if n := r.runner.ready(arnF + ":1"); n != 4 {
		t.Errorf("%d are ready", n)
	}
	wantError(t, put("1", 1), api.ResourceConflictException, "Version is pointed by a Provisioned Concurrency alias")

	// They move with the alias, by its weights.
	must(r.UpdateAlias(r.ctx(), &api.UpdateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("2"),
		RoutingConfig: &api.AliasRoutingConfiguration{AdditionalVersionWeights: map[string]float64{"1": 0.25}}}))(t)
	r.eventually("the environments to move", func() bool { return r.runner.ready(arnF+":1") == 1 && r.runner.ready(arnF+":2") == 3 })

	// They come back after a restart.
	r.restart()
	r.eventually("the environments to come back", func() bool {
		return r.runner.ready(arnF+":1") == 1 && r.runner.ready(arnF+":2") == 3 && r.provisionedStatus("live") == "4 4 READY"
	})
	list := must(r.ListProvisionedConcurrencyConfigs(r.ctx(), &api.ListProvisionedConcurrencyConfigsRequest{FunctionName: new("f")}))(t)
	if len(list.ProvisionedConcurrencyConfigs) != 1 || *list.ProvisionedConcurrencyConfigs[0].FunctionArn != arnF+":live" {
		t.Errorf("list %v", members(t, list))
	}
	_, err := r.PutFunctionConcurrency(r.ctx(), &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(3))})
	wantError(t, err, api.InvalidParameterValueException, " ReservedConcurrentExecutions  3 should not be lower than function's total provisioned concurrency [4].")
	must(r.PutFunctionConcurrency(r.ctx(), &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(4))}))(t)
	wantError(t, put("live", 5), api.InvalidParameterValueException, "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function")

	must(r.DeleteProvisionedConcurrencyConfig(r.ctx(), &api.DeleteProvisionedConcurrencyConfigRequest{FunctionName: new("f"), Qualifier: new("live")}))(t)
	r.eventually("the environments to go", func() bool { return r.runner.ready(arnF+":1")+r.runner.ready(arnF+":2") == 0 })
	must(0, put("1", 1))(t)
	wantError(t, put("live", 1), api.ResourceConflictException, "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version")
	r.eventually("one environment", func() bool { return r.provisionedStatus("1") == "1 1 READY" })

	r.runner.mu.Lock()
	r.runner.refuse = errors.New("it crashes")
	r.runner.mu.Unlock()
	must(0, put("1", 2))(t)
	r.eventually("the failure", func() bool { return r.provisionedStatus("1") == "2 0 FAILED" })
	must(r.DeleteFunction(r.ctx(), &api.DeleteFunctionRequest{FunctionName: new("f")}))(t)
	r.eventually("the environments to go", func() bool { return r.runner.ready(arnF+":1") == 0 })
}

func TestEventInvokeConfig(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.function("other")
	put := func(in api.PutFunctionEventInvokeConfigRequest) (*api.FunctionEventInvokeConfig, error) {
		in.FunctionName = new("f")
		return r.PutFunctionEventInvokeConfig(r.ctx(), &in)
	}
	to := func(success, failure string) *api.DestinationConfig {
		d := &api.DestinationConfig{}
		if success != "" {
			d.OnSuccess = &api.OnSuccess{Destination: &success}
		}
		if failure != "" {
			d.OnFailure = &api.OnFailure{Destination: &failure}
		}
		return d
	}
	const queue, other = "arn:aws:sqs:us-east-1:000000000000:q", "arn:aws:lambda:us-east-1:000000000000:function:other"
	created := must(put(api.PutFunctionEventInvokeConfigRequest{MaximumRetryAttempts: new(int32(0)), DestinationConfig: to(queue, other)}))(t)
	if *created.FunctionArn != arnF+":$LATEST" || *created.MaximumRetryAttempts != 0 || created.MaximumEventAgeInSeconds != nil ||
		*created.DestinationConfig.OnSuccess.Destination != queue || !created.LastModified.Equal(r.clock.Now()) {
		t.Errorf("created %v", members(t, created))
	}
	updated := must(r.UpdateFunctionEventInvokeConfig(r.ctx(), &api.UpdateFunctionEventInvokeConfigRequest{FunctionName: new("f"),
		MaximumEventAgeInSeconds: new(int32(60)), DestinationConfig: to("", "arn:aws:s3:::bucket")}))(t)
	if *updated.MaximumRetryAttempts != 0 || *updated.MaximumEventAgeInSeconds != 60 || *updated.DestinationConfig.OnSuccess.Destination != queue ||
		*updated.DestinationConfig.OnFailure.Destination != "arn:aws:s3:::bucket" {
		t.Errorf("updated %v", members(t, updated))
	}
	replaced := must(put(api.PutFunctionEventInvokeConfigRequest{MaximumEventAgeInSeconds: new(int32(61))}))(t)
	if got := fmt.Sprint(members(t, replaced)["DestinationConfig"]); got != "map[OnFailure:map[] OnSuccess:map[]]" || replaced.MaximumRetryAttempts != nil {
		t.Errorf("replaced %v", members(t, replaced))
	}
	list := must(r.ListFunctionEventInvokeConfigs(r.ctx(), &api.ListFunctionEventInvokeConfigsRequest{FunctionName: new("f")}))(t)
	if len(list.FunctionEventInvokeConfigs) != 1 {
		t.Errorf("list %v", members(t, list))
	}
	for _, c := range []struct {
		in   api.PutFunctionEventInvokeConfigRequest
		kind *awsapi.ErrorType
		want string
	}{
		{api.PutFunctionEventInvokeConfigRequest{}, api.InvalidParameterValueException, "You must specify at least one of error handling or destination setting."},
		{api.PutFunctionEventInvokeConfigRequest{DestinationConfig: to(arnF, "")}, api.InvalidParameterValueException, "You can't specify the function as a destination for itself."},
		{api.PutFunctionEventInvokeConfigRequest{DestinationConfig: to(arnF+"2", "")}, api.InvalidParameterValueException, "The destination ARN " + arnF + "2 is invalid."},
		{api.PutFunctionEventInvokeConfigRequest{DestinationConfig: to("", "arn:aws:iam::000000000000:role/r")}, api.InvalidParameterValueException,
			"The provided destination config DestinationConfig(onSuccess=null, onFailure=OnFailure(destination=arn:aws:iam::000000000000:role/r)) is invalid."},
		{api.PutFunctionEventInvokeConfigRequest{DestinationConfig: to("arn:aws:s3:::bucket", "")}, api.InvalidParameterValueException,
			"The provided destination config DestinationConfig(onSuccess=OnSuccess(destination=arn:aws:s3:::bucket), onFailure=null) is invalid."},
		{api.PutFunctionEventInvokeConfigRequest{DestinationConfig: to("nonsense", "")}, awsapi.ValidationException, "1 validation error detected: Value 'nonsense' at…"},
		{api.PutFunctionEventInvokeConfigRequest{MaximumRetryAttempts: new(int32(1)), Qualifier: new("none")}, api.ResourceNotFoundException, "The function doesn't exist."},
	} {
		_, err := put(c.in)
		wantError(t, err, c.kind, c.want)
	}
	must(r.DeleteFunctionEventInvokeConfig(r.ctx(), &api.DeleteFunctionEventInvokeConfigRequest{FunctionName: new("f")}))(t)
	const none = "The function " + arnF + ":$LATEST doesn't have an EventInvokeConfig"
	_, err := r.GetFunctionEventInvokeConfig(r.ctx(), &api.GetFunctionEventInvokeConfigRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceNotFoundException, none)
	_, err = r.DeleteFunctionEventInvokeConfig(r.ctx(), &api.DeleteFunctionEventInvokeConfigRequest{FunctionName: new("f")})
	wantError(t, err, api.ResourceNotFoundException, none)
	_, err = r.UpdateFunctionEventInvokeConfig(r.ctx(), &api.UpdateFunctionEventInvokeConfigRequest{FunctionName: new("f"), MaximumRetryAttempts: new(int32(1))})
	wantError(t, err, api.ResourceNotFoundException, none)
}

func TestRuntimeManagement(t *testing.T) {
	r := newRig(t)
	created := r.create(request(t, "f"))
	get := func() *api.GetRuntimeManagementConfigResponse {
		return must(r.GetRuntimeManagementConfig(r.ctx(), &api.GetRuntimeManagementConfigRequest{FunctionName: new("f")}))(t)
	}
	if c := get(); *c.UpdateRuntimeOn != "Auto" || c.RuntimeVersionArn != nil || *c.FunctionArn != arnF+":$LATEST" {
		t.Errorf("got %v", members(t, c))
	}
	put := func(on string, arn *string) error {
		_, err := r.PutRuntimeManagementConfig(r.ctx(), &api.PutRuntimeManagementConfigRequest{FunctionName: new("f"), UpdateRuntimeOn: &on, RuntimeVersionArn: arn})
		return err
	}
	version := created.RuntimeVersionConfig.RuntimeVersionArn
	must(0, put("Manual", version))(t)
	if c := get(); *c.UpdateRuntimeOn != "Manual" || *c.RuntimeVersionArn != *version {
		t.Errorf("got %v", members(t, c))
	}
	for _, err := range []error{put("Manual", nil), put("Auto", version), put("Manual", new(*version+"0"))} {
		wantError(t, err, api.InvalidParameterValueException, "…")
	}
}

func TestRecursion(t *testing.T) {
	r := newRig(t)
	r.function("f")
	get := func() string {
		return *must(r.GetFunctionRecursionConfig(r.ctx(), &api.GetFunctionRecursionConfigRequest{FunctionName: new("f")}))(t).RecursiveLoop
	}
	if got := get(); got != "Terminate" {
		t.Error(got)
	}
	must(r.PutFunctionRecursionConfig(r.ctx(), &api.PutFunctionRecursionConfigRequest{FunctionName: new("f"), RecursiveLoop: new("Allow")}))(t)
	if got := get(); got != "Allow" {
		t.Error(got)
	}
	_, err := r.PutFunctionRecursionConfig(r.ctx(), &api.PutFunctionRecursionConfigRequest{FunctionName: new("none"), RecursiveLoop: new("Allow")})
	wantError(t, err, api.ResourceNotFoundException, "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none")
}

// Every runtime that the model knows is either taken or refused as blocked.
func TestRuntimesAreThoseOfTheModel(t *testing.T) {
	for _, shape := range api.Service.Shapes {
		if shape.Name != "Runtime" {
			continue
		}
		for _, runtime := range shape.Enum {
			if slices.Contains(runtimes, runtime) == slices.Contains(blockedRuntimes, runtime) {
				t.Errorf("%s: taken and blocked, or neither", runtime)
			}
		}
	}
}

// What is not there says so.
func TestUnimplemented(t *testing.T) {
	r := newRig(t)
	_, err := r.CreateCodeSigningConfig(r.ctx(), &api.CreateCodeSigningConfigRequest{})
	wantError(t, err, awsapi.NotImplemented, "Cirro does not implement lambda.CreateCodeSigningConfig")
	r.function("f")
	none := must(r.GetFunctionCodeSigningConfig(r.ctx(), &api.GetFunctionCodeSigningConfigRequest{FunctionName: new("f")}))(t)
	if none.CodeSigningConfigArn != nil {
		t.Error("a function has a code signing configuration")
	}
}

// Everything that is stored is there after a restart.
func TestRestartKeepsAll(t *testing.T) {
	r := newRig(t)
	in := request(t, "f")
	in.Tags, in.Publish = map[string]string{"a": "b"}, new(true)
	in.Layers = []string{*r.layer("l", packed(t, "x", "y")).LayerVersionArn}
	r.create(in)
	must(r.CreateAlias(r.ctx(), &api.CreateAliasRequest{FunctionName: new("f"), Name: new("live"), FunctionVersion: new("1")}))(t)
	must(r.AddPermission(r.ctx(), &api.AddPermissionRequest{FunctionName: new("f"), StatementId: new("s"), Action: new("lambda:*"), Principal: new("*")}))(t)
	must(r.CreateFunctionUrlConfig(r.ctx(), &api.CreateFunctionUrlConfigRequest{FunctionName: new("f"), AuthType: new("NONE")}))(t)
	must(r.PutFunctionConcurrency(r.ctx(), &api.PutFunctionConcurrencyRequest{FunctionName: new("f"), ReservedConcurrentExecutions: new(int32(5))}))(t)
	must(r.PutFunctionEventInvokeConfig(r.ctx(), &api.PutFunctionEventInvokeConfigRequest{FunctionName: new("f"), MaximumRetryAttempts: new(int32(1))}))(t)
	everything := func() (out []string) {
		for _, v := range []any{
			must(r.GetFunction(r.ctx(), &api.GetFunctionRequest{FunctionName: new("f")}))(t),
			must(r.ListVersionsByFunction(r.ctx(), &api.ListVersionsByFunctionRequest{FunctionName: new("f")}))(t),
			must(r.ListAliases(r.ctx(), &api.ListAliasesRequest{FunctionName: new("f")}))(t),
			must(r.GetPolicy(r.ctx(), &api.GetPolicyRequest{FunctionName: new("f")}))(t),
			must(r.ListFunctionUrlConfigs(r.ctx(), &api.ListFunctionUrlConfigsRequest{FunctionName: new("f")}))(t),
			must(r.ListFunctionEventInvokeConfigs(r.ctx(), &api.ListFunctionEventInvokeConfigsRequest{FunctionName: new("f")}))(t),
			must(r.ListLayers(r.ctx(), &api.ListLayersRequest{}))(t),
			must(r.GetAccountSettings(r.ctx(), &api.GetAccountSettingsRequest{}))(t),
		} {
			out = append(out, fmt.Sprint(members(t, v)))
		}
		return out
	}
	before := everything()
	r.restart()
	for i, after := range everything() {
		if after != before[i] {
			t.Errorf("before %s\nafter  %s", before[i], after)
		}
	}
}

// A change and its refusal leave the counts of references right: nothing is swept that is in use.
func TestSweepKeepsWhatIsUsed(t *testing.T) {
	r := newRig(t)
	r.function("f")
	r.publish("f", nil)
	must(r.UpdateFunctionCode(r.ctx(), &api.UpdateFunctionCodeRequest{FunctionName: new("f"), ZipFile: packed(t, "app.py", "2")}))(t)
	r.settle("f")
	must(0, r.sweep(t.Context()))(t)
	must(0, r.store.View(t.Context(), func(v store.Reader) error {
		for _, q := range []string{"$LATEST", "1"} {
			f := must(resolve(v, account, region, "f", q))(t)
			body, _, err := r.Blobs.Get(t.Context(), blobKey(f.Code.Package))
			if err != nil {
				t.Errorf("%s: %v", q, err)
				continue
			}
			body.Close()
		}
		return nil
	}))(t)
}
