package platform

import (
	"bytes"
	"io"
	"net/http"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint"
)

// maxSigned is the largest body, in bytes, of a signed request to a stage or a function URL: API
// Gateway takes 10 MB, a function 6.
const maxSigned = 10 << 20

// signedFor finds out who signed a request to a face of a service that is no operation, under the given
// signing name. A signature covers the body, so the body is read first and put back.
func signedFor(front *endpoint.Endpoint, signingName string) func(*http.Request) (awsapi.Principal, error) {
	return func(r *http.Request) (awsapi.Principal, error) {
		body, err := io.ReadAll(io.LimitReader(r.Body, maxSigned+1))
		if err != nil {
			return awsapi.Principal{}, err
		}
		r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
		return front.Authenticate(r, signingName, body)
	}
}
