package endpoint

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/integrity"
	"cirro/internal/endpoint/sigv4"
	"cirro/internal/endpoint/wire"
)

// authentication is a request's signature and whom it belongs to, before the body's hash is known.
type authentication struct {
	request   *http.Request
	signature *sigv4.Signature // nil for an operation that needs none
	principal awsapi.Principal
	secret    string
	hash      string // what X-Amz-Content-Sha256 says, or the word that stands for none
}

// authenticate finds out who signed the request for the operation, but does not check the signature yet.
func (e *Endpoint) authenticate(x *wire.Exchange, t target) (*authentication, error) {
	a := &authentication{request: x.HTTP}
	if x.Operation.Unsigned && x.HTTP.Header.Get("Authorization") == "" {
		a.principal = awsapi.Principal{Account: awsapi.DefaultAccount}
		return a, nil
	}
	return a, e.identify(x.HTTP.Context(), a, t.service.SigningName)
}

// Authenticate finds out who signed a request to a mounted handler, which is no operation, for the signing
// name given: "execute-api", or "lambda" for a function's URL. body is the request's whole body. Where
// signatures are not verified, it takes the request's word. Its errors are *awsapi.Error.
func (e *Endpoint) Authenticate(r *http.Request, signingName string, body []byte) (awsapi.Principal, error) {
	c := credentialOf(r)
	if !e.options.Verify {
		if !c.signed {
			return awsapi.Principal{}, sigv4.MissingToken.New("Missing Authentication Token")
		}
		return e.principalOf(r.Context(), c), nil
	}
	a := &authentication{request: r}
	if err := e.identify(r.Context(), a, signingName); err != nil {
		return awsapi.Principal{}, err
	}
	hash := sigv4.HexSHA256(body)
	if isHash(a.hash) && a.hash != hash {
		return awsapi.Principal{}, sigv4.HashMismatch.New("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if a.hash == sigv4.UnsignedPayload {
		hash = a.hash
	}
	return a.principal, a.check(hash)
}

func (e *Endpoint) identify(ctx context.Context, a *authentication, want string) error {
	signature, err := sigv4.Parse(a.request)
	if err != nil {
		return err
	}
	if err := signature.CheckTime(e.now()); err != nil {
		return err
	}
	if signature.Service != want {
		return sigv4.Invalid.New("Credential should be scoped to correct service: '%s'. ", want)
	}
	if e.options.Identify == nil {
		return sigv4.Unrecognized.New("The security token included in the request is invalid.")
	}
	a.signature = signature
	a.hash = a.request.Header.Get("X-Amz-Content-Sha256")
	if a.hash == "" && signature.Presigned && signature.Service == "s3" {
		a.hash = sigv4.UnsignedPayload
	}
	a.principal, a.secret, err = e.options.Identify(ctx, signature.AccessKey, signature.Token)
	if _, known := errors.AsType[*awsapi.Error](err); err != nil && !known {
		e.log.DebugContext(ctx, "an access key is not known", "error", err)
		return sigv4.Unrecognized.New("The security token included in the request is invalid.")
	}
	return err
}

// apart reports whether the signature is checked before the body is read: what it says of the body is in
// the header, and the body is compared with that while it streams, or is not signed at all.
func (a *authentication) apart(op *wire.Operation) bool {
	switch {
	case a.signature == nil, strings.HasPrefix(a.hash, "STREAMING-"):
		return true
	case a.hash == sigv4.UnsignedPayload:
		return a.signature.Service == "s3" || op.StreamsInput()
	}
	return isHash(a.hash) && op.StreamsInput()
}

// check checks the signature over the hash.
func (a *authentication) check(hash string) error {
	if a.signature == nil {
		return nil
	}
	return a.signature.Check(a.request, a.secret, hash)
}

// chain checks the chunks of a streamed body, nil where they are not signed.
func (a *authentication) chain() integrity.Chain {
	if a.signature == nil || !strings.HasPrefix(a.hash, "STREAMING-AWS4-HMAC-SHA256") {
		return nil
	}
	return a.signature.Chain(a.secret)
}
