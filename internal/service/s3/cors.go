package s3

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/s3"
	"cirro/internal/store"
)

var forbiddenCORS = &awsapi.ErrorType{Code: "AccessForbidden", Status: http.StatusForbidden}

// maxCORSRules bounds a configuration. https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html
const maxCORSRules = 100

// PutBucketCors says which pages may ask a bucket what.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketCors.html
func (s *Service) PutBucketCors(ctx context.Context, in *api.PutBucketCorsRequest) (*api.PutBucketCorsOutput, error) {
	c := in.CORSConfiguration
	if c == nil || len(c.CORSRules) == 0 || len(c.CORSRules) > maxCORSRules {
		return nil, badXML()
	}
	for i := range c.CORSRules {
		if err := checkCORSRule(&c.CORSRules[i]); err != nil {
			return nil, err
		}
	}
	return &api.PutBucketCorsOutput{}, s.keep(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketCORS", kindCORS, c)
}

func checkCORSRule(rule *api.CORSRule) error {
	if len(rule.AllowedMethods) == 0 || len(rule.AllowedOrigins) == 0 {
		return badXML()
	}
	for _, method := range rule.AllowedMethods {
		if !slices.Contains([]string{"GET", "PUT", "POST", "DELETE", "HEAD"}, method) {
			return invalidRequest.New("Found unsupported HTTP method in CORS config. Unsupported method is %s", method)
		}
	}
	for _, origin := range rule.AllowedOrigins {
		if strings.Count(origin, "*") > 1 {
			return invalidRequest.New("AllowedOrigin \"%s\" can not have more than one wildcard.", origin)
		}
	}
	for _, header := range rule.AllowedHeaders {
		if strings.Count(header, "*") > 1 {
			return invalidRequest.New("AllowedHeader \"%s\" can not have more than one wildcard.", header)
		}
	}
	for _, header := range rule.ExposeHeaders {
		if strings.Contains(header, "*") {
			return invalidRequest.New("ExposeHeader \"%s\" contains wildcard. We currently do not support wildcard for ExposeHeader.", header)
		}
	}
	return nil
}

// GetBucketCors tells which pages may ask a bucket what.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketCors.html
func (s *Service) GetBucketCors(ctx context.Context, in *api.GetBucketCorsRequest) (*api.GetBucketCorsOutput, error) {
	c, err := kept[api.CORSConfiguration](ctx, s, *in.Bucket, in.ExpectedBucketOwner, "s3:GetBucketCORS", kindCORS,
		lacking("NoSuchCORSConfiguration", "The CORS configuration does not exist"))
	if err != nil {
		return nil, err
	}
	return &api.GetBucketCorsOutput{CORSRules: c.CORSRules}, nil
}

// DeleteBucketCors lets no page of another origin ask.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteBucketCors.html
func (s *Service) DeleteBucketCors(ctx context.Context, in *api.DeleteBucketCorsRequest) (*api.DeleteBucketCorsOutput, error) {
	return &api.DeleteBucketCorsOutput{}, s.drop(ctx, *in.Bucket, in.ExpectedBucketOwner, "s3:PutBucketCORS", kindCORS)
}

// AllowOrigin tells a browser what the bucket lets a page of another origin do. It reports whether the bucket has
// rules for that at all: where it has none, or is not there, the front door decides. An error is the answer to a
// preflight that is refused.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html
func (s *Service) AllowOrigin(r *http.Request, name string, h http.Header) (decided bool, err error) {
	var c *api.CORSConfiguration
	err = s.Store.View(r.Context(), func(v store.Reader) error {
		b, err := s.bucketOf(v, name)
		if err != nil {
			return err
		}
		c, err = configOf(s, v, b, kindCORS, asIs[api.CORSConfiguration])
		return err
	})
	if errors.Is(err, api.NoSuchBucket) || err == nil && c == nil {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	method, preflight := r.Method, r.Method == http.MethodOptions
	if preflight {
		method = r.Header.Get("Access-Control-Request-Method")
		if method == "" {
			return true, badRequest.New("Insufficient information. Origin request header needed.")
		}
	}
	for i := range c.CORSRules {
		if rule := &c.CORSRules[i]; tellCORS(rule, r, method, preflight, h) {
			return true, nil
		}
	}
	if preflight {
		return true, forbiddenCORS.New("CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, "+
			"request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.").
			With("Method", method).With("ResourceType", "OBJECT")
	}
	return true, nil
}

// tellCORS sets the headers of a rule where it fits the request.
func tellCORS(rule *api.CORSRule, r *http.Request, method string, preflight bool, h http.Header) bool {
	origin := r.Header.Get("Origin")
	fits := func(patterns []string, s string) string {
		for _, p := range patterns {
			before, after, star := strings.Cut(p, "*")
			if p == s || star && len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after) {
				return p
			}
		}
		return ""
	}
	matched := fits(rule.AllowedOrigins, origin)
	if matched == "" || !slices.Contains(rule.AllowedMethods, method) {
		return false
	}
	asked := r.Header.Get("Access-Control-Request-Headers")
	if preflight && asked != "" {
		allowed := strings.Split(strings.ToLower(strings.Join(rule.AllowedHeaders, "\n")), "\n")
		for name := range strings.SplitSeq(asked, ",") {
			if fits(allowed, strings.ToLower(strings.TrimSpace(name))) == "" {
				return false
			}
		}
	}
	if matched == "*" {
		h.Set("Access-Control-Allow-Origin", "*")
	} else {
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	h.Set("Access-Control-Allow-Methods", strings.Join(rule.AllowedMethods, ", "))
	if preflight && asked != "" {
		h.Set("Access-Control-Allow-Headers", strings.ToLower(asked))
	}
	if len(rule.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(rule.ExposeHeaders, ", "))
	}
	if rule.MaxAgeSeconds != nil {
		h.Set("Access-Control-Max-Age", strconv.Itoa(int(*rule.MaxAgeSeconds)))
	}
	h.Set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
	return true
}
