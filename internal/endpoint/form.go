package endpoint

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"cirro/internal/awsapi"
	"cirro/internal/endpoint/sigv2"
	"cirro/internal/endpoint/sigv4"
)

// SignedForm is what a form for an upload to S3 says of who made it. Of version 4 are Credential and Algorithm, of
// version 2 AccessKey.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-authentication-HTTPPOST.html
type SignedForm struct {
	Algorithm  string
	Credential string // accessKey/date/region/s3/aws4_request
	AccessKey  string
	Token      string
	Text       string // the policy in base64, which is what is signed
	Signature  string
}

// AuthenticateForm finds out who made a form, and for which region, "" where it names none. Where signatures are not
// verified, it takes the form's word. Its errors are *awsapi.Error.
func (e *Endpoint) AuthenticateForm(ctx context.Context, f SignedForm) (p awsapi.Principal, region string, err error) {
	c := credential{accessKey: f.AccessKey, token: f.Token}
	date := ""
	if f.Credential != "" {
		c.setScope(f.Credential)
		if parts := strings.Split(f.Credential, "/"); len(parts) >= 5 {
			date = parts[len(parts)-4]
		}
		if c.service != "s3" || date == "" || f.Algorithm != sigv4.Algorithm {
			return p, "", s3Parameters.New("Error parsing the X-Amz-Credential parameter; the Credential is mal-formed; expecting " +
				"\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".")
		}
	}
	if !e.options.Verify {
		return e.principalOf(ctx, c), c.region, nil
	}
	a := &authentication{}
	if err := e.lookup(ctx, a, c.accessKey, c.token); err != nil {
		return p, "", err
	}
	if f.Credential == "" {
		if !sigv2.Matches(f.Text, a.secret, f.Signature) {
			return p, "", sigv4.Mismatch()
		}
		return a.principal, "", nil
	}
	h := hmac.New(sha256.New, sigv4.Key(a.secret, date, c.region, c.service))
	h.Write([]byte(f.Text))
	given, err := hex.DecodeString(f.Signature)
	if err != nil || !hmac.Equal(h.Sum(nil), given) {
		return p, "", sigv4.Mismatch()
	}
	return a.principal, c.region, nil
}
