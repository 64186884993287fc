package logs

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/logs"
)

func TestGroups(t *testing.T) {
	f := newFixture(t)
	f.group("/aws/lambda/a")
	_, err := f.CreateLogGroup(f.ctx, &logs.CreateLogGroupRequest{LogGroupName: new("/aws/lambda/a")})
	wantError(t, err, "ResourceAlreadyExistsException", "The specified log group already exists")

	got := f.describe("/aws/lambda/")
	want := logs.LogGroup{
		LogGroupName: new("/aws/lambda/a"), CreationTime: new(f.millis()), MetricFilterCount: new(int32(0)), StoredBytes: new(int64(0)),
		Arn:           new("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/a:*"),
		LogGroupArn:   new("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/a"),
		LogGroupClass: new("STANDARD"),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}

	// Another account has groups of its own.
	other := must[*logs.DescribeLogGroupsResponse](t)(f.DescribeLogGroups(requestBy("999999999999"), &logs.DescribeLogGroupsRequest{}))
	if len(other.LogGroups) != 0 {
		t.Errorf("another account sees %d groups", len(other.LogGroups))
	}

	must[*logs.DeleteLogGroupOutput](t)(f.DeleteLogGroup(f.ctx, &logs.DeleteLogGroupRequest{LogGroupName: new("/aws/lambda/a")}))
	_, err = f.DeleteLogGroup(f.ctx, &logs.DeleteLogGroupRequest{LogGroupName: new("/aws/lambda/a")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
}

func TestDescribeGroups(t *testing.T) {
	f := newFixture(t)
	for i := range 7 {
		f.group(fmt.Sprintf("/app/%d", i))
	}
	f.group("/Other")
	must[*logs.CreateLogGroupOutput](t)(f.CreateLogGroup(f.ctx, &logs.CreateLogGroupRequest{
		LogGroupName: new("/rare"), LogGroupClass: new(logs.LogGroupClassInfrequentAccess), KmsKeyId: new("arn:aws:kms:eu-west-1:111122223333:key/k"),
	}))

	list := func(in logs.DescribeLogGroupsRequest) string {
		var names []string
		for {
			out := must[*logs.DescribeLogGroupsResponse](t)(f.DescribeLogGroups(f.ctx, &in))
			for _, g := range out.LogGroups {
				names = append(names, *g.LogGroupName)
			}
			if in.NextToken = out.NextToken; in.NextToken == nil {
				return strings.Join(names, " ")
			}
			names = append(names, "|")
		}
	}
	for _, c := range []struct {
		in   logs.DescribeLogGroupsRequest
		want string
	}{
		{logs.DescribeLogGroupsRequest{}, "/Other /app/0 /app/1 /app/2 /app/3 /app/4 /app/5 /app/6 /rare"},
		{logs.DescribeLogGroupsRequest{LogGroupNamePrefix: new("/app"), Limit: new(int32(3))}, "/app/0 /app/1 /app/2 | /app/3 /app/4 /app/5 | /app/6"},
		{logs.DescribeLogGroupsRequest{LogGroupNamePrefix: new("/r"), Limit: new(int32(1))}, "/rare"},
		{logs.DescribeLogGroupsRequest{LogGroupNamePattern: new("the")}, "/Other"},
		{logs.DescribeLogGroupsRequest{LogGroupNamePattern: new("other")}, ""},
		{logs.DescribeLogGroupsRequest{LogGroupNamePattern: new("p/"), Limit: new(int32(7))}, "/app/0 /app/1 /app/2 /app/3 /app/4 /app/5 /app/6"},
		{logs.DescribeLogGroupsRequest{LogGroupClass: new(logs.LogGroupClassInfrequentAccess)}, "/rare"},
		{logs.DescribeLogGroupsRequest{AccountIdentifiers: []string{"999999999999"}}, ""},
	} {
		if got := list(c.in); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
	if k := awsapi.Val(f.describe("/rare").KmsKeyId); k != "arn:aws:kms:eu-west-1:111122223333:key/k" {
		t.Errorf("the key is %q", k)
	}

	_, err := f.DescribeLogGroups(f.ctx, &logs.DescribeLogGroupsRequest{LogGroupNamePrefix: new("a"), LogGroupNamePattern: new("a")})
	wantError(t, err, "InvalidParameterException", "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
	_, err = f.DescribeLogGroups(f.ctx, &logs.DescribeLogGroupsRequest{NextToken: new("nonsense")})
	wantError(t, err, "InvalidParameterException", "The specified nextToken is invalid.")
}

func TestKMSKey(t *testing.T) {
	f := newFixture(t)
	f.group("g")
	must[*logs.AssociateKmsKeyOutput](t)(f.AssociateKmsKey(f.ctx, &logs.AssociateKmsKeyRequest{LogGroupName: new("g"), KmsKeyId: new("key")}))
	if k := awsapi.Val(f.describe("g").KmsKeyId); k != "key" {
		t.Errorf("the key is %q", k)
	}
	arn := "arn:aws:logs:eu-west-1:111122223333:log-group:g:*"
	must[*logs.DisassociateKmsKeyOutput](t)(f.DisassociateKmsKey(f.ctx, &logs.DisassociateKmsKeyRequest{ResourceIdentifier: &arn}))
	if f.describe("g").KmsKeyId != nil {
		t.Error("the key is still there")
	}
}

// TestDeletedGroupLeavesNothing: after a group with all kinds of things in it is gone, so is every key.
func TestDeletedGroupLeavesNothing(t *testing.T) {
	f := newFixture(t)
	before := f.keysIn()
	f.group("g")
	f.stream("g", "s")
	f.put("g", "s", "one", "two")
	f.subscribe("g", "f", "")
	must[*logs.DeleteLogGroupOutput](t)(f.DeleteLogGroup(f.ctx, &logs.DeleteLogGroupRequest{LogGroupName: new("g")}))
	if after := f.keysIn(); !reflect.DeepEqual(before, after) {
		t.Errorf("left behind: %v", after)
	}

	// A new group of the name is empty.
	f.group("g")
	if got := f.filter(&logs.FilterLogEventsRequest{LogGroupName: new("g")}); got != nil {
		t.Errorf("a new group holds %v", got)
	}
	_, err := f.GetLogEvents(f.ctx, &logs.GetLogEventsRequest{LogGroupName: new("g"), LogStreamName: new("s")})
	wantError(t, err, "ResourceNotFoundException", "The specified log stream does not exist.")
}

func TestTags(t *testing.T) {
	f := newFixture(t)
	must[*logs.CreateLogGroupOutput](t)(f.CreateLogGroup(f.ctx, &logs.CreateLogGroupRequest{
		LogGroupName: new("g"), Tags: map[string]string{"env": "testing1"},
	}))
	arn := "arn:aws:logs:eu-west-1:111122223333:log-group:g"
	check := func(want map[string]string) {
		t.Helper()
		a := must[*logs.ListTagsForResourceResponse](t)(f.ListTagsForResource(f.ctx, &logs.ListTagsForResourceRequest{ResourceArn: &arn}))
		b := must[*logs.ListTagsLogGroupResponse](t)(f.ListTagsLogGroup(f.ctx, &logs.ListTagsLogGroupRequest{LogGroupName: new("g")}))
		if !reflect.DeepEqual(a.Tags, want) || !reflect.DeepEqual(b.Tags, want) {
			t.Errorf("the tags are %v and %v, want %v", a.Tags, b.Tags, want)
		}
	}
	check(map[string]string{"env": "testing1"})
	must[*logs.TagResourceOutput](t)(f.TagResource(f.ctx, &logs.TagResourceRequest{ResourceArn: &arn, Tags: map[string]string{"test1": "val1", "test2": "val2"}}))
	must[*logs.TagLogGroupOutput](t)(f.TagLogGroup(f.ctx, &logs.TagLogGroupRequest{LogGroupName: new("g"), Tags: map[string]string{"test3": "val3"}}))
	check(map[string]string{"env": "testing1", "test1": "val1", "test2": "val2", "test3": "val3"})
	must[*logs.UntagResourceOutput](t)(f.UntagResource(f.ctx, &logs.UntagResourceRequest{ResourceArn: &arn, TagKeys: []string{"env", "test1"}}))
	must[*logs.UntagLogGroupOutput](t)(f.UntagLogGroup(f.ctx, &logs.UntagLogGroupRequest{LogGroupName: new("g"), Tags: []string{"test3"}}))
	check(map[string]string{"test2": "val2"})

	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint(i)] = ""
	}
	_, err := f.TagResource(f.ctx, &logs.TagResourceRequest{ResourceArn: &arn, Tags: many})
	wantError(t, err, "TooManyTagsException", "A resource can have no more than 50 tags.")
	check(map[string]string{"test2": "val2"})
	_, err = f.ListTagsForResource(f.ctx, &logs.ListTagsForResourceRequest{ResourceArn: new(arn + "x")})
	wantError(t, err, "ResourceNotFoundException", "The specified log group does not exist.")
	_, err = f.ListTagsForResource(f.ctx, &logs.ListTagsForResourceRequest{ResourceArn: new("arn:aws:s3:::b")})
	wantError(t, err, "InvalidParameterException", "The specified arn is not valid: arn:aws:s3:::b")
}

func TestResourcePolicies(t *testing.T) {
	f := newFixture(t)
	for i := range maxPolicies {
		must[*logs.PutResourcePolicyResponse](t)(f.PutResourcePolicy(f.ctx, &logs.PutResourcePolicyRequest{PolicyName: new(fmt.Sprint("p", i)), PolicyDocument: new(`{}`)}))
	}
	_, err := f.PutResourcePolicy(f.ctx, &logs.PutResourcePolicyRequest{PolicyName: new("more"), PolicyDocument: new(`{}`)})
	wantError(t, err, "LimitExceededException", "Resource limit exceeded.")
	must[*logs.PutResourcePolicyResponse](t)(f.PutResourcePolicy(f.ctx, &logs.PutResourcePolicyRequest{PolicyName: new("p3"), PolicyDocument: new(`{"Version":"2012-10-17"}`)}))
	out := must[*logs.DescribeResourcePoliciesResponse](t)(f.DescribeResourcePolicies(f.ctx, &logs.DescribeResourcePoliciesRequest{}))
	if len(out.ResourcePolicies) != maxPolicies || *out.ResourcePolicies[3].PolicyDocument != `{"Version":"2012-10-17"}` {
		t.Errorf("got %d policies", len(out.ResourcePolicies))
	}
	must[*logs.DeleteResourcePolicyOutput](t)(f.DeleteResourcePolicy(f.ctx, &logs.DeleteResourcePolicyRequest{PolicyName: new("p3")}))
	_, err = f.DeleteResourcePolicy(f.ctx, &logs.DeleteResourcePolicyRequest{PolicyName: new("p3")})
	wantError(t, err, "ResourceNotFoundException", "Policy with name [p3] does not exist.")
	_, err = f.PutResourcePolicy(f.ctx, &logs.PutResourcePolicyRequest{PolicyName: new("p3"), PolicyDocument: new(`{`)})
	wantError(t, err, "InvalidParameterException", "The specified policy document is not valid JSON.")
}
