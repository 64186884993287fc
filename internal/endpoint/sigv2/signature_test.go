package sigv2

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func TestExamples(t *testing.T) {
	for name, c := range map[string]struct {
		method, target, bucket, signature string
		header                            map[string]string
	}{
		"object GET": {"GET", "/photos/puppy.jpg", "awsexamplebucket1", "qgk2+6Sv9/oM7G3qLEjTH1a1l1g=",
			map[string]string{"Date": "Tue, 27 Mar 2007 19:36:42 +0000"}},
		"object PUT": {"PUT", "/photos/puppy.jpg", "awsexamplebucket1", "iqRzw+ileNPu1fhspnRs8nOjjIA=",
			map[string]string{"Content-Type": "image/jpeg", "Date": "Tue, 27 Mar 2007 21:15:45 +0000"}},
		"list": {"GET", "/?prefix=photos&max-keys=50&marker=puppy", "awsexamplebucket1", "m0WP8eCtspQl5Ahe6L1SozdX9YA=",
			map[string]string{"Date": "Tue, 27 Mar 2007 19:42:41 +0000"}},
		"fetch": {"GET", "/?acl", "awsexamplebucket1", "82ZHiFIjc+WbcwFKGUVEQspPn+0=",
			map[string]string{"Date": "Tue, 27 Mar 2007 19:44:46 +0000"}},
		"list all my buckets": {"GET", "/", "", "qGdzdERIC03wnaRNKh6OqZehG9s=",
			map[string]string{"Date": "Wed, 28 Mar 2007 01:29:59 +0000"}},
	} {
		r := httptest.NewRequest(c.method, c.target, nil)
		for k, v := range c.header {
			r.Header.Set(k, v)
		}
		r.Header.Set("Authorization", "AWS "+exampleKey+":"+c.signature)
		s, ok := Parse(r)
		if !ok || s.AccessKey != exampleKey {
			t.Errorf("%s: parsed %+v, %v", name, s, ok)
			continue
		}
		if !s.Check(r, c.bucket, exampleSecret) {
			t.Errorf("%s: does not match; signed is %q", name, s.StringToSign(r, c.bucket))
		}
		if s.Check(r, c.bucket, "another") {
			t.Errorf("%s: another secret matches", name)
		}
	}
}

func TestWhatIsNoneOfVersion2(t *testing.T) {
	for _, target := range []string{"/", "/?AWSAccessKeyId=a", "/?AWSAccessKeyId=a&Signature=b", "/?AWSAccessKeyId=a&Signature=b&Expires=1&Action=Send"} {
		if s, ok := Parse(httptest.NewRequest("GET", target, nil)); ok {
			t.Errorf("%s: %+v", target, s)
		}
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request")
	if _, ok := Parse(r); ok {
		t.Error("version 4 is taken for version 2")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("AWS a:b", "/b/k?acl&versionId=1")
	f.Add("", "/?AWSAccessKeyId=a&Signature=b&Expires=1")
	f.Add("AWS :", "/%zz?%zz")
	f.Fuzz(func(t *testing.T, header, target string) {
		r, err := http.NewRequest("GET", target, nil)
		if err != nil {
			return
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if s, ok := Parse(r); ok {
			s.Check(r, "bucket", "secret")
		}
	})
}
