package eventbridge

import (
	"context"
	"net/url"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/events"
	"cirro/internal/store"

	"github.com/google/uuid"
)

// destination is the record of an API destination: an HTTP endpoint that rules may call.
type destination struct {
	Name        string
	Place       place
	UID         string
	Description *string `json:",omitempty"`
	Connection  string  // ARN
	Endpoint    string
	Method      string
	Rate        int32 // calls in a second
	Created     time.Time
	Modified    time.Time
}

// defaultRate is the rate of a destination that names none.
const defaultRate = 300

func (p place) destinationKey(name string) []byte { return p.key("destination", name) }

func (d *destination) arn() string { return d.Place.arn("api-destination/" + d.Name + "/" + d.UID) }

func getDestination(r store.Reader, at place, name, action string) (destination, error) {
	d, found, err := store.GetRecord[destination](r, at.destinationKey(name))
	if err == nil && !found {
		err = api.ResourceNotFoundException.New("Failed to %s the api-destination(s). An api-destination '%s' does not exist.", action, name)
	}
	return d, err
}

// connected finds the destination's connection.
func (d *destination) connected(r store.Reader) (connection, error) {
	c, found, err := store.GetRecord[connection](r, d.Place.connectionKey(connectionOf(d.Connection)))
	if err == nil && (!found || c.arn() != d.Connection) {
		err = api.ResourceNotFoundException.New("Connection '%s' does not exist.", d.Connection)
	}
	return c, err
}

// state is ACTIVE where the destination may be called.
func (d *destination) state(r store.Reader) string {
	if c, err := d.connected(r); err == nil && c.State == api.ConnectionStateAuthorized {
		return api.ApiDestinationStateActive
	}
	return api.ApiDestinationStateInactive
}

// check refuses endpoints that nobody can call.
func (d *destination) check(action string) error {
	u, err := url.Parse(strings.ReplaceAll(d.Endpoint, "*", "x"))
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return invalid("Failed to %s the api-destination(s). Parameter InvocationEndpoint is not valid. Reason: Endpoint '%s' is invalid, "+
			"please provide a valid HTTPS endpoint URL.", action, d.Endpoint)
	}
	return nil
}

// CreateApiDestination makes an API destination.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_CreateApiDestination.html
func (s *Service) CreateApiDestination(ctx context.Context, in *api.CreateApiDestinationRequest) (*api.CreateApiDestinationResponse, error) {
	now := s.Clock()
	d := destination{Name: *in.Name, Place: placeOf(ctx), UID: uuid.NewString(), Description: in.Description, Connection: *in.ConnectionArn, Endpoint: *in.InvocationEndpoint,
		Method: *in.HttpMethod, Rate: defaultRate, Created: now, Modified: now}
	if in.InvocationRateLimitPerSecond != nil {
		d.Rate = *in.InvocationRateLimitPerSecond
	}
	if err := d.check("create"); err != nil {
		return nil, err
	}
	out := &api.CreateApiDestinationResponse{ApiDestinationArn: new(d.arn()), CreationTime: &now, LastModifiedTime: &now}
	return out, s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := d.connected(tx); err != nil {
			return err
		}
		_, found, err := store.GetRecord[destination](tx, d.Place.destinationKey(d.Name))
		if err != nil {
			return err
		}
		if found {
			return api.ResourceAlreadyExistsException.New("An api-destination '%s' already exists.", d.Name)
		}
		out.ApiDestinationState = new(d.state(tx))
		return store.SetRecord(tx, d.Place.destinationKey(d.Name), d)
	})
}

// UpdateApiDestination changes an API destination.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_UpdateApiDestination.html
func (s *Service) UpdateApiDestination(ctx context.Context, in *api.UpdateApiDestinationRequest) (*api.UpdateApiDestinationResponse, error) {
	at := placeOf(ctx)
	out := &api.UpdateApiDestinationResponse{}
	return out, s.Store.Update(ctx, func(tx store.Tx) error {
		d, err := getDestination(tx, at, *in.Name, "update")
		if err != nil {
			return err
		}
		if in.Description != nil {
			d.Description = in.Description
		}
		if in.InvocationRateLimitPerSecond != nil {
			d.Rate = *in.InvocationRateLimitPerSecond
		}
		for to, from := range map[*string]*string{&d.Connection: in.ConnectionArn, &d.Endpoint: in.InvocationEndpoint, &d.Method: in.HttpMethod} {
			if from != nil {
				*to = *from
			}
		}
		if err := d.check("update"); err != nil {
			return err
		}
		if in.ConnectionArn != nil {
			if _, err := d.connected(tx); err != nil {
				return err
			}
		}
		d.Modified = s.Clock()
		out.ApiDestinationArn, out.ApiDestinationState, out.CreationTime, out.LastModifiedTime = new(d.arn()), new(d.state(tx)), &d.Created, &d.Modified
		return store.SetRecord(tx, at.destinationKey(d.Name), d)
	})
}

// DeleteApiDestination deletes an API destination.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DeleteApiDestination.html
func (s *Service) DeleteApiDestination(ctx context.Context, in *api.DeleteApiDestinationRequest) (*api.DeleteApiDestinationResponse, error) {
	at := placeOf(ctx)
	return nil, s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := getDestination(tx, at, *in.Name, "delete"); err != nil {
			return err
		}
		return tx.Delete(at.destinationKey(*in.Name))
	})
}

// DescribeApiDestination describes an API destination.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_DescribeApiDestination.html
func (s *Service) DescribeApiDestination(ctx context.Context, in *api.DescribeApiDestinationRequest) (*api.DescribeApiDestinationResponse, error) {
	at := placeOf(ctx)
	out := &api.DescribeApiDestinationResponse{}
	return out, s.Store.View(ctx, func(r store.Reader) error {
		d, err := getDestination(r, at, *in.Name, "describe")
		if err != nil {
			return err
		}
		*out = api.DescribeApiDestinationResponse{ApiDestinationArn: new(d.arn()), Name: &d.Name, Description: d.Description, ApiDestinationState: new(d.state(r)),
			ConnectionArn: &d.Connection, InvocationEndpoint: &d.Endpoint, HttpMethod: &d.Method, InvocationRateLimitPerSecond: &d.Rate,
			CreationTime: &d.Created, LastModifiedTime: &d.Modified}
		return nil
	})
}

// ListApiDestinations lists API destinations.
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_ListApiDestinations.html
func (s *Service) ListApiDestinations(ctx context.Context, in *api.ListApiDestinationsRequest) (*api.ListApiDestinationsResponse, error) {
	at := placeOf(ctx)
	out := &api.ListApiDestinationsResponse{ApiDestinations: []api.ApiDestination{}}
	return out, s.Store.View(ctx, func(r store.Reader) error {
		destinations, next, err := page(r, at.all("destination"), in.NextToken, in.Limit, func(d *destination) bool {
			return strings.HasPrefix(d.Name, awsapi.Val(in.NamePrefix)) && (in.ConnectionArn == nil || *in.ConnectionArn == d.Connection)
		})
		out.NextToken = next
		for _, d := range destinations {
			out.ApiDestinations = append(out.ApiDestinations, api.ApiDestination{ApiDestinationArn: new(d.arn()), Name: &d.Name, ApiDestinationState: new(d.state(r)),
				ConnectionArn: &d.Connection, InvocationEndpoint: &d.Endpoint, HttpMethod: &d.Method, InvocationRateLimitPerSecond: &d.Rate,
				CreationTime: &d.Created, LastModifiedTime: &d.Modified})
		}
		return err
	})
}
