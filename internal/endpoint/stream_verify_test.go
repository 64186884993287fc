package endpoint_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint"
	"cirro/internal/endpoint/sigv4"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// TestVerifiedStreams has AWS's signer sign uploads in every way there is, and spoils each.
func TestVerifiedStreams(t *testing.T) {
	credentials := aws.Credentials{AccessKeyID: "KEY", SecretAccessKey: "secret"}
	identify := func(context.Context, string, string) (awsapi.Principal, string, error) {
		return awsapi.Principal{Account: "111122223333"}, "secret", nil
	}
	s := httptest.NewServer(newPutEndpoint(t, endpoint.Options{Verify: true, Identify: identify, Logger: quiet}, countBody))
	defer s.Close()
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	sign := func(r *http.Request, hash string) {
		t.Helper()
		r.Header.Set("X-Amz-Content-Sha256", hash)
		if err := signer.SignHTTP(context.Background(), credentials, r, hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	chunks := func(r *http.Request, spoil bool) string {
		scope := time.Now().UTC().Format("20060102") + "/us-east-1/s3/aws4_request"
		seed := r.Header.Get("Authorization")
		seed = seed[strings.LastIndex(seed, "=")+1:]
		parsed, err := sigv4.Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		return chunkBody(parsed, scope, r.Header.Get("X-Amz-Date"), seed, spoil)
	}
	for _, c := range []struct {
		name string
		make func(r *http.Request, spoil bool) string // sets up and signs r, and returns the body
		code string                                   // when spoilt
	}{
		{"hash", func(r *http.Request, spoil bool) string {
			sign(r, sigv4.HexSHA256([]byte("hello")))
			return map[bool]string{false: "hello", true: "hellO"}[spoil]
		}, "XAmzContentSHA256Mismatch"},
		{"unsigned", func(r *http.Request, spoil bool) string {
			sign(r, sigv4.UnsignedPayload)
			if spoil {
				r.URL.Path = "/other"
			}
			return "hello"
		}, "SignatureDoesNotMatch"},
		{"signed chunks", func(r *http.Request, spoil bool) string {
			r.Header.Set("X-Amz-Decoded-Content-Length", "5")
			sign(r, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
			return chunks(r, spoil)
		}, "SignatureDoesNotMatch"},
		{"unsigned trailer", func(r *http.Request, spoil bool) string {
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			sign(r, "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
			return map[bool]string{false: "5\r\nhello", true: "5\r\nhellO"}[spoil] + "\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
		}, "BadDigest"},
	} {
		for _, spoil := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, spoil), func(t *testing.T) {
				r := request(t, "PUT", s.URL+"/bucket/a%20key", "")
				r.Header.Set("X-Amz-Date", time.Now().UTC().Format(sigv4.TimeFormat))
				body := c.make(r, spoil)
				r.Body, r.ContentLength = io.NopCloser(bytes.NewReader([]byte(body))), int64(len(body))
				resp, text := do(t, r)
				if !spoil && (resp.StatusCode != 200 || resp.Header.Get("x-amz-object-size") != "5") ||
					spoil && (resp.StatusCode < 400 || !strings.Contains(text, "<Code>"+c.code+"</Code>")) {
					t.Errorf("%d %s", resp.StatusCode, text)
				}
			})
		}
	}
}

func hmacOf(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// chunkBody signs two chunks, by the specification and not by this project's code.
func chunkBody(s *sigv4.Signature, scope, date, previous string, spoil bool) string {
	key := hmacOf(hmacOf(hmacOf(hmacOf([]byte("AWS4secret"), s.Date), s.Region), s.Service), "aws4_request")
	sign := func(data string) string {
		text := "AWS4-HMAC-SHA256-PAYLOAD\n" + date + "\n" + scope + "\n" + previous + "\n" + sigv4.HexSHA256(nil) + "\n" + sigv4.HexSHA256([]byte(data))
		previous = hex.EncodeToString(hmacOf(key, text))
		return previous
	}
	data := "hello"
	first := sign(data)
	if spoil {
		data = "hellO"
	}
	return "5;chunk-signature=" + first + "\r\n" + data + "\r\n0;chunk-signature=" + sign("") + "\r\n\r\n"
}
