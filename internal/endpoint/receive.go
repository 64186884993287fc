package endpoint

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/integrity"
	"cirro/internal/endpoint/sigv4"
	"cirro/internal/endpoint/wire"
)

// receive reads the body, or makes its stream ready, and finds out who sent it.
func (e *Endpoint) receive(x *wire.Exchange, t target, c credential) (awsapi.Principal, error) {
	if err := checkMedia(x, t); err != nil {
		return awsapi.Principal{}, err
	}
	if err := e.checkLife(x.HTTP, t.service.SigningName); err != nil {
		return awsapi.Principal{}, err
	}
	if !e.options.Verify {
		p := e.principalOf(x.HTTP.Context(), c)
		return p, e.receiveBody(x, nil)
	}
	a, err := e.authenticate(x, t)
	if err != nil {
		return a.principal, err
	}
	if a.apart(x.Operation) {
		if err := a.check(a.hash); err != nil {
			return a.principal, err
		}
		return a.principal, e.receiveBody(x, a.chain())
	}
	return a.principal, e.receiveSigned(x, a)
}

// receiveBody unwraps the body, and reads it whole unless the operation streams it. A form is read already.
func (e *Endpoint) receiveBody(x *wire.Exchange, chain integrity.Chain) error {
	if x.Form != nil {
		return nil
	}
	if err := unwrap(x, chain); err != nil {
		return err
	}
	if x.Operation.StreamsInput() {
		x.Stream = x.HTTP.Body
		return nil
	}
	l := limitOf(x.Operation)
	body, err := readBody(x.HTTP, l)
	if err != nil {
		return err
	}
	x.Body, err = inflate(x.HTTP, x.Operation, body, l)
	return err
}

// receiveSigned reads a body whose hash is signed, and checks that before it looks into it.
func (e *Endpoint) receiveSigned(x *wire.Exchange, a *authentication) error {
	if x.Form != nil {
		return a.check(sigv4.HexSHA256(x.Body))
	}
	body, err := readBody(x.HTTP, limitOf(x.Operation))
	if err != nil {
		return err
	}
	if err := a.check(sigv4.HexSHA256(body)); err != nil {
		return err
	}
	x.HTTP.Body, x.HTTP.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return e.receiveBody(x, nil)
}

// readCloser reads from one place and closes another.
type readCloser struct {
	io.Reader
	io.Closer
}

// Checksums implements awsapi.Verified.
func (r readCloser) Checksums() map[string]string {
	if v, ok := r.Reader.(awsapi.Verified); ok {
		return v.Checksums()
	}
	return nil
}

// unwrap replaces the request's body by what it carries: the data of chunks, compared with its checksums.
func unwrap(x *wire.Exchange, chain integrity.Chain) error {
	r := x.HTTP
	declared := r.Header.Get("X-Amz-Content-Sha256")
	body := io.Reader(r.Body)
	switch {
	case strings.HasPrefix(declared, "STREAMING-"):
		length := int64(-1)
		if n, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64); err == nil && n >= 0 {
			length = n
		}
		var trailer []string
		if names := r.Header.Get("X-Amz-Trailer"); names != "" {
			trailer = strings.Split(names, ",")
		}
		if !strings.HasPrefix(declared, "STREAMING-AWS4-HMAC-SHA256") {
			chain = nil
		}
		body = integrity.Chunked(body, integrity.Framing{Chain: chain, Length: length, Trailer: trailer})
		r.ContentLength = length
		dropChunkedCoding(r.Header)
	case isHash(declared) && x.Operation.StreamsInput():
		body = integrity.SHA256(body, declared)
	}
	if x.Operation.StreamsInput() || x.Operation.Checksum != nil {
		var err error
		if body, err = integrity.Checksums(body, r.Header); err != nil {
			return err
		}
	}
	if body != io.Reader(r.Body) {
		r.Body = readCloser{body, r.Body}
	}
	return nil
}

// dropChunkedCoding takes aws-chunked out of Content-Encoding: it is how the body travelled, not what it is.
func dropChunkedCoding(h http.Header) {
	var codings []string
	for coding := range strings.SplitSeq(h.Get("Content-Encoding"), ",") {
		if coding = strings.TrimSpace(coding); coding != "" && coding != "aws-chunked" {
			codings = append(codings, coding)
		}
	}
	if h.Del("Content-Encoding"); len(codings) > 0 {
		h.Set("Content-Encoding", strings.Join(codings, ","))
	}
}

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// foreignMedia are content types that no JSON body has.
var foreignMedia = []string{"application/cbor", "application/xml", "text/xml", "multipart/form-data"}

// checkMedia refuses a structured JSON body that says it is something else.
func checkMedia(x *wire.Exchange, t target) error {
	if t.service.Protocol != awsapi.RestJSON || x.HTTP.ContentLength == 0 {
		return nil
	}
	plan := x.Operation.InputPlan()
	if f := plan.PayloadField(); f != nil && (f.Plan.Kind == awsapi.Blob || f.Plan.Kind == awsapi.String) || f == nil && plan.BodyMembers() == 0 {
		return nil
	}
	media, _, _ := strings.Cut(x.HTTP.Header.Get("Content-Type"), ";")
	if slices.Contains(foreignMedia, strings.ToLower(strings.TrimSpace(media))) {
		return UnsupportedMedia.New("Unsupported content type: %s", media)
	}
	return nil
}
