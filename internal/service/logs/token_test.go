package logs

import (
	"testing"
)

func TestPageToken(t *testing.T) {
	token := *pageToken("a", []byte{0, 1, 2, 255})
	got, err := parsePageToken("a", token)
	if err != nil || string(got) != "\x00\x01\x02\xff" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := parsePageToken("b", token); err == nil {
		t.Error("a token of another listing is taken")
	}
}

func FuzzTokens(f *testing.F) {
	f.Add(*pageToken("a", []byte("key")))
	f.Add("f/" + place{1, 2, 3}.id() + "/s")
	f.Add("")
	f.Add("b/99999999999999999999999999999999999999999999999999999999/s")
	f.Fuzz(func(t *testing.T, token string) {
		if key, err := parsePageToken("a", token); err == nil && *pageToken("a", key) != token {
			t.Errorf("%q is taken for the token of %q", token, key)
		}
		if p, backwards, err := parseEventToken(token); err == nil {
			again := "f/" + p.id() + "/s"
			if backwards {
				again = "b/" + p.id() + "/s"
			}
			if again != token {
				t.Errorf("%q is taken for %q", token, again)
			}
		}
	})
}

func FuzzARN(f *testing.F) {
	f.Add("arn:aws:logs:eu-west-1:111122223333:log-group:/aws/lambda/f:*")
	f.Add("arn:aws:logs:::log-group:")
	f.Fuzz(func(t *testing.T, arn string) {
		if k, ok := parseARN(arn); ok {
			if again, ok := parseARN(k.arn()); !ok || again != k {
				t.Errorf("%q gives %+v, whose ARN gives %+v", arn, k, again)
			}
		}
	})
}
