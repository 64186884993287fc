package platform_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"cirro/internal/endpoint/sigv4"
)

// ask sends a signed request, and returns the status and the body.
func ask(t *testing.T, c aws.Credentials, service, method, url, contentType string, body []byte) (int, string) {
	t.Helper()
	r, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if err := v4.NewSigner().SignHTTP(context.Background(), c, r, sigv4.HexSHA256(body), service, "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(out)
}

// whoAmI asks the platform whom credentials stand for.
func whoAmI(t *testing.T, url string, c aws.Credentials) (int, string) {
	t.Helper()
	return ask(t, c, "sts", "POST", url, "application/x-www-form-urlencoded", []byte("Action=GetCallerIdentity&Version=2011-06-15"))
}

// leak is a function that gives its credentials away.
const leak = `import os
def handler(event, context):
    return {k: os.environ[n] for k, n in (("AccessKeyID", "AWS_ACCESS_KEY_ID"), ("SecretAccessKey", "AWS_SECRET_ACCESS_KEY"), ("SessionToken", "AWS_SESSION_TOKEN"))}
`

// A credential that a function gives away names its own role and session, and no part of it fits
// another's.
func TestLeakedCredentialsNameTheirOwnRole(t *testing.T) {
	o := options(t, t.TempDir())
	o.Auth, o.RootKeyID, o.RootSecret = true, "AKIAROOTROOTROOTROOT", "root-secret"
	p := start(t, o)
	root := aws.Credentials{AccessKeyID: o.RootKeyID, SecretAccessKey: o.RootSecret}
	functions := p.URL() + "/2015-03-31/functions"
	leaked := map[string]aws.Credentials{}
	for _, name := range []string{"first", "second"} {
		body, err := json.Marshal(map[string]any{"FunctionName": name, "Runtime": "python3.11", "Handler": "app.handler", "Timeout": 60,
			"Role": "arn:aws:iam::000000000000:role/role-of-" + name, "Code": map[string]any{"ZipFile": zipped(t, leak)}})
		if err != nil {
			t.Fatal(err)
		}
		if status, out := ask(t, root, "lambda", "POST", functions, "", body); status != http.StatusCreated {
			t.Fatalf("create: %d, %s", status, out)
		}
		for state := ""; !strings.Contains(state, `"State":"Active"`); {
			time.Sleep(5 * time.Millisecond)
			_, state = ask(t, root, "lambda", "GET", functions+"/"+name+"/configuration", "", nil)
		}
		_, out := ask(t, root, "lambda", "POST", functions+"/"+name+"/invocations", "", []byte("{}"))
		var c aws.Credentials
		if err := json.Unmarshal([]byte(out), &c); err != nil || c.SessionToken == "" {
			t.Fatalf("the function says %s: %v", out, err)
		}
		leaked[name] = c
		status, out := whoAmI(t, p.URL(), c)
		if want := "arn:aws:sts::000000000000:assumed-role/role-of-" + name + "/" + name; status != http.StatusOK || !strings.Contains(out, "<Arn>"+want+"</Arn>") {
			t.Errorf("the credentials of %s are %d, %s; want %s", name, status, out, want)
		}
	}
	first, second := leaked["first"], leaked["second"]
	for what, c := range map[string]aws.Credentials{
		"another function's token":     {AccessKeyID: first.AccessKeyID, SecretAccessKey: first.SecretAccessKey, SessionToken: second.SessionToken},
		"another function's key":       {AccessKeyID: second.AccessKeyID, SecretAccessKey: first.SecretAccessKey, SessionToken: first.SessionToken},
		"another function's secret":    {AccessKeyID: first.AccessKeyID, SecretAccessKey: second.SecretAccessKey, SessionToken: first.SessionToken},
		"no token":                     {AccessKeyID: first.AccessKeyID, SecretAccessKey: first.SecretAccessKey},
		"the root's key":               {AccessKeyID: o.RootKeyID, SecretAccessKey: first.SecretAccessKey},
		"an account's number as a key": {AccessKeyID: "000000000000", SecretAccessKey: "test"},
	} {
		if status, out := whoAmI(t, p.URL(), c); status != http.StatusForbidden {
			t.Errorf("%s: %d, %s", what, status, out)
		}
	}
}
