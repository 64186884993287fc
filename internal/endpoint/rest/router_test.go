package rest

import (
	"context"
	"net/http"
	"reflect"
	"slices"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/s3"
	"cirro/internal/endpoint/wire"
)

func service(paths ...string) *wire.Service {
	table := &awsapi.Service{}
	for i := 0; i < len(paths); i += 2 {
		table.Operations = append(table.Operations, awsapi.Operation{Name: paths[i] + " " + paths[i+1], Method: paths[i], Path: paths[i+1],
			Input: awsapi.NoShape, Output: awsapi.NoShape, New: func() any { return new(struct{}) },
			Out:  func() reflect.Type { return reflect.TypeFor[struct{}]() },
			Call: func(context.Context, any, any) (any, error) { return nil, nil }})
	}
	return wire.NewService(table)
}

func TestRouter(t *testing.T) {
	r := NewRouter(service(
		"GET", "/functions/", "POST", "/functions", "GET", "/functions/{Name}", "DELETE", "/functions/{Name}", "GET", "/functions/special",
		"POST", "/functions/{Name}/invocations", "GET", "/restapis", "POST", "/restapis", "POST", "/restapis?mode=import", "POST", "/restapis?mode=import&fail",
		"GET", "/tags/{Arn}", "GET", "/{Bucket}", "GET", "/{Bucket}/{Key+}", "PUT", "/files/{Path+}/lock", "PUT", "/files/{Path+}", "GET", "/"))
	for _, c := range []struct {
		method, path, query, want string
		labels                    []string
	}{
		{"GET", "/functions", "", "GET /functions/", nil},
		{"GET", "/functions/", "", "GET /functions/", nil},
		{"POST", "/functions/", "", "POST /functions", nil},
		{"GET", "/functions/special", "", "GET /functions/special", nil},
		{"DELETE", "/functions/special", "", "DELETE /functions/{Name}", []string{"special"}},
		{"GET", "/functions/a%2Fb%3Ac+d%20e", "", "GET /functions/{Name}", []string{"a/b:c+d e"}},
		{"POST", "/functions/f/invocations", "", "POST /functions/{Name}/invocations", []string{"f"}},
		{"POST", "/functions//invocations", "", "POST /functions/{Name}/invocations", []string{""}},
		{"POST", "/restapis", "", "POST /restapis", nil},
		{"POST", "/restapis", "mode=import", "POST /restapis?mode=import", nil},
		{"POST", "/restapis", "a=b&mode=import&fail=", "POST /restapis?mode=import&fail", nil},
		{"POST", "/restapis", "mode=other", "POST /restapis", nil},
		{"GET", "/tags/arn%3Aaws%3Ax%3A%2Frestapis%2Fa", "", "GET /tags/{Arn}", []string{"arn:aws:x:/restapis/a"}},
		{"GET", "/bucket", "", "GET /{Bucket}", []string{"bucket"}},
		{"GET", "/bucket/a/b%2Fc/", "", "GET /{Bucket}/{Key+}", []string{"bucket", "a/b/c/"}},
		{"GET", "/functions/a/b", "", "GET /{Bucket}/{Key+}", []string{"functions", "a/b"}},
		{"PUT", "/files/a/b/lock", "", "PUT /files/{Path+}/lock", []string{"a/b"}},
		{"PUT", "/files/a/b", "", "PUT /files/{Path+}", []string{"a/b"}},
		{"GET", "/", "", "GET /", nil},
		{"GET", "", "", "GET /", nil},
		{"PATCH", "/functions", "", "", nil},
		{"GET", "/a%zz", "", "", nil},
	} {
		m := r.Match(c.method, c.path, c.query, nil)
		got := ""
		if m.Operation != nil {
			got = m.Operation.Name
		}
		if got != c.want || !slices.Equal(m.Labels, c.labels) {
			t.Errorf("%s %s?%s is %q %q", c.method, c.path, c.query, got, m.Labels)
		}
	}
}

// Some of S3's operations have one route, and differ by what they cannot do without.
func TestRouterOfObjects(t *testing.T) {
	r := NewRouter(wire.NewService(&s3.Service))
	for _, c := range []struct{ method, path, query, header, want string }{
		{"PUT", "/b/k", "", "", "PutObject"},
		{"PUT", "/b/k", "", "X-Amz-Copy-Source", "CopyObject"},
		{"PUT", "/b/k", "partNumber=1&uploadId=u", "", "UploadPart"},
		{"PUT", "/b/k", "uploadId=u&partNumber=1", "X-Amz-Copy-Source", "UploadPartCopy"},
		{"PUT", "/b/k", "tagging", "", "PutObjectTagging"},
		{"GET", "/b/k", "", "", "GetObject"},
		{"GET", "/b/k/", "x-id=GetObject", "", "GetObject"},
		{"GET", "/b/k", "uploadId=u", "", "ListParts"},
		{"GET", "/b/k", "attributes", "X-Amz-Object-Attributes", "GetObjectAttributes"},
		{"POST", "/b/k", "uploads", "", "CreateMultipartUpload"},
		{"POST", "/b/k", "uploadId=u", "", "CompleteMultipartUpload"},
		{"DELETE", "/b/k", "uploadId=u", "", "AbortMultipartUpload"},
		{"DELETE", "/b/k", "versionId=v", "", "DeleteObject"},
		{"POST", "/b", "delete", "", "DeleteObjects"},
		{"GET", "/b", "", "", "ListObjects"},
		{"GET", "/b/", "list-type=2&prefix=", "", "ListObjectsV2"},
		{"GET", "/b", "versions", "", "ListObjectVersions"},
		{"GET", "/b", "lifecycle", "", "GetBucketLifecycleConfiguration"},
		{"PUT", "/b", "notification", "", "PutBucketNotificationConfiguration"},
		{"GET", "/b", "inventory&id=i", "", "GetBucketInventoryConfiguration"},
		{"GET", "/b", "inventory", "", "ListBucketInventoryConfigurations"},
		{"GET", "/", "", "", "ListBuckets"},
	} {
		m := r.Match(c.method, c.path, c.query, http.Header{c.header: {"x"}})
		if m.Operation == nil || m.Operation.Name != c.want {
			t.Errorf("%s %s?%s is %v, not %s", c.method, c.path, c.query, m.Operation, c.want)
		}
	}
}

func TestSplitHeader(t *testing.T) {
	for _, c := range []struct {
		in    string
		dates bool
		want  []string
	}{
		{"a, b,c", false, []string{"a", "b", "c"}},
		{`"a,b", "c\"d" , e`, false, []string{"a,b", `c"d`, "e"}},
		{"Sun, 25 Jan 2015 08:00:00 GMT, Mon, 26 Jan 2015 08:00:00 GMT", true, []string{"Sun, 25 Jan 2015 08:00:00 GMT", "Mon, 26 Jan 2015 08:00:00 GMT"}},
		{"2015-01-25T08:00:00Z,2015-01-26T08:00:00Z", true, []string{"2015-01-25T08:00:00Z", "2015-01-26T08:00:00Z"}},
	} {
		if got := splitHeader([]string{c.in}, c.dates); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.in, got)
		}
	}
}
