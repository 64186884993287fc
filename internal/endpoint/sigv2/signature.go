package sigv2

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Signature is a request's signature, taken apart but not checked.
type Signature struct {
	AccessKey string
	Signature string // base64
	Token     string // of temporary credentials
	Expires   string // of a presigned URL: seconds of Unix time; "" where the signature is in a header
}

// Parse takes the signature of a request apart, in its Authorization header or its query string; ok says whether it
// has one of version 2.
func Parse(r *http.Request) (s Signature, ok bool) {
	if header := r.Header.Get("Authorization"); header != "" {
		pair, found := strings.CutPrefix(header, "AWS ")
		i := strings.LastIndexByte(pair, ':')
		if !found || i < 0 {
			return s, false
		}
		return Signature{AccessKey: pair[:i], Signature: pair[i+1:], Token: r.Header.Get("X-Amz-Security-Token")}, true
	}
	if !strings.Contains(r.URL.RawQuery, "AWSAccessKeyId=") || !strings.Contains(r.URL.RawQuery, "Signature=") {
		return s, false
	}
	q := r.URL.Query()
	s = Signature{AccessKey: q.Get("AWSAccessKeyId"), Signature: q.Get("Signature"), Expires: q.Get("Expires"),
		Token: q.Get("x-amz-security-token")}
	return s, s.Expires != "" && q.Get("Action") == ""
}

// Check reports whether the request was signed with the secret. bucket is the one that its host names, "" for none.
func (s Signature) Check(r *http.Request, bucket, secret string) bool {
	if Matches(s.StringToSign(r, bucket), secret, s.Signature) {
		return true
	}
	if strings.Count(r.URL.Path, "/") != 1 || bucket != "" {
		return false
	}
	// Some sign the bucket's own path with a slash at its end, though they send it without.
	slashed := *r
	u := *r.URL
	u.Path, u.RawPath = u.Path+"/", ""
	slashed.URL = &u
	return Matches(s.StringToSign(&slashed, bucket), secret, s.Signature)
}

// Matches reports whether signature, in base64, is that of the text: of a request, or of a form's policy.
func Matches(text, secret, signature string) bool {
	h := hmac.New(sha1.New, []byte(secret))
	h.Write([]byte(text))
	given, err := base64.StdEncoding.DecodeString(signature)
	return err == nil && hmac.Equal(h.Sum(nil), given)
}

// StringToSign is what the signature of the request signs.
func (s Signature) StringToSign(r *http.Request, bucket string) string {
	query := r.URL.Query()
	date := s.Expires
	if date == "" && r.Header.Get("X-Amz-Date") == "" {
		date = r.Header.Get("Date")
	}
	lines := []string{r.Method, either(r.Header.Get("Content-Md5"), query.Get("Content-MD5")),
		either(r.Header.Get("Content-Type"), query.Get("Content-Type")), date}
	return strings.Join(lines, "\n") + "\n" + amzHeaders(r.Header, query) + resource(r.URL, query, bucket)
}

func either(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// amzHeaders are the x-amz- headers. Those of a presigned URL are parameters of its query string.
func amzHeaders(header http.Header, query url.Values) string {
	all := map[string]string{}
	for _, from := range []map[string][]string{header, query} {
		for name, values := range from {
			if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
				all[name] = strings.TrimSpace(strings.Join(values, ","))
			}
		}
	}
	var lines []string
	for name, value := range all {
		lines = append(lines, name+":"+value+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// subresources are the parameters that are signed.
var subresources = []string{"accelerate", "acl", "analytics", "cors", "delete", "encryption", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "location", "logging", "metrics", "notification", "object-lock", "ownershipControls", "partNumber",
	"policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "response-cache-control",
	"response-content-disposition", "response-content-encoding", "response-content-language", "response-content-type",
	"response-expires", "restore", "retention", "select", "select-type", "tagging", "torrent", "uploadId", "uploads", "versionId",
	"versioning", "versions", "website"}

func resource(u *url.URL, query url.Values, bucket string) string {
	path := u.EscapedPath()
	if bucket != "" {
		path = "/" + bucket + path
	}
	separator := "?"
	for _, name := range subresources {
		values, ok := query[name]
		if !ok {
			continue
		}
		path += separator + name
		if values[0] != "" {
			path += "=" + values[0]
		}
		separator = "&"
	}
	return path
}
