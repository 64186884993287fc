package lambda

import (
	"context"
	"crypto/sha256"
	"math/big"
	"net"
	"net/url"
	"strings"
	"time"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
	"cirro/internal/store"
)

// urlLabel is the first label of a function URL's host: 32 digits and lower-case letters. A function or an
// alias always has the same, so that a URL survives being deleted and made again.
func urlLabel(s scope, name, qualifier string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{"url", s.Account, s.Region, name, qualifier}, "\x00")))
	id := new(big.Int).SetBytes(sum[:]).Text(36)
	return (id + strings.Repeat("0", 32))[:32]
}

// Address is the URL as a client that reaches the platform at the given endpoint can use it.
func (u *functionURL) Address(endpoint string) string {
	scheme, port := "http", ""
	if e, err := url.Parse(endpoint); err == nil && e.Host != "" {
		scheme = e.Scheme
		if _, p, err := net.SplitHostPort(e.Host); err == nil {
			port = ":" + p
		}
	}
	return scheme + "://" + u.ID + ".lambda-url." + u.Region + ".localhost" + port + "/"
}

// ARN is that of the function or alias whose URL it is.
func (u *functionURL) ARN() string { return u.arn("function", u.Function, u.Qualifier) }

func (u *functionURL) shown(ctx context.Context) *api.GetFunctionUrlConfigResponse {
	return &api.GetFunctionUrlConfigResponse{
		FunctionUrl: new(u.Address(awsapi.RequestOf(ctx).Endpoint)), FunctionArn: new(u.ARN()), AuthType: &u.AuthType,
		Cors: u.Cors, CreationTime: urlTime(u.Created), LastModifiedTime: urlTime(u.Modified), InvokeMode: &u.InvokeMode,
	}
}

// urlTime is a time as the configurations of URLs show it.
func urlTime(t time.Time) *string { return new(t.UTC().Format("2006-01-02T15:04:05.000000Z")) }

// ownURL reads whose URL a request means: a function's, or an alias's.
func ownURL(ctx context.Context, name string, qualifier *string) (reference, error) {
	ref, err := own(ctx, name, awsapi.Val(qualifier))
	if err == nil && versionNumber(ref.Qualifier) >= 0 {
		err = awsapi.ValidationException.New("1 validation error detected: Value '%s' at 'qualifier' failed to satisfy "+
			`constraint: Member must satisfy regular expression pattern: ((?!^\d+$)^[0-9a-zA-Z-_]+$)`, ref.Qualifier)
	}
	return ref, err
}

// urlOwner refuses a function or alias that is not there.
func urlOwner(r store.Reader, ref reference) error {
	_, found, err := store.GetRecord[function](r, functionKey(ref.scope, ref.Name))
	if err == nil && found && ref.Qualifier != "" {
		_, found, err = store.GetRecord[alias](r, aliasKey(ref.scope, ref.Name, ref.Qualifier))
	}
	if err == nil && !found {
		err = notFound("Function does not exist")
	}
	return err
}

// CreateFunctionUrlConfig gives a function or an alias a URL.
// https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunctionUrlConfig.html
func (s *Service) CreateFunctionUrlConfig(ctx context.Context, in *api.CreateFunctionUrlConfigRequest) (
	*api.CreateFunctionUrlConfigResponse, error,
) {
	ref, err := ownURL(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	now := s.Clock()
	u := functionURL{scope: ref.scope, ID: urlLabel(ref.scope, ref.Name, ref.Qualifier), Function: ref.Name,
		Qualifier: ref.Qualifier, AuthType: *in.AuthType, InvokeMode: api.InvokeModeBuffered, Cors: in.Cors,
		Created: now, Modified: now}
	set(&u.InvokeMode, in.InvokeMode)
	key := urlKey(ref.scope, ref.Name, ref.Qualifier)
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := urlOwner(tx, ref); err != nil {
			return err
		}
		if _, found, err := store.GetRecord[functionURL](tx, key); err != nil || found {
			if err == nil {
				err = conflict("Failed to create function url config for [functionArn = %s]. Error message:  "+
					"FunctionUrlConfig exists for this Lambda function", u.ARN())
			}
			return err
		}
		if err := tx.Set(urlIDKey(u.ID), key); err != nil {
			return err
		}
		return store.SetRecord(tx, key, u)
	})
	if err != nil {
		return nil, err
	}
	o := u.shown(ctx)
	return &api.CreateFunctionUrlConfigResponse{FunctionUrl: o.FunctionUrl, FunctionArn: o.FunctionArn, AuthType: o.AuthType,
		Cors: o.Cors, CreationTime: o.CreationTime, InvokeMode: in.InvokeMode}, nil // the mode as asked for, as AWS does
}

// readURL reads the URL that ref names.
func readURL(r store.Reader, ref reference) (*functionURL, error) {
	u, found, err := store.GetRecord[functionURL](r, urlKey(ref.scope, ref.Name, ref.Qualifier))
	if err != nil || !found {
		return nil, orNotFound(err, "The resource you requested does not exist.")
	}
	return &u, nil
}

// GetFunctionUrlConfig returns a URL's configuration.
// https://docs.aws.amazon.com/lambda/latest/api/API_GetFunctionUrlConfig.html
func (s *Service) GetFunctionUrlConfig(ctx context.Context, in *api.GetFunctionUrlConfigRequest) (
	out *api.GetFunctionUrlConfigResponse, err error,
) {
	ref, err := ownURL(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.Store.View(ctx, func(r store.Reader) error {
		u, err := readURL(r, ref)
		if err != nil {
			return err
		}
		out = u.shown(ctx)
		return nil
	})
	return out, err
}

// UpdateFunctionUrlConfig changes a URL's configuration.
// https://docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionUrlConfig.html
func (s *Service) UpdateFunctionUrlConfig(ctx context.Context, in *api.UpdateFunctionUrlConfigRequest) (
	out *api.UpdateFunctionUrlConfigResponse, err error,
) {
	ref, err := ownURL(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if err := urlOwner(tx, ref); err != nil {
			return err
		}
		u, err := readURL(tx, ref)
		if err != nil {
			return err
		}
		set(&u.AuthType, in.AuthType)
		set(&u.InvokeMode, in.InvokeMode)
		if in.Cors != nil {
			u.Cors = in.Cors
		}
		u.Modified = s.Clock()
		out = (*api.UpdateFunctionUrlConfigResponse)(u.shown(ctx))
		out.InvokeMode = in.InvokeMode // the mode as asked for, as AWS does
		return store.SetRecord(tx, urlKey(ref.scope, ref.Name, ref.Qualifier), *u)
	})
	return out, err
}

// DeleteFunctionUrlConfig takes a URL away.
// https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunctionUrlConfig.html
func (s *Service) DeleteFunctionUrlConfig(ctx context.Context, in *api.DeleteFunctionUrlConfigRequest) (
	*api.DeleteFunctionUrlConfigOutput, error,
) {
	ref, err := ownURL(ctx, *in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.Store.Update(ctx, func(tx store.Tx) error {
		if _, err := readURL(tx, ref); err != nil {
			return err
		}
		return dropURL(tx, ref, ref.Qualifier)
	})
	if err != nil {
		return nil, err
	}
	return &api.DeleteFunctionUrlConfigOutput{}, nil
}

// dropURL deletes the URL of a function or an alias, if it has one.
func dropURL(tx store.Tx, ref reference, qualifier string) error {
	if err := tx.Delete(urlIDKey(urlLabel(ref.scope, ref.Name, qualifier))); err != nil {
		return err
	}
	return tx.Delete(urlKey(ref.scope, ref.Name, qualifier))
}

// dropURLs deletes all URLs of a function and its aliases.
func dropURLs(tx store.Tx, ref reference) error {
	var qualifiers []string
	for u, err := range store.Records[functionURL](tx, store.Prefix("lambda", "url", ref.Account, ref.Region, ref.Name)) {
		if err != nil {
			return err
		}
		qualifiers = append(qualifiers, u.Qualifier)
	}
	for _, q := range qualifiers {
		if err := dropURL(tx, ref, q); err != nil {
			return err
		}
	}
	return nil
}

// ListFunctionUrlConfigs lists the URLs of a function and its aliases.
// https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctionUrlConfigs.html
func (s *Service) ListFunctionUrlConfigs(ctx context.Context, in *api.ListFunctionUrlConfigsRequest) (
	*api.ListFunctionUrlConfigsResponse, error,
) {
	ref, err := own(ctx, *in.FunctionName, "")
	if err != nil {
		return nil, err
	}
	out := &api.ListFunctionUrlConfigsResponse{FunctionUrlConfigs: []api.FunctionUrlConfig{}}
	err = s.Store.View(ctx, func(r store.Reader) error {
		if err := urlOwner(r, reference{scope: ref.scope, Name: ref.Name}); err != nil {
			return err
		}
		over := store.Prefix("lambda", "url", ref.Account, ref.Region, ref.Name)
		urls, next, err := page[functionURL](r, over, in.Marker, in.MaxItems, nil)
		for i := range urls {
			o := urls[i].shown(ctx)
			out.FunctionUrlConfigs = append(out.FunctionUrlConfigs, api.FunctionUrlConfig{FunctionUrl: o.FunctionUrl,
				FunctionArn: o.FunctionArn, CreationTime: o.CreationTime, LastModifiedTime: o.LastModifiedTime, Cors: o.Cors,
				AuthType: o.AuthType, InvokeMode: o.InvokeMode})
		}
		out.NextMarker = next
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
