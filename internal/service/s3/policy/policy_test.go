package policy

import (
	"fmt"
	"strings"
	"testing"
)

// asked is a request of an account's user, with condition keys.
func asked(account, action, resource string, keys ...string) *Request {
	r := &Request{Account: account, Action: action, Resource: resource}
	if account != "" {
		r.ARN = "arn:aws:iam::" + account + ":user/ann"
	}
	r.Key = func(name string) ([]string, bool) {
		for i := 0; i+1 < len(keys); i += 2 {
			if strings.EqualFold(keys[i], name) {
				return strings.Split(keys[i+1], "|"), true
			}
		}
		return nil, false
	}
	return r
}

const object = "arn:aws:s3:::b/logs/a"

func parse(t *testing.T, statements ...string) *Document {
	t.Helper()
	d, err := Parse(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`, "b")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestEvaluate(t *testing.T) {
	const everybody = `{"Effect":"Allow","Principal":"*","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*"%s}`
	allow := func(more string) string { return fmt.Sprintf(everybody, more) }
	condition := func(text string) string { return allow(`,"Condition":` + text) }
	deny := `{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"*","Resource":["arn:aws:s3:::b","arn:aws:s3:::b/*"],"Condition":{"Bool":{"aws:SecureTransport":"false"}}}`
	for name, c := range map[string]struct {
		statements []string
		request    *Request
		want       Decision
	}{
		"everybody":              {[]string{allow("")}, asked("", "s3:GetObject", object), Allowed},
		"another action":         {[]string{allow("")}, asked("", "s3:PutObject", object), Silent},
		"letters' case":          {[]string{allow("")}, asked("", "s3:getobject", object), Allowed},
		"the bucket itself":      {[]string{allow("")}, asked("", "s3:GetBucketAcl", "arn:aws:s3:::b"), Silent},
		"a denial wins":          {[]string{allow(""), deny}, asked("1", "s3:GetObject", object, "aws:SecureTransport", "false"), Denied},
		"a denial that is none":  {[]string{allow(""), deny}, asked("1", "s3:GetObject", object, "aws:SecureTransport", "true"), Allowed},
		"an address within":      {[]string{condition(`{"IpAddress":{"aws:SourceIp":["10.0.0.0/8","::1"]}}`)}, asked("", "s3:GetObject", object, "aws:SourceIp", "10.1.2.3"), Allowed},
		"an address without":     {[]string{condition(`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`)}, asked("", "s3:GetObject", object, "aws:SourceIp", "11.1.2.3"), Silent},
		"not an address":         {[]string{condition(`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`)}, asked("", "s3:GetObject", object, "aws:SourceIp", "11.1.2.3"), Allowed},
		"a key that is missing":  {[]string{condition(`{"StringEquals":{"s3:prefix":"x"}}`)}, asked("", "s3:GetObject", object), Silent},
		"a missing one, negated": {[]string{condition(`{"StringNotEquals":{"s3:prefix":"x"}}`)}, asked("", "s3:GetObject", object), Allowed},
		"if it exists":           {[]string{condition(`{"StringEqualsIfExists":{"s3:prefix":"x"}}`)}, asked("", "s3:GetObject", object), Allowed},
		"null":                   {[]string{condition(`{"Null":{"s3:prefix":"true"}}`)}, asked("", "s3:GetObject", object), Allowed},
		"not null":               {[]string{condition(`{"Null":{"s3:prefix":true}}`)}, asked("", "s3:GetObject", object, "s3:prefix", "x"), Silent},
		"like":                   {[]string{condition(`{"StringLike":{"s3:prefix":["a*c?"]}}`)}, asked("", "s3:GetObject", object, "s3:prefix", "abbcd"), Allowed},
		"numbers":                {[]string{condition(`{"NumericLessThanEquals":{"s3:max-keys":10}}`)}, asked("", "s3:GetObject", object, "s3:max-keys", "10"), Allowed},
		"dates":                  {[]string{condition(`{"DateLessThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"}}`)}, asked("", "s3:GetObject", object, "aws:CurrentTime", "2021-01-01T00:00:00Z"), Silent},
		"any of several":         {[]string{condition(`{"ForAnyValue:StringEquals":{"k":["x","y"]}}`)}, asked("", "s3:GetObject", object, "k", "z|y"), Allowed},
		"all of several":         {[]string{condition(`{"ForAllValues:StringEquals":{"k":["x","y"]}}`)}, asked("", "s3:GetObject", object, "k", "z|y"), Silent},
		"an ARN":                 {[]string{condition(`{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:user/*"}}`)}, asked("1", "s3:GetObject", object, "aws:PrincipalArn", "arn:aws:iam::1:user/ann"), Allowed},
		"an account": {[]string{`{"Effect":"Allow","Principal":{"AWS":["1"]},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/logs/*"}`},
			asked("1", "s3:GetObject", object), Allowed},
		"nobody is no account": {[]string{`{"Effect":"Allow","Principal":{"AWS":["1"]},"Action":["s3:GetObject"],"Resource":"arn:aws:s3:::b/logs/*"}`},
			asked("", "s3:GetObject", object), Silent},
		"all but one": {[]string{`{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:user/ann"},"NotAction":"s3:List*","NotResource":"arn:aws:s3:::b/free/*"}`},
			asked("2", "s3:GetObject", object), Denied},
		"the one": {[]string{`{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:user/ann"},"NotAction":"s3:List*","NotResource":"arn:aws:s3:::b/free/*"}`},
			asked("1", "s3:GetObject", object), Silent},
		"what is excepted": {[]string{`{"Effect":"Deny","Principal":"*","NotAction":"s3:List*","NotResource":"arn:aws:s3:::b/free/*"}`},
			asked("2", "s3:GetObject", "arn:aws:s3:::b/free/x"), Silent},
		"a variable": {[]string{`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/${aws:username}/*"}`},
			asked("1", "s3:GetObject", "arn:aws:s3:::b/ann/x", "aws:username", "ann"), Allowed},
	} {
		if got := parse(t, c.statements...).Evaluate(c.request); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

func TestSessionsOfARole(t *testing.T) {
	d := parse(t, `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:role/path/reader"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}`)
	for arn, want := range map[string]Decision{"arn:aws:sts::1:assumed-role/reader/s": Allowed, "arn:aws:sts::1:assumed-role/other/s": Silent,
		"arn:aws:sts::2:assumed-role/reader/s": Silent} {
		r := asked("1", "s3:GetObject", object)
		if r.ARN = arn; d.Evaluate(r) != want {
			t.Errorf("%s: not %d", arn, want)
		}
	}
}

func TestPublic(t *testing.T) {
	const statement = `{"Effect":"%s","Principal":%s,"Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"%s}`
	for name, c := range map[string]struct {
		effect, principal, condition string
		want                         bool
	}{
		"everybody":         {"Allow", `"*"`, "", true},
		"a denial":          {"Deny", `"*"`, "", false},
		"an account":        {"Allow", `{"AWS":"1"}`, "", false},
		"a network":         {"Allow", `"*"`, `,"Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, false},
		"the whole network": {"Allow", `"*"`, `,"Condition":{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}`, true},
		"an organisation":   {"Allow", `{"AWS":"*"}`, `,"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`, false},
		"any organisation":  {"Allow", `{"AWS":"*"}`, `,"Condition":{"StringLike":{"aws:PrincipalOrgID":"*"}}`, true},
		"a referrer":        {"Allow", `"*"`, `,"Condition":{"StringEquals":{"aws:Referer":"x"}}`, true},
	} {
		if got := parse(t, fmt.Sprintf(statement, c.effect, c.principal, c.condition)).Public(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatIsNoPolicy(t *testing.T) {
	const statement = `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b/*"}]}`
	if _, err := Parse(statement, "b"); err != nil {
		t.Fatal(err)
	}
	for change, want := range map[[2]string]string{
		{statement, "[]"}:                                           "Policies must be valid JSON and the first byte must be '{'",
		{statement, "{"}:                                            "Policies must be valid JSON and the first byte must be '{'",
		{statement, "{}"}:                                           "Missing required field Statement",
		{`"Effect":"Allow",`, ""}:                                   "Missing required field Effect",
		{`"Principal":"*",`, ""}:                                    "Missing required field Principal",
		{`"Principal":"*"`, `"Principal":"x"`}:                      "Invalid principal in policy",
		{`"Principal":"*"`, `"Principal":{"X":"*"}`}:                "Invalid principal in policy",
		{`"s3:GetObject"`, `"GetObject"`}:                           "Policy has invalid action",
		{`arn:aws:s3:::b/*`, `arn:aws:s3:::c/*`}:                    "Policy has invalid resource",
		{`"Effect"`, `"Condition":{"Nonsense":{"k":"v"}},"Effect"`}: "Invalid Condition type : Nonsense",
		{`"Statement"`, `"Version":"1999-01-01","Statement"`}:       "The policy must contain a valid version string",
	} {
		text := strings.Replace(statement, change[0], change[1], 1)
		if _, err := Parse(text, "b"); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":{"Effect":"Deny","NotPrincipal":{"AWS":["1"]},"NotAction":"s3:*","NotResource":"*","Condition":{"ForAllValues:StringNotLikeIfExists":{"k":[1,true,"${aws:x, 'y'}"]}}}}`)
	f.Add(`{"Statement":[]}`)
	f.Fuzz(func(t *testing.T, text string) {
		d, err := Parse(text, "b")
		if err != nil {
			return
		}
		d.Public()
		d.Evaluate(asked("1", "s3:GetObject", object, "k", "v|w"))
	})
}
