package apigateway

import (
	"context"
	"crypto/rand"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/apigateway"
	"cirro/internal/store"
)

// restAPI is the record of an API: all of it, so that a change of one part and the checks that it needs
// are one transaction, and a deployment is one copy.
type restAPI struct {
	API       api.RestApi
	Resources map[string]api.Resource        // by id; the root is one of them
	Responses map[string]api.GatewayResponse // by type; those that were set
}

// deployment is the record of a deployment, with the API as it was.
type deployment struct {
	Deployment api.Deployment
	Snapshot   restAPI
}

// home says where an API lives. Ids are unique in a store, so that an address needs no account.
type home struct{ Account, Region string }

// The keys of the records. Those of an API's deployments and stages start with its own.
func apiKey(ctx context.Context, id string) []byte { return keyOf(ctx, "api", id) }

func deploymentKey(ctx context.Context, apiID, id string) []byte {
	return keyOf(ctx, "deployment", apiID, id)
}

func stageKey(ctx context.Context, apiID, name string) []byte {
	return keyOf(ctx, "stage", apiID, name)
}

func homeKey(apiID string) []byte { return store.Key("apigateway", "home", apiID) }

func keyOf(ctx context.Context, kind string, parts ...any) []byte {
	r := awsapi.RequestOf(ctx)
	return store.AppendKey(store.Key("apigateway", kind, r.Account(), r.Region), parts...)
}

func prefixOf(ctx context.Context, kind string, parts ...any) store.Range {
	r := awsapi.RequestOf(ctx)
	return store.Prefix(append([]any{"apigateway", kind, r.Account(), r.Region}, parts...)...)
}

// getAPI reads an API of the caller's account and region.
func getAPI(ctx context.Context, r store.Reader, id string) (*restAPI, error) {
	a, found, err := store.GetRecord[restAPI](r, apiKey(ctx, id))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, noAPI(ctx, id)
	}
	return &a, nil
}

func noAPI(ctx context.Context, id string) error {
	return api.NotFoundException.New("Invalid API identifier specified %s:%s", awsapi.RequestOf(ctx).Account(), id)
}

// The lengths of ids: 10 for APIs, 6 for what is in them.
const (
	apiIDLength  = 10
	partIDLength = 6
)

// newID makes a random id of lower-case letters and digits.
func newID(length int) string {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789"
	id := make([]byte, 0, length)
	for b := make([]byte, 1); len(id) < length; {
		rand.Read(b)
		// 252 is the greatest multiple of 36 in a byte: above it some letters would be likelier.
		if b[0] < 252 {
			id = append(id, alphabet[b[0]%36])
		}
	}
	return string(id)
}

// now is the time as records keep it: API Gateway's dates have whole seconds.
func now() *time.Time { return new(time.Now().UTC().Truncate(time.Second)) }
