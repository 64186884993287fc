package lambda

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// preflight reports whether a request is a browser's question whether it may make another.
func preflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// answerPreflight answers it without the function, as AWS does: an origin that is not allowed gets the
// answer without the headers that a browser looks for.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html#urls-cors
func answerPreflight(w http.ResponseWriter, r *http.Request, c *api.Cors) {
	h := w.Header()
	if allowOrigin(h, r, c) {
		if len(c.AllowMethods) > 0 {
			h.Set("Access-Control-Allow-Methods", strings.Join(c.AllowMethods, ","))
		}
		if len(c.AllowHeaders) > 0 {
			h.Set("Access-Control-Allow-Headers", strings.ToLower(strings.Join(c.AllowHeaders, ",")))
		}
		if c.MaxAge != nil {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(*c.MaxAge)))
		}
	}
	h.Set("Content-Length", "0")
	w.WriteHeader(http.StatusOK)
}

// allowOrigin sets the headers that every answer to an allowed origin has, beside those that the function
// sets itself. AWS names the origin even where all are allowed:
// https://github.com/aws-powertools/powertools-lambda-python/issues/4163
func allowOrigin(h http.Header, r *http.Request, c *api.Cors) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || !slices.ContainsFunc(c.AllowOrigins, func(o string) bool { return o == "*" || strings.EqualFold(o, origin) }) {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Add("Vary", "Origin")
	if awsapi.Val(c.AllowCredentials) {
		h.Set("Access-Control-Allow-Credentials", "true")
	}
	if len(c.ExposeHeaders) > 0 {
		h.Set("Access-Control-Expose-Headers", strings.Join(c.ExposeHeaders, ","))
	}
	return true
}
