package endpoint

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/sigv2"
)

// credential is what a request says of its sender: the scope of its signature, and a session's token.
type credential struct {
	accessKey string
	region    string
	service   string // signing name
	token     string
	signed    bool
}

// credentialOf reads the credential of a request, whether or not its signature is any good.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func credentialOf(r *http.Request) credential {
	if header := r.Header["Authorization"]; len(header) > 0 {
		c := credential{signed: true}
		if tokens := r.Header["X-Amz-Security-Token"]; len(tokens) > 0 {
			c.token = tokens[0]
		}
		if _, scope, ok := strings.Cut(header[0], "Credential="); ok {
			c.setScope(scope[:scopeEnd(scope)])
		} else if key, ok := strings.CutPrefix(header[0], "AWS "); ok {
			c.accessKey, _, _ = strings.Cut(key, ":")
			c.service = "s3" // which alone takes signatures of version 2
		}
		return c
	}
	if strings.Contains(r.URL.RawQuery, "X-Amz-Credential=") {
		query, _ := url.ParseQuery(r.URL.RawQuery)
		c := credential{signed: true, token: query.Get("X-Amz-Security-Token")}
		c.setScope(query.Get("X-Amz-Credential"))
		return c
	}
	if s, ok := sigv2.Parse(r); ok {
		return credential{signed: true, accessKey: s.AccessKey, token: s.Token, service: "s3"}
	}
	return credential{}
}

func scopeEnd(s string) int {
	if end := strings.IndexAny(s, ", "); end >= 0 {
		return end
	}
	return len(s)
}

// setScope reads accessKey/date/region/service/aws4_request. An access key may hold slashes.
func (c *credential) setScope(scope string) {
	cut := func() (last string) {
		i := strings.LastIndexByte(scope, '/')
		if i < 0 {
			return ""
		}
		last, scope = scope[i+1:], scope[:i]
		return last
	}
	if cut() != "aws4_request" {
		c.accessKey = scope
		return
	}
	c.service = cut()
	c.region = cut()
	cut() // the date
	c.accessKey = scope
}

// principalOf returns whom the credential belongs to without checking it: the account of a known access
// key, or the one that an access key of 12 digits names, or the default.
func (e *Endpoint) principalOf(ctx context.Context, c credential) awsapi.Principal {
	if e.options.Identify != nil && c.accessKey != "" {
		if p, _, err := e.options.Identify(ctx, c.accessKey, c.token); err == nil {
			return p
		}
	}
	return awsapi.RootPrincipal(awsapi.AccountOf(c.accessKey), c.accessKey)
}
