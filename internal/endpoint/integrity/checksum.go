package integrity

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"cirro/internal/awsapi"

	"github.com/minio/crc64nvme"
)

// BadDigest is the answer to a body that is not what its checksum says; InvalidDigest to a checksum that
// is none.
var (
	BadDigest     = &awsapi.ErrorType{Code: "BadDigest", Status: http.StatusBadRequest}
	InvalidDigest = &awsapi.ErrorType{Code: "InvalidDigest", Status: http.StatusBadRequest}
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// checksums are the algorithms by the header or trailer that holds their value in base64.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
var checksums = map[string]func() hash.Hash{
	"content-md5":              md5.New,
	"x-amz-checksum-crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"x-amz-checksum-crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	"x-amz-checksum-crc64nvme": func() hash.Hash { return crc64nvme.New() },
	"x-amz-checksum-sha1":      sha1.New,
	"x-amz-checksum-sha256":    sha256.New,
}

// Checksums returns a body that compares itself with the checksums in the headers, or body itself where
// there are none.
func Checksums(body io.Reader, header http.Header) (io.Reader, error) {
	var checks []check
	for name, make := range checksums {
		value := header.Get(name)
		if value == "" {
			continue
		}
		h := make()
		if b, err := base64.StdEncoding.DecodeString(value); err != nil || len(b) != h.Size() {
			return nil, invalid(name)
		}
		checks = append(checks, check{name, value, h, base64.StdEncoding.EncodeToString})
	}
	if checks == nil {
		return body, nil
	}
	return &checked{body, checks}, nil
}

// SHA256 returns a body that compares itself with a hash in hexadecimal, of X-Amz-Content-Sha256.
func SHA256(body io.Reader, want string) io.Reader {
	return &checked{body, []check{{"x-amz-content-sha256", want, sha256.New(), hex.EncodeToString}}}
}

// Checksums implements awsapi.Verified.
func (c *checked) Checksums() map[string]string {
	sums := map[string]string{}
	if v, ok := c.body.(awsapi.Verified); ok {
		sums = v.Checksums()
	}
	for i := range c.checks {
		sums[c.checks[i].name] = c.checks[i].want
	}
	return sums
}

func invalid(name string) error {
	if name == "content-md5" {
		return InvalidDigest.New("The Content-MD5 you specified was invalid.")
	}
	return InvalidDigest.New("Value for %s header is invalid.", name)
}

type check struct {
	name, want string
	hash       hash.Hash
	text       func([]byte) string
}

func (c *check) compare() error {
	if c.text(c.hash.Sum(nil)) == c.want {
		return nil
	}
	return mismatch(c.name)
}

var hashMismatch = &awsapi.ErrorType{Code: "XAmzContentSHA256Mismatch", Status: http.StatusBadRequest}

func mismatch(name string) error {
	switch name {
	case "content-md5":
		return BadDigest.New("The Content-MD5 you specified did not match what we received.")
	case "x-amz-content-sha256":
		return hashMismatch.New("The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	return BadDigest.New("The %s you specified did not match the calculated checksum.", strings.ToUpper(strings.TrimPrefix(name, "x-amz-checksum-")))
}

// checked compares when its body ends.
type checked struct {
	body   io.Reader
	checks []check
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	for i := range c.checks {
		c.checks[i].hash.Write(p[:n])
	}
	if err != io.EOF {
		return n, err
	}
	for i := range c.checks {
		if err := c.checks[i].compare(); err != nil {
			return n, err
		}
	}
	return n, io.EOF
}
