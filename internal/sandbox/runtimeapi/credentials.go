package runtimeapi

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"time"
)

// CredentialsPath is where a function with SnapStart gets its credentials: its environment cannot hold them,
// as a snapshot outlives them. It is where AWS has it, and speaks as the SDKs' container provider expects.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
const CredentialsPath = "/2021-04-23/credentials"

// Credentials are what a function's own calls are signed with.
type Credentials struct {
	AccessKeyID     string    `json:"AccessKeyId"`
	SecretAccessKey string    `json:"SecretAccessKey"`
	SessionToken    string    `json:"Token,omitempty"`
	Expiration      time.Time `json:"Expiration"`
}

// ServeCredentials answers one request for credentials, if it comes with the token. AWS's answer without it is
// no more than that there is nothing.
func ServeCredentials(w http.ResponseWriter, r *http.Request, token string, issue func() Credentials) {
	if !allow(w, r, http.MethodGet) {
		return
	}
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(token)) != 1 {
		http.Error(w, "cannot get credentials for the provided token", http.StatusNotFound)
		return
	}
	c := issue()
	c.Expiration = c.Expiration.UTC().Truncate(time.Second)
	body, err := json.Marshal(c)
	if err != nil {
		http.Error(w, "cannot get credentials for the provided token", http.StatusNotFound)
		return
	}
	w.Header()["Content-Type"] = typeJSON
	w.Write(body)
}
