package sigv4

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"cirro/internal/endpoint/integrity"
)

// The examples of the S3 documentation.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
const (
	s3Key    = "AKIAIOSFODNN7EXAMPLE"
	s3Secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func s3Request(method, host, target string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "http://"+host+target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func s3Authorization(signedHeaders, signature string) string {
	return Algorithm + " Credential=" + s3Key + "/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + signedHeaders + ",Signature=" + signature
}

func TestS3Examples(t *testing.T) {
	emptyHash := HexSHA256(nil)
	for _, c := range []struct {
		name string
		r    *http.Request
	}{
		{"get", s3Request("GET", "examplebucket.s3.amazonaws.com", "/test.txt", "Range", "bytes=0-9", "x-amz-content-sha256", emptyHash,
			"x-amz-date", "20130524T000000Z", "Authorization", s3Authorization("host;range;x-amz-content-sha256;x-amz-date",
				"f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))},
		{"lifecycle", s3Request("GET", "examplebucket.s3.amazonaws.com", "/?lifecycle", "x-amz-content-sha256", emptyHash,
			"x-amz-date", "20130524T000000Z", "Authorization", s3Authorization("host;x-amz-content-sha256;x-amz-date",
				"fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))},
		{"list", s3Request("GET", "examplebucket.s3.amazonaws.com", "/?max-keys=2&prefix=J", "x-amz-content-sha256", emptyHash,
			"x-amz-date", "20130524T000000Z", "Authorization", s3Authorization("host;x-amz-content-sha256;x-amz-date",
				"34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))},
		{"put", s3Request("PUT", "examplebucket.s3.amazonaws.com", "/test%24file.text", "Date", "Fri, 24 May 2013 00:00:00 GMT",
			"x-amz-storage-class", "REDUCED_REDUNDANCY", "x-amz-date", "20130524T000000Z",
			"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
			"Authorization", s3Authorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
				"98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))},
	} {
		s, err := Parse(c.r)
		if err != nil {
			t.Fatal(c.name, err)
		}
		if err := s.Check(c.r, s3Secret, c.r.Header.Get("x-amz-content-sha256")); err != nil {
			t.Error(c.name, err)
		}
	}
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
func TestPresignedExample(t *testing.T) {
	r := s3Request("GET", "examplebucket.s3.amazonaws.com", "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
	s, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(r, s3Secret, UnsignedPayload); err != nil {
		t.Error(err)
	}
	signed := time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)
	if err := s.CheckTime(signed.Add(24 * time.Hour)); err != nil {
		t.Error(err)
	}
	if err := s.CheckTime(signed.Add(24*time.Hour + time.Second)); !errors.Is(err, Invalid) {
		t.Error("an expired URL is taken:", err)
	}
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
func TestChunkedExample(t *testing.T) {
	r := s3Request("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt", "x-amz-date", "20130524T000000Z",
		"x-amz-storage-class", "REDUCED_REDUNDANCY", "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
		"Content-Encoding", "aws-chunked", "x-amz-decoded-content-length", "66560", "Content-Length", "66824",
		"Authorization", s3Authorization("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
			"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"))
	body := func(last string) io.Reader {
		return strings.NewReader("10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + strings.Repeat("a", 65536) + "\r\n" +
			"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + strings.Repeat("a", 1023) + last + "\r\n" +
			"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n")
	}
	checkStream(t, r, body, integrity.Framing{Length: 66560}, 66560)
}

// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
func TestTrailerExample(t *testing.T) {
	r := s3Request("PUT", "s3.amazonaws.com", "/examplebucket/chunkObject.txt", "x-amz-date", "20130524T000000Z",
		"x-amz-storage-class", "REDUCED_REDUNDANCY", "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
		"Content-Encoding", "aws-chunked", "x-amz-decoded-content-length", "66560", "x-amz-trailer", "x-amz-checksum-crc32c",
		"Authorization", s3Authorization("content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
			"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"))
	body := func(last string) io.Reader {
		return strings.NewReader("10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + strings.Repeat("a", 65536) + "\r\n" +
			"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + strings.Repeat("a", 1023) + last + "\r\n" +
			"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
			"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n")
	}
	checkStream(t, r, body, integrity.Framing{Length: 66560, Trailer: []string{"x-amz-checksum-crc32c"}}, 66560)
}

func checkStream(t *testing.T, r *http.Request, body func(last string) io.Reader, f integrity.Framing, size int) {
	t.Helper()
	s, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Check(r, s3Secret, r.Header.Get("x-amz-content-sha256")); err != nil {
		t.Error(err)
	}
	f.Chain = s.Chain(s3Secret)
	data, err := io.ReadAll(integrity.Chunked(body("a"), f))
	if err != nil || len(data) != size || bytes.Trim(data, "a") != nil && len(bytes.Trim(data, "a")) > 0 {
		t.Error(len(data), err)
	}
	f.Chain = s.Chain(s3Secret)
	if _, err := io.ReadAll(integrity.Chunked(body("b"), f)); !errors.Is(err, Invalid) {
		t.Error("a changed chunk is taken:", err)
	}
}

func TestRefusals(t *testing.T) {
	now := time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)
	const good = "Credential=" + suiteKey + "/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5f"
	for _, c := range []struct {
		name, authorization, date, query string
		want                             error
		message                          string
	}{
		{"none", "", suiteDate, "", MissingToken, "Request is missing Authentication Token"},
		{"bearer", "Bearer x=", suiteDate, "", MissingToken, "Request is missing Authentication Token"},
		{"both", Algorithm + " " + good, suiteDate, "X-Amz-Algorithm=AWS4-HMAC-SHA256", Invalid, "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."},
		{"empty", Algorithm, suiteDate, "", Incomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization=AWS4-HMAC-SHA256"},
		{"no date", Algorithm + " " + good, "", "", Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. Authorization=" + Algorithm + " " + good},
		{"no value", Algorithm + " Credential", suiteDate, "", Incomplete, "'Credential' not a valid key=value pair (missing equal-sign) in Authorization header: 'AWS4-HMAC-SHA256 Credential'."},
		{"date", Algorithm + " " + good, "201", "", Incomplete, "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"},
		{"algorithm", "AWS4-HMAC-SHA25 " + good, suiteDate, "", Incomplete, "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). "},
		{"host", Algorithm + " Credential=a/b/c/d/e, SignedHeaders=x-amz-date, Signature=5f", suiteDate, "", Invalid, "'Host' must be a 'SignedHeader' in the AWS Authorization."},
		{"parts", Algorithm + " Credential=a/b/c/d, SignedHeaders=host, Signature=5f", suiteDate, "", Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b/c/d'"},
		{"scope", Algorithm + " Credential=a/b/c/d/e, SignedHeaders=host, Signature=5f", suiteDate, "", Invalid, "Credential should be scoped with a valid terminator: 'aws4_request', not 'e'. Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: 'b' != '20150830', from '20150830T123600Z'."},
		{"late", Algorithm + " " + good, "20150830T122059Z", "", Invalid, "Signature expired: 20150830T122059Z is now earlier than 20150830T122100Z (20150830T123600Z - 15 min.)"},
		{"early", Algorithm + " " + good, "20150830T125101Z", "", Invalid, "Signature not yet current: 20150830T125101Z is still later than 20150830T125100Z (20150830T123600Z + 15 min.)"},
		{"query", "", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256", Incomplete, "AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-Signature'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."},
		{"expires", "", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Signature=b&X-Amz-SignedHeaders=host&X-Amz-Date=" + suiteDate + "&X-Amz-Expires=604801", Incomplete, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"},
		{"signature", Algorithm + " " + good, suiteDate, "", Invalid, mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := s3Request("GET", "example.amazonaws.com", "/?"+c.query, "X-Amz-Date", c.date, "Authorization", c.authorization)
			s, err := Parse(r)
			if err == nil {
				err = s.CheckTime(now)
			}
			if err == nil {
				err = s.Check(r, suiteSecret, HexSHA256(nil))
			}
			if !errors.Is(err, c.want) || !strings.HasSuffix(fmt.Sprint(err), ": "+c.message) {
				t.Errorf("%v\nnot %s", err, c.message)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(Algorithm+" Credential=a/20150830/us-east-1/service/aws4_request, SignedHeaders=host, Signature=5f", suiteDate, "")
	f.Add("", "", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a%2Fb%2Fc%2Fd%2Fe&X-Amz-Signature=b&X-Amz-SignedHeaders=host&X-Amz-Date=20150830T123600Z")
	f.Fuzz(func(t *testing.T, authorization, date, query string) {
		r := &http.Request{Method: "GET", URL: &url.URL{Path: "/", RawQuery: query}, Host: "a", Header: http.Header{
			"Authorization": {authorization}, "X-Amz-Date": {date}}}
		s, err := Parse(r)
		if err != nil {
			return
		}
		if s.Check(r, hex.EncodeToString([]byte(authorization)), HexSHA256(nil)) == nil {
			t.Error("a signature out of nowhere is good")
		}
	})
}
