package lambda

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/blob"
)

const (
	packagePath = "/_aws/lambda/packages/"
	// locationLife is how long the address of a package works, as on AWS.
	locationLife = 10 * time.Minute
)

// location is an address that a package can be downloaded from for a while, without credentials.
func (s *Service) location(ctx context.Context, c code) string {
	expires := strconv.FormatInt(s.Clock().Add(locationLife).Unix(), 10)
	return awsapi.RequestOf(ctx).Endpoint + packagePath + c.Package + "?Expires=" + expires + "&Signature=" + s.sign(c.Package, expires)
}

func (s *Service) sign(id, expires string) string {
	mac := hmac.New(sha256.New, s.signing)
	mac.Write([]byte(id + "\n" + expires))
	return hex.EncodeToString(mac.Sum(nil))
}

// Packages serves deployment packages at the addresses that GetFunction and GetLayerVersion hand out.
type Packages struct{ service *Service }

// Packages returns the server of the service's packages.
func (s *Service) Packages() *Packages { return &Packages{s} }

// Match reports whether a request is for a package.
func (p *Packages) Match(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, packagePath) }

// ServeHTTP sends a package to whoever has an address that is signed and has not expired.
func (p *Packages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := p.service
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "packages can only be read", http.StatusMethodNotAllowed)
		return
	}
	id, query := strings.TrimPrefix(r.URL.Path, packagePath), r.URL.Query()
	expires := query.Get("Expires")
	if !hmac.Equal([]byte(s.sign(id, expires)), []byte(query.Get("Signature"))) {
		http.Error(w, "the signature does not match", http.StatusForbidden)
		return
	}
	if end, err := strconv.ParseInt(expires, 10, 64); err != nil || s.Clock().Unix() > end {
		http.Error(w, "the address has expired", http.StatusForbidden)
		return
	}
	body, _, err := s.Blobs.Get(r.Context(), blobKey(id))
	if errors.Is(err, blob.ErrNotFound) {
		http.Error(w, "the package is gone", http.StatusNotFound)
		return
	}
	if err != nil {
		s.Log.Error("lambda: read a package", "package", id, "error", err)
		http.Error(w, "the package cannot be read", http.StatusInternalServerError)
		return
	}
	defer body.Close()
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(w, r, "", time.Time{}, body)
}
