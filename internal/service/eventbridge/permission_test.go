package eventbridge

import (
	"encoding/json"
	"testing"
)

func TestAdmits(t *testing.T) {
	for text, want := range map[string]bool{
		`{"Statement": []}`: false,
		`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents"}]}`:                                                                          true,
		`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:root"}, "Action": ["events:PutRule", "events:PutEvents"]}]}`:                true,
		`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["222222222222", "111111111111"]}, "Action": "events:*"}]}`:                                            true,
		`{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "222222222222"}, "Action": "events:*"}]}`:                                                              false,
		`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "events:PutRule"}]}`:                                                                            false,
		`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*"}, {"Effect": "Deny", "Principal": {"AWS": "111111111111"}, "Action": "events:PutEvents"}]}`: false,
		`{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "events:PutEvents", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}]}`:            false,
	} {
		var p policy
		if err := json.Unmarshal([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		if got := p.admits("111111111111"); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if (*policy)(nil).admits("111111111111") {
		t.Error("no policy admits")
	}
}
