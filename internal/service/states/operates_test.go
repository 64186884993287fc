package states

import "testing"

func TestOperates(t *testing.T) {
	for _, c := range []struct {
		method, target, operation string
		want                      bool
	}{
		{"POST", "/", "AWSStepFunctions.StartExecution", true},
		{"POST", "/", "AWSStepFunctions.StartSyncExecution", true},
		{"POST", "/", "AWSStepFunctions.GetActivityTask", false},
		{"POST", "/", "AWSStepFunctions.", false},
		{"POST", "/", "AmazonSQS.StartExecution", false},
		{"GET", "/", "AWSStepFunctions.StartExecution", false},
		{"POST", "/x", "AWSStepFunctions.StartExecution", false},
	} {
		if got := Operates(c.method, c.target, c.operation); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
