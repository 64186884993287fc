package sigv4

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestAgainstTheSDK has AWS's own signer sign, and checks over a real connection what arrives.
func TestAgainstTheSDK(t *testing.T) {
	now := time.Now()
	credentials := aws.Credentials{AccessKeyID: suiteKey, SecretAccessKey: suiteSecret, SessionToken: "a+token/=="}
	var problem error
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, err := Parse(r)
		if err == nil {
			err = s.CheckTime(now)
		}
		if err == nil {
			err = s.Check(r, suiteSecret, HexSHA256(nil))
		}
		if err == nil && s.Token != credentials.SessionToken {
			t.Errorf("the token is %q", s.Token)
		}
		problem = err
	}))
	defer server.Close()
	for _, c := range []struct{ service, target string }{
		{"lambda", "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Af/invocations?Qualifier=%24LATEST"},
		{"apigateway", "/tags/arn%3Aaws%3Aapigateway%3Aus-east-1%3A%3A%2Frestapis%2Fabc?tagKeys=a&tagKeys=b%20c%2Bd"},
		{"lambda", "/a//b/../c/%20x/~-_.!*'()"},
		{"s3", "/bucket/a//b/../key%20with%2Bodd%24signs"},
		{"execute-api", "/"},
	} {
		for _, presign := range []bool{false, true} {
			r, err := http.NewRequest("GET", server.URL+c.target, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Extra", "  two   spaces ")
			signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = c.service == "s3" })
			if presign {
				signed, _, err := signer.PresignHTTP(context.Background(), credentials, r, HexSHA256(nil), c.service, "eu-west-1", now)
				if err != nil {
					t.Fatal(err)
				}
				again, err := http.NewRequest("GET", signed, nil)
				if err != nil {
					t.Fatal(err)
				}
				again.Header = r.Header
				r = again
			} else if err := signer.SignHTTP(context.Background(), credentials, r, HexSHA256(nil), c.service, "eu-west-1", now); err != nil {
				t.Fatal(err)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if problem != nil {
				t.Errorf("%s %s presigned=%v: %v", c.service, c.target, presign, problem)
			}
		}
	}
}
