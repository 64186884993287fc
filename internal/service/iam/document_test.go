package iam

import (
	"errors"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/iam"
)

func TestCheckDocument(t *testing.T) {
	trust := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}}`
	grant := `{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":["s3:*"],"Resource":"*"}]}`
	for _, c := range []struct {
		name, document string
		as             policyType
		want           string // message; "" for none
	}{
		{"a trust policy", trust, trustPolicy, ""},
		{"an identity policy", grant, identityPolicy, ""},
		{"no JSON, trust", `{`, trustPolicy, "This policy contains invalid Json"},
		{"no JSON", `{`, identityPolicy, "Syntax errors in policy."},
		{"two documents", grant + grant, identityPolicy, "Syntax errors in policy."},
		{"an array", `[]`, identityPolicy, "Syntax errors in policy."},
		{"no statement", `{"Version":"2012-10-17"}`, identityPolicy, "Syntax errors in policy."},
		{"an old version", `{"Version":"2013-01-01","Statement":[]}`, identityPolicy, "The policy must contain a valid version string"},
		{"no effect", `{"Statement":[{"Action":"s3:*","Resource":"*"}]}`, identityPolicy, "Missing required field Effect"},
		{"another effect", `{"Statement":[{"Effect":"Maybe","Action":"s3:*","Resource":"*"}]}`, identityPolicy, "Invalid effect: Maybe"},
		{"no action", `{"Statement":[{"Effect":"Allow","Resource":"*"}]}`, identityPolicy, "Policy statement must contain actions."},
		{"no resource", `{"Statement":[{"Effect":"Allow","Action":"*"}]}`, identityPolicy, "Policy statement must contain resources."},
		{"a principal", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}]}`, identityPolicy, "Policy document should not specify a principal."},
		{"a resource in a trust policy", grant, trustPolicy, "Has prohibited field Resource"},
		{"an unknown element", `{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Why":1}]}`, identityPolicy, "Syntax errors in policy."},
	} {
		err := checkDocument(c.document, c.as)
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		var e *awsapi.Error
		if !errors.As(err, &e) || e.Type != iam.MalformedPolicyDocumentException || e.Message != c.want {
			t.Errorf("%s: %v, want MalformedPolicyDocument %q", c.name, err, c.want)
		}
	}
}

func FuzzCheckDocument(f *testing.F) {
	f.Add(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`)
	f.Add(`{"Statement":`)
	f.Fuzz(func(t *testing.T, document string) {
		for _, as := range []policyType{identityPolicy, trustPolicy} {
			if err := checkDocument(document, as); err != nil && !errors.Is(err, iam.MalformedPolicyDocumentException) {
				t.Errorf("%v is no MalformedPolicyDocument", err)
			}
		}
	})
}

func TestPaginate(t *testing.T) {
	names := strings.Split("a b c d e", " ")
	var got []string
	var marker *string
	for range names {
		list, p, err := paginate(each(names), self, marker, new(int32(2)))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, list...)
		if marker = p.Marker; !*p.IsTruncated {
			break
		}
	}
	if strings.Join(got, " ") != "a b c d e" {
		t.Errorf("pages of two: %v", got)
	}
	if _, _, err := paginate(each(names), self, new("!"), nil); !errors.Is(err, awsapi.ValidationError) {
		t.Errorf("a marker that is none: %v, want ValidationError", err)
	}
}
