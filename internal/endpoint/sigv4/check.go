package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Key derives the signing key of a scope from a secret.
func Key(secret, date, region, service string) []byte {
	key := sum([]byte("AWS4"+secret), date)
	key = sum(key, region)
	key = sum(key, service)
	return sum(key, Terminator)
}

func sum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// HexSHA256 is the hash of a body as a signature holds it.
func HexSHA256(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// Check reports whether the request was signed with the secret. payloadHash is what the signature holds of
// the body: its hash in hexadecimal, or one of the words that stand for none.
func (s *Signature) Check(r *http.Request, secret, payloadHash string) error {
	key := Key(secret, s.Date, s.Region, s.Service)
	for _, uri := range s.canonicalURIs(r) {
		canonical := s.canonicalRequest(r, uri, payloadHash)
		want := hex.EncodeToString(sum(key, s.StringToSign(canonical)))
		if subtle.ConstantTimeCompare([]byte(want), []byte(s.Signature)) == 1 {
			return nil
		}
	}
	return Mismatch()
}

// StringToSign is what the signature of a canonical request signs.
func (s *Signature) StringToSign(canonical string) string {
	return Algorithm + "\n" + s.timeText + "\n" + s.Scope() + "\n" + HexSHA256([]byte(canonical))
}

func (s *Signature) canonicalRequest(r *http.Request, uri, payloadHash string) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + uri + "\n" + s.canonicalQuery(r.URL.RawQuery) + "\n")
	for _, name := range s.SignedHeaders {
		b.WriteString(name + ":" + canonicalHeader(r, name) + "\n")
	}
	b.WriteString("\n" + strings.Join(s.SignedHeaders, ";") + "\n" + payloadHash)
	return b.String()
}

// canonicalURIs are the forms in which clients sign the path. S3's is encoded once and never tidied; for
// all others what was sent is encoded once more, tidied as the specification says, or not, as some
// clients do.
func (s *Signature) canonicalURIs(r *http.Request) []string {
	sent, _, _ := strings.Cut(r.RequestURI, "?")
	if !strings.HasPrefix(sent, "/") {
		sent = r.URL.EscapedPath()
	}
	if sent == "" {
		sent = "/"
	}
	if s.Service == "s3" || s.Service == "s3-object-lambda" || s.Service == "s3express" {
		if plain, err := url.PathUnescape(sent); err == nil {
			return []string{escape(plain, true)}
		}
		return []string{sent}
	}
	tidy := path.Clean(sent)
	if strings.HasSuffix(sent, "/") && tidy != "/" {
		tidy += "/"
	}
	uris := []string{escape(tidy, true), escape(sent, true)}
	if once, err := url.PathUnescape(tidy); err == nil {
		uris = append(uris, escape(once, true))
	}
	return slices.Compact(uris)
}

// escape encodes all but the unreserved characters of RFC 3986, and slashes where they are kept.
func escape(s string, keepSlash bool) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~',
			c == '/' && keepSlash:
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&15]})
		}
	}
	return b.String()
}

// canonicalQuery encodes and sorts the parameters but for the signature itself.
func (s *Signature) canonicalQuery(raw string) string {
	if raw == "" {
		return ""
	}
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, value = reescape(name), reescape(value)
		if s.Presigned && name == "X-Amz-Signature" {
			continue
		}
		pairs = append(pairs, pair{name, value})
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.value, b.value)
	})
	var b strings.Builder
	for i, p := range pairs {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.name + "=" + p.value)
	}
	return b.String()
}

func reescape(s string) string {
	plain, err := url.QueryUnescape(s)
	if err != nil {
		plain = s
	}
	return escape(plain, false)
}

// canonicalHeader joins a header's values, with runs of spaces made one. net/http takes some headers out
// of the map.
func canonicalHeader(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if values := r.Header.Values(name); len(values) > 0 {
			return values[0]
		}
		return strconv.FormatInt(max(r.ContentLength, 0), 10)
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	values := r.Header.Values(name)
	tidy := make([]string, len(values))
	for i, v := range values {
		tidy[i] = strings.Join(strings.Fields(v), " ")
	}
	return strings.Join(tidy, ",")
}
