package eventbridge

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"
	"cirro/internal/target"
)

// Send sends a request with what a connection, by its ARN, authorizes it with. Step Functions calls HTTP APIs so.
// https://docs.aws.amazon.com/step-functions/latest/dg/call-https-apis.html#http-task-data-merge
func (s *Service) Send(ctx context.Context, client *http.Client, arn string, r *http.Request) (*http.Response, error) {
	var c connection
	err := s.Store.View(ctx, func(v store.Reader) (err error) {
		a, _ := target.ParseARN(arn)
		c, err = getConnection(v, place{a.Account, a.Region}, connectionOf(arn), "use")
		if err == nil && c.arn() != arn {
			err = api.ResourceNotFoundException.New("A connection '%s' does not exist.", arn)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := s.present(ctx, &c, r); err != nil {
		return nil, err
	}
	answer, err := client.Do(r)
	if err == nil && answer.StatusCode == http.StatusUnauthorized {
		s.tokens.forget(c.arn())
	}
	return answer, err
}

// present gives a request what a connection adds, and what shows who sends it.
func (s *Service) present(ctx context.Context, c *connection, r *http.Request) error {
	if c.State != api.ConnectionStateAuthorized {
		return awsapi.AccessDenied.New("Connection %s is not authorized.", c.Name)
	}
	if err := c.extend(r); err != nil {
		return err
	}
	if c.Kind == api.ConnectionAuthorizationTypeOauthClientCredentials {
		token, err := s.token(ctx, c, false)
		if err != nil {
			return err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return nil
}

// extend adds a connection's parameters to a request, and its secrets but for tokens.
func (c *connection) extend(r *http.Request) error {
	added := c.Auth.HTTP
	if added == nil {
		added = &api.ConnectionHttpParameters{}
	}
	query := r.URL.Query()
	for _, q := range added.QueryStringParameters {
		query.Set(awsapi.Val(q.Key), awsapi.Val(q.Value))
	}
	r.URL.RawQuery = query.Encode()
	for _, h := range added.HeaderParameters {
		r.Header.Set(awsapi.Val(h.Key), awsapi.Val(h.Value))
	}
	switch {
	case c.Kind == api.ConnectionAuthorizationTypeApiKey && c.Auth.APIKey != nil:
		r.Header.Set(awsapi.Val(c.Auth.APIKey.ApiKeyName), awsapi.Val(c.Auth.APIKey.ApiKeyValue))
	case c.Kind == api.ConnectionAuthorizationTypeBasic && c.Auth.Basic != nil:
		r.SetBasicAuth(awsapi.Val(c.Auth.Basic.Username), awsapi.Val(c.Auth.Basic.Password))
	}
	return extendBody(r, added.BodyParameters)
}

// extendBody adds members to a request's body, which is an object of JSON or a form.
func extendBody(r *http.Request, members []api.ConnectionBodyParameter) error {
	if len(members) == 0 || r.ContentLength == 0 || r.Body == nil {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form := url.Values{}
		for _, m := range members {
			form.Set(awsapi.Val(m.Key), awsapi.Val(m.Value))
		}
		body = append(append(body, '&'), form.Encode()...)
	} else if body, err = withMembers(body, members); err != nil {
		return err
	}
	r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return nil
}
