package eventbridge

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/courier"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// connection is the record of a connection: how to be authorized by an API.
type connection struct {
	Name        string
	Place       place
	UID         string
	SecretID    string
	Description *string `json:",omitempty"`
	Kind        string  // API_KEY, BASIC or OAUTH_CLIENT_CREDENTIALS
	Auth        secrets
	KmsKey      *string `json:",omitempty"`
	State       string
	Reason      *string `json:",omitempty"`
	Created     time.Time
	Modified    time.Time
	Authorized  *time.Time `json:",omitempty"`
}

// secrets are what a connection is authorized with.
type secrets struct {
	APIKey *api.CreateConnectionApiKeyAuthRequestParameters `json:",omitempty"`
	Basic  *api.CreateConnectionBasicAuthRequestParameters  `json:",omitempty"`
	OAuth  *api.CreateConnectionOAuthRequestParameters      `json:",omitempty"`
	HTTP   *api.ConnectionHttpParameters                    `json:",omitempty"` // added to every call
}

func (p place) connectionKey(name string) []byte { return p.key("connection", name) }

func (c *connection) arn() string { return c.Place.arn("connection/" + c.Name + "/" + c.UID) }

// secretARN is where AWS keeps the secrets. Here they are the connection's own.
func (c *connection) secretARN() string {
	return strings.Replace(c.Place.arn("secret:events!connection/"+c.Name+"/"+c.SecretID), ":events:", ":secretsmanager:", 1)
}

func getConnection(r store.Reader, at place, name, action string) (connection, error) {
	c, found, err := store.GetRecord[connection](r, at.connectionKey(name))
	if err == nil && !found {
		err = api.ResourceNotFoundException.New("Failed to %s the connection(s). Connection '%s' does not exist.", action, name)
	}
	return c, err
}

// connectionOf takes a connection's name from its ARN.
func connectionOf(arn string) string {
	_, rest, _ := strings.Cut(arn, ":connection/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// changeConnection changes a connection in a transaction and returns it.
func (s *Service) changeConnection(ctx context.Context, name, action string, change func(store.Tx, *connection) error) (c connection, err error) {
	at := placeOf(ctx)
	err = s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if c, err = getConnection(tx, at, name, action); err != nil {
			return err
		}
		if err := change(tx, &c); err != nil {
			return err
		}
		c.Modified = s.Clock()
		return store.SetRecord(tx, at.connectionKey(name), c)
	})
	return c, err
}

// settle gives a connection the state that its secrets call for. One that asks another server first is
// authorized in the background.
func (c *connection) settle(tx store.Tx, now time.Time) error {
	c.Authorized, c.Reason = &now, nil
	if c.Kind != api.ConnectionAuthorizationTypeOauthClientCredentials {
		c.State = api.ConnectionStateAuthorized
		return nil
	}
	c.State = api.ConnectionStateAuthorizing
	_, err := tx.Enqueue(authorizeQueue, store.NewMessage{Body: raw(resource{c.Place, c.Name})})
	return err
}

// check refuses secrets that are not those of the connection's kind.
func (c *connection) check() error {
	missing := map[string]bool{api.ConnectionAuthorizationTypeApiKey: c.Auth.APIKey == nil, api.ConnectionAuthorizationTypeBasic: c.Auth.Basic == nil,
		api.ConnectionAuthorizationTypeOauthClientCredentials: c.Auth.OAuth == nil}[c.Kind]
	if missing {
		return invalid("Authorization parameters do not match the authorization type %s.", c.Kind)
	}
	return nil
}

// CreateConnection makes a connection.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateConnection.html
func (s *Service) CreateConnection(ctx context.Context, in *api.CreateConnectionRequest) (*api.CreateConnectionResponse, error) {
	if in.InvocationConnectivityParameters != nil || in.AuthParameters.ConnectivityParameters != nil {
		return nil, awsapi.Unimplemented("events", "CreateConnection to a private API")
	}
	now, p := s.Clock(), in.AuthParameters
	c := connection{Name: *in.Name, Place: placeOf(ctx), UID: uuid.NewString(), SecretID: uuid.NewString() + "-" + rand.Text()[:6], Description: in.Description,
		Kind: *in.AuthorizationType, Auth: secrets{APIKey: p.ApiKeyAuthParameters, Basic: p.BasicAuthParameters, OAuth: p.OAuthParameters, HTTP: p.InvocationHttpParameters},
		KmsKey: in.KmsKeyIdentifier, Created: now, Modified: now}
	if err := c.check(); err != nil {
		return nil, err
	}
	err := s.Store.Update(ctx, func(tx store.Tx) error {
		_, found, err := store.GetRecord[connection](tx, c.Place.connectionKey(c.Name))
		if err != nil {
			return err
		}
		if found {
			return api.ResourceAlreadyExistsException.New("Connection %s already exists.", c.Name)
		}
		if err := c.settle(tx, now); err != nil {
			return err
		}
		return store.SetRecord(tx, c.Place.connectionKey(c.Name), c)
	})
	return &api.CreateConnectionResponse{ConnectionArn: new(c.arn()), ConnectionState: &c.State, CreationTime: &c.Created, LastModifiedTime: &c.Modified}, err
}

// UpdateConnection changes a connection.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateConnection.html
func (s *Service) UpdateConnection(ctx context.Context, in *api.UpdateConnectionRequest) (*api.UpdateConnectionResponse, error) {
	if in.InvocationConnectivityParameters != nil || in.AuthParameters != nil && in.AuthParameters.ConnectivityParameters != nil {
		return nil, awsapi.Unimplemented("events", "UpdateConnection to a private API")
	}
	c, err := s.changeConnection(ctx, *in.Name, "update", func(tx store.Tx, c *connection) error {
		if in.Description != nil {
			c.Description = in.Description
		}
		if in.KmsKeyIdentifier != nil {
			c.KmsKey = in.KmsKeyIdentifier
		}
		if in.AuthorizationType != nil {
			c.Kind = *in.AuthorizationType
		}
		if in.AuthParameters != nil {
			c.Auth.update(in.AuthParameters)
		}
		if err := c.check(); err != nil {
			return err
		}
		return c.settle(tx, s.Clock())
	})
	if err == nil {
		s.tokens.forget(c.arn())
	}
	return &api.UpdateConnectionResponse{ConnectionArn: new(c.arn()), ConnectionState: &c.State, CreationTime: &c.Created, LastModifiedTime: &c.Modified,
		LastAuthorizedTime: c.Authorized}, err
}

// update takes over what a request changes.
func (a *secrets) update(in *api.UpdateConnectionAuthRequestParameters) {
	if p := in.ApiKeyAuthParameters; p != nil {
		a.APIKey = &api.CreateConnectionApiKeyAuthRequestParameters{ApiKeyName: p.ApiKeyName, ApiKeyValue: p.ApiKeyValue}
	}
	if p := in.BasicAuthParameters; p != nil {
		a.Basic = &api.CreateConnectionBasicAuthRequestParameters{Username: p.Username, Password: p.Password}
	}
	if p := in.OAuthParameters; p != nil {
		o := &api.CreateConnectionOAuthRequestParameters{AuthorizationEndpoint: p.AuthorizationEndpoint, HttpMethod: p.HttpMethod, OAuthHttpParameters: p.OAuthHttpParameters}
		if c := p.ClientParameters; c != nil {
			o.ClientParameters = &api.CreateConnectionOAuthClientRequestParameters{ClientID: c.ClientID, ClientSecret: c.ClientSecret}
		} else if a.OAuth != nil {
			o.ClientParameters = a.OAuth.ClientParameters
		}
		if a.OAuth != nil {
			o.AuthorizationEndpoint, o.HttpMethod = either(o.AuthorizationEndpoint, a.OAuth.AuthorizationEndpoint), either(o.HttpMethod, a.OAuth.HttpMethod)
		}
		a.OAuth = o
	}
	if in.InvocationHttpParameters != nil {
		a.HTTP = in.InvocationHttpParameters
	}
}

func either(a, b *string) *string {
	if a != nil {
		return a
	}
	return b
}

// DeauthorizeConnection forgets a connection's secrets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeauthorizeConnection.html
func (s *Service) DeauthorizeConnection(ctx context.Context, in *api.DeauthorizeConnectionRequest) (*api.DeauthorizeConnectionResponse, error) {
	c, err := s.changeConnection(ctx, *in.Name, "deauthorize", func(_ store.Tx, c *connection) error {
		c.State, c.Auth = api.ConnectionStateDeauthorized, secrets{}
		return nil
	})
	if err == nil {
		s.tokens.forget(c.arn())
	}
	return &api.DeauthorizeConnectionResponse{ConnectionArn: new(c.arn()), ConnectionState: new(api.ConnectionStateDeauthorizing), CreationTime: &c.Created,
		LastModifiedTime: &c.Modified, LastAuthorizedTime: c.Authorized}, err
}

// DeleteConnection deletes a connection.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteConnection.html
func (s *Service) DeleteConnection(ctx context.Context, in *api.DeleteConnectionRequest) (*api.DeleteConnectionResponse, error) {
	at := placeOf(ctx)
	var c connection
	err := s.Store.Update(ctx, func(tx store.Tx) (err error) {
		if c, err = getConnection(tx, at, *in.Name, "delete"); err != nil {
			return err
		}
		return tx.Delete(at.connectionKey(c.Name))
	})
	return &api.DeleteConnectionResponse{ConnectionArn: new(c.arn()), ConnectionState: new(api.ConnectionStateDeleting), CreationTime: &c.Created,
		LastModifiedTime: &c.Modified, LastAuthorizedTime: c.Authorized}, err
}

// DescribeConnection describes a connection, without its secrets.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeConnection.html
func (s *Service) DescribeConnection(ctx context.Context, in *api.DescribeConnectionRequest) (*api.DescribeConnectionResponse, error) {
	at := placeOf(ctx)
	var c connection
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		c, err = getConnection(r, at, *in.Name, "describe")
		return err
	})
	return &api.DescribeConnectionResponse{ConnectionArn: new(c.arn()), Name: &c.Name, Description: c.Description, ConnectionState: &c.State, StateReason: c.Reason,
		AuthorizationType: &c.Kind, SecretArn: new(c.secretARN()), AuthParameters: c.Auth.shown(), CreationTime: &c.Created, LastModifiedTime: &c.Modified,
		LastAuthorizedTime: c.Authorized, KmsKeyIdentifier: c.KmsKey}, err
}

// shown is what may be seen of secrets.
func (a *secrets) shown() *api.ConnectionAuthResponseParameters {
	out := &api.ConnectionAuthResponseParameters{InvocationHttpParameters: shownHTTP(a.HTTP)}
	if a.APIKey != nil {
		out.ApiKeyAuthParameters = &api.ConnectionApiKeyAuthResponseParameters{ApiKeyName: a.APIKey.ApiKeyName}
	}
	if a.Basic != nil {
		out.BasicAuthParameters = &api.ConnectionBasicAuthResponseParameters{Username: a.Basic.Username}
	}
	if o := a.OAuth; o != nil {
		out.OAuthParameters = &api.ConnectionOAuthResponseParameters{AuthorizationEndpoint: o.AuthorizationEndpoint, HttpMethod: o.HttpMethod,
			OAuthHttpParameters: shownHTTP(o.OAuthHttpParameters)}
		if o.ClientParameters != nil {
			out.OAuthParameters.ClientParameters = &api.ConnectionOAuthClientResponseParameters{ClientID: o.ClientParameters.ClientID}
		}
	}
	return out
}

// shownHTTP leaves out the values that are secret.
func shownHTTP(p *api.ConnectionHttpParameters) *api.ConnectionHttpParameters {
	if p == nil {
		return nil
	}
	out := &api.ConnectionHttpParameters{}
	for _, h := range p.HeaderParameters {
		if awsapi.Val(h.IsValueSecret) {
			h.Value = nil
		}
		out.HeaderParameters = append(out.HeaderParameters, h)
	}
	for _, q := range p.QueryStringParameters {
		if awsapi.Val(q.IsValueSecret) {
			q.Value = nil
		}
		out.QueryStringParameters = append(out.QueryStringParameters, q)
	}
	for _, b := range p.BodyParameters {
		if awsapi.Val(b.IsValueSecret) {
			b.Value = nil
		}
		out.BodyParameters = append(out.BodyParameters, b)
	}
	return out
}

// ListConnections lists connections.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListConnections.html
func (s *Service) ListConnections(ctx context.Context, in *api.ListConnectionsRequest) (*api.ListConnectionsResponse, error) {
	at := placeOf(ctx)
	out := &api.ListConnectionsResponse{Connections: []api.Connection{}}
	err := s.Store.View(ctx, func(r store.Reader) error {
		connections, next, err := page(r, at.all("connection"), in.NextToken, in.Limit, func(c *connection) bool {
			return strings.HasPrefix(c.Name, awsapi.Val(in.NamePrefix)) && (in.ConnectionState == nil || *in.ConnectionState == c.State)
		})
		out.NextToken = next
		for _, c := range connections {
			out.Connections = append(out.Connections, api.Connection{ConnectionArn: new(c.arn()), Name: &c.Name, ConnectionState: &c.State, StateReason: c.Reason,
				AuthorizationType: &c.Kind, CreationTime: &c.Created, LastModifiedTime: &c.Modified, LastAuthorizedTime: c.Authorized})
		}
		return err
	})
	return out, err
}

// authorizeAttempts is how often a server is asked that fails in passing.
const authorizeAttempts = 5

// authorize asks for a connection's first token, which shows that its secrets are good.
func (s *Service) authorize(ctx context.Context, m store.Message) courier.Verdict {
	var ref resource
	if err := json.Unmarshal(m.Body, &ref); err != nil {
		s.Log.Error("eventbridge: a connection cannot be read and is dropped", "error", err)
		return courier.Verdict{}
	}
	var c connection
	err := s.Store.View(ctx, func(r store.Reader) (err error) {
		c, _, err = store.GetRecord[connection](r, ref.Place.connectionKey(ref.Name))
		return err
	})
	if err != nil {
		return s.readLater(err)
	}
	if c.State != api.ConnectionStateAuthorizing {
		return courier.Verdict{}
	}
	_, err = s.token(ctx, &c, true)
	if ctx.Err() != nil {
		return courier.Again(0)
	}
	if err != nil && !lasting(err) && m.Deliveries < authorizeAttempts {
		return courier.Again(s.scaled(backoff.After(m.Deliveries)))
	}
	return courier.Verdict{Then: func(tx store.Tx) error {
		now, found, failed := connection{}, false, err
		var err error
		now, found, err = store.GetRecord[connection](tx, ref.Place.connectionKey(ref.Name))
		if err != nil || !found || !now.Modified.Equal(c.Modified) {
			return err
		}
		now.State, now.Authorized = api.ConnectionStateAuthorized, new(s.Clock())
		if failed != nil {
			now.State, now.Reason = api.ConnectionStateDeauthorized, new(failed.Error())
		}
		return store.SetRecord(tx, ref.Place.connectionKey(ref.Name), now)
	}}
}
