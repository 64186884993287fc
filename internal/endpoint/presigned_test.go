package endpoint

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
)

func TestPresignedURLsEnd(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	e := New(Options{Now: func() time.Time { return now }})
	v4 := "/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a/20260115/us-east-1/s3/aws4_request&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
	for target, want := range map[string]string{
		v4 + "&X-Amz-Date=20260115T115900Z&X-Amz-Expires=61":     "",
		v4 + "&X-Amz-Date=20260115T115900Z&X-Amz-Expires=60":     "AccessDenied: Request has expired",
		v4 + "&X-Amz-Date=20260115T120000Z&X-Amz-Expires=604800": "",
		v4 + "&X-Amz-Date=20260115T120000Z&X-Amz-Expires=604801": "AuthorizationQueryParametersError: X-Amz-Expires must be less than a week",
		v4 + "&X-Amz-Date=20260115T120000Z&X-Amz-Expires=-1":     "AuthorizationQueryParametersError: X-Amz-Expires must be non-negative",
		v4 + "&X-Amz-Date=20260115T120000Z&X-Amz-Expires=x":      "AuthorizationQueryParametersError: X-Amz-Expires should be a number",
		v4 + "&X-Amz-Date=20260115T120000Z":                      "AuthorizationQueryParametersError: Query-string authentication version 4 requires",
		v4 + "&X-Amz-Date=yesterday&X-Amz-Expires=60":            "AuthorizationQueryParametersError: X-Amz-Date must be",
		v4 + "&X-Amz-Date=20260115T130000Z&X-Amz-Expires=60":     "AccessDenied: Request is not yet valid",
		"/b/k?AWSAccessKeyId=a&Signature=b&Expires=1768478401":   "",
		"/b/k?AWSAccessKeyId=a&Signature=b&Expires=1768478400":   "AccessDenied: Request has expired",
		"/b/k?AWSAccessKeyId=a&Signature=b&Expires=x":            "AccessDenied: Invalid date",
		"/b/k": "",
	} {
		err := e.checkLife(httptest.NewRequest("GET", target, nil), "s3")
		got := ""
		if known, ok := errors.AsType[*awsapi.Error](err); ok {
			got = known.Error()
		}
		if want == "" && err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: %v, want %s", target, err, want)
		}
		if err := e.checkLife(httptest.NewRequest("GET", target, nil), "lambda"); err != nil {
			t.Errorf("%s for another service: %v", target, err)
		}
	}
}
