package endpoint

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/sigv2"
	"cirro/internal/endpoint/sigv4"
)

// What S3 alone answers to requests that are signed in their URL.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var (
	s3Denied     = &awsapi.ErrorType{Code: "AccessDenied", Status: http.StatusForbidden}
	s3Parameters = &awsapi.ErrorType{Code: "AuthorizationQueryParametersError", Status: http.StatusBadRequest}
)

// checkLife refuses a URL presigned for S3 whose time is over. It does so even where signatures are not verified: that
// a URL ends is what its maker relies on, and what a test of it looks for.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func (e *Endpoint) checkLife(r *http.Request, signingName string) error {
	if signingName != "s3" || r.URL.RawQuery == "" {
		return nil
	}
	query, _ := url.ParseQuery(r.URL.RawQuery)
	if query.Has("X-Amz-Credential") {
		return checkLifeV4(query, e.now())
	}
	if s, ok := sigv2.Parse(r); ok && s.Expires != "" {
		return checkLifeV2(s.Expires, e.now())
	}
	return nil
}

func checkLifeV4(query url.Values, now time.Time) error {
	for _, name := range []string{"X-Amz-Algorithm", "X-Amz-Signature", "X-Amz-SignedHeaders", "X-Amz-Date", "X-Amz-Expires"} {
		if query.Get(name) == "" {
			return s3Parameters.New("Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, " +
				"X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
		}
	}
	from, err := time.Parse(sigv4.TimeFormat, query.Get("X-Amz-Date"))
	if err != nil {
		return s3Parameters.New(`X-Amz-Date must be in the ISO8601 Long Format "yyyyMMdd'T'HHmmss'Z'"`)
	}
	seconds, err := strconv.ParseInt(query.Get("X-Amz-Expires"), 10, 64)
	switch {
	case err != nil:
		return s3Parameters.New("X-Amz-Expires should be a number")
	case seconds < 0:
		return s3Parameters.New("X-Amz-Expires must be non-negative")
	case seconds > int64(sigv4.MaxExpires/time.Second):
		return s3Parameters.New("X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds")
	case from.After(now.Add(sigv4.Skew)):
		return s3Denied.New("Request is not yet valid").With("ServerTime", now.UTC().Format(time.RFC3339))
	}
	if until := from.Add(time.Duration(seconds) * time.Second); !now.Before(until) {
		return expired(until, now).With("X-Amz-Expires", query.Get("X-Amz-Expires"))
	}
	return nil
}

func checkLifeV2(expires string, now time.Time) error {
	seconds, err := strconv.ParseInt(expires, 10, 64)
	if err != nil {
		return s3Denied.New("Invalid date (should be seconds since epoch): %s", strings.TrimSpace(expires))
	}
	if until := time.Unix(seconds, 0); !now.Before(until) {
		return expired(until, now)
	}
	return nil
}

func expired(until, now time.Time) *awsapi.Error {
	return s3Denied.New("Request has expired").With("Expires", until.UTC().Format(time.RFC3339)).
		With("ServerTime", now.UTC().Format(time.RFC3339))
}

var timeTooSkewed = &awsapi.ErrorType{Code: "RequestTimeTooSkewed", Status: http.StatusForbidden}

// checkDate refuses an old request whose signature of version 2 is in its header.
func (e *Endpoint) checkDate(r *http.Request, s sigv2.Signature) error {
	if s.Expires != "" {
		return nil // checkLife has looked
	}
	text := r.Header.Get("X-Amz-Date")
	if text == "" {
		text = r.Header.Get("Date")
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return s3Denied.New("AWS authentication requires a valid Date or x-amz-date header")
	}
	if d := e.now().Sub(at).Abs(); d > sigv4.Skew {
		return timeTooSkewed.New("The difference between the request time and the current time is too large.")
	}
	return nil
}
