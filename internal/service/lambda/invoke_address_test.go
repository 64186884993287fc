package lambda

import "testing"

func TestInvokes(t *testing.T) {
	for _, tt := range []struct {
		method, host, target string
		want                 bool
	}{
		{"POST", "localhost:4566", "/2015-03-31/functions/f/invocations", true},
		{"POST", "lambda.us-east-1.amazonaws.com", "/2015-03-31/functions/f/invocations?Qualifier=%24LATEST", true},
		{"GET", "localhost", "/2015-03-31/functions/f/invocations", false},
		{"POST", "localhost", "/2015-03-31/functions/f/versions", false},
		{"POST", "localhost", "/2015-03-31/functions/f/versions?x=/invocations", false},
		{"POST", "localhost", "/2021-11-15/functions/f/response-streaming-invocations", false},
		{"POST", "a1.Execute-api.us-east-1.localhost", "/2015-03-31/functions/f/invocations", false},
		{"POST", "a1.lambda-url.us-east-1.localhost:80", "/2015-03-31/functions/f/invocations", false},
	} {
		if got := Invokes(tt.method, tt.host, tt.target); got != tt.want {
			t.Errorf("%s %s%s: got %v", tt.method, tt.host, tt.target, got)
		}
	}
}
