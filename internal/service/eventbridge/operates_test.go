package eventbridge

import "testing"

func TestOperates(t *testing.T) {
	for _, c := range []struct {
		method, target, operation string
		want                      bool
	}{
		{"POST", "/", "AWSEvents.PutEvents", true}, {"POST", "/", "AWSEvents.PutRule", false}, {"GET", "/", "AWSEvents.PutEvents", false}, {"POST", "/b/k", "AWSEvents.PutEvents", false},
	} {
		if got := Operates(c.method, c.target, c.operation); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
