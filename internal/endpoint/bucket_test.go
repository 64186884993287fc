package endpoint

import "testing"

func TestBucketHost(t *testing.T) {
	for host, want := range map[string]struct {
		bucket  string
		website bool
	}{
		"b.s3.us-east-1.localhost:4566":               {"b", false},
		"b.s3.localhost":                              {"b", false},
		"b.s3.localhost.localstack.cloud:4566":        {"b", false},
		"b.s3.amazonaws.com":                          {"b", false},
		"b.s3-us-west-2.amazonaws.com":                {"b", false},
		"b.s3.dualstack.us-west-2.amazonaws.com":      {"b", false},
		"b.s3.cn-north-1.amazonaws.com.cn":            {"b", false},
		"my.b.s3.us-east-1.localhost":                 {"my.b", false},
		"a.s3.b.s3.us-east-1.localhost":               {"a.s3.b", false},
		"b.s3-website.us-east-1.localhost:4566":       {"b", true},
		"b.s3-website-us-west-2.amazonaws.com":        {"b", true},
		"www.b.s3-website.localhost.localstack.cloud": {"www.b", true},
		"s3.us-east-1.localhost":                      {"", false},
		"s3.amazonaws.com":                            {"", false},
		"lambda.us-east-1.localhost":                  {"", false},
		"abc.execute-api.us-east-1.localhost":         {"", false},
		"b.localhost":                                 {"", false},
		"127.0.0.1:4566":                              {"", false},
		"b.s3.example.com":                            {"", false},
		"":                                            {"", false},
	} {
		if bucket, website := BucketHost(host); bucket != want.bucket || website != want.website {
			t.Errorf("%s: %q %v, want %q %v", host, bucket, website, want.bucket, want.website)
		}
	}
}

func TestBucketOf(t *testing.T) {
	for host, want := range map[string]string{
		"b.localhost:4566": "b", "my.b.localhost": "my.b", "b.localhost.localstack.cloud": "b", "b.s3.us-east-1.localhost": "b",
		"s3.localhost": "", "s3.us-east-1.localhost": "", "localhost:4566": "", "127.0.0.1:4566": "", "b.example.com": "",
		"b.s3-website.us-east-1.localhost": "", "lambda.us-east-1.amazonaws.com": "", "[::1]:4566": "",
	} {
		if got := BucketOf(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

func FuzzBucketHost(f *testing.F) {
	f.Add("b.s3.us-east-1.localhost:4566")
	f.Add("..s3-website-.amazonaws.com")
	f.Fuzz(func(t *testing.T, host string) {
		if bucket, website := BucketHost(host); website && BucketOf(host) != "" {
			t.Errorf("%q is a website, %q, and no bucket's host", host, bucket)
		}
	})
}
