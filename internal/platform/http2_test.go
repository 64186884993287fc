package platform_test

import (
	"net/http"
	"testing"
)

// A client that knows that the platform speaks HTTP/2 needs no TLS for it.
func TestHTTP2(t *testing.T) {
	p := start(t, options(t, t.TempDir()))
	known := new(http.Protocols)
	known.SetUnencryptedHTTP2(true)
	c := &http.Client{Transport: &http.Transport{Protocols: known}}
	defer c.CloseIdleConnections()
	resp, err := c.Get(p.URL() + "/_cirro/health")
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Errorf("answered %s over %s: %v", resp.Status, resp.Proto, err)
	}
}
