package endpoint

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/integrity"
	"cirro/internal/endpoint/sigv2"
	"cirro/internal/endpoint/sigv4"
	"cirro/internal/endpoint/wire"
)

// authentication is a request's signature and whom it belongs to, before the body's hash is known.
type authentication struct {
	request   *http.Request
	signature *sigv4.Signature // nil for an operation that needs none, and where v2 is not
	v2        *sigv2.Signature // of S3
	bucket    string           // that the host names for S3
	principal awsapi.Principal
	secret    string
	hash      string // what X-Amz-Content-Sha256 says, or the word that stands for none
}

// authenticate finds out who signed the request for the operation, but does not check the signature yet.
func (e *Endpoint) authenticate(x *wire.Exchange, t target) (*authentication, error) {
	a := &authentication{request: x.HTTP, bucket: x.Bucket}
	if x.Operation.Unsigned && x.HTTP.Header.Get("Authorization") == "" {
		a.principal = awsapi.Principal{Account: awsapi.DefaultAccount}
		return a, nil
	}
	if _, guarded := t.service.impl.(awsapi.Guard); guarded && !credentialOf(x.HTTP).signed {
		return a, nil // nobody: what that one may do, the service says
	}
	if s, ok := sigv2.Parse(x.HTTP); ok && t.service.SigningName == "s3" {
		a.v2 = &s
		if err := e.checkDate(x.HTTP, s); err != nil {
			return a, err
		}
		return a, e.lookup(x.HTTP.Context(), a, s.AccessKey, s.Token)
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
	a.signature = signature
	a.hash = a.request.Header.Get("X-Amz-Content-Sha256")
	if a.hash == "" && signature.Presigned && signature.Service == "s3" {
		a.hash = sigv4.UnsignedPayload
	}
	return e.lookup(ctx, a, signature.AccessKey, signature.Token)
}

// lookup finds out whom an access key belongs to.
func (e *Endpoint) lookup(ctx context.Context, a *authentication, accessKey, token string) (err error) {
	if e.options.Identify == nil {
		return sigv4.Unrecognized.New("The security token included in the request is invalid.")
	}
	a.principal, a.secret, err = e.options.Identify(ctx, accessKey, token)
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
	if a.v2 != nil && !a.v2.Check(a.request, a.bucket, a.secret) {
		return sigv4.Mismatch()
	}
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
