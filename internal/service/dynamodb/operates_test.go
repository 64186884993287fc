package dynamodb

import "testing"

func TestOperates(t *testing.T) {
	for _, c := range []struct {
		method, target, operation string
		want                      bool
	}{
		{"POST", "/", "DynamoDB_20120810.GetItem", true},
		{"GET", "/", "DynamoDB_20120810.GetItem", false},
		{"POST", "/a", "DynamoDB_20120810.GetItem", false},
		{"POST", "/", "DynamoDBStreams_20120810.GetRecords", false},
		{"POST", "/", "Logs_20140328.StartLiveTail", false},
		{"POST", "/", "", false},
	} {
		if got := Operates(c.method, c.target, c.operation); got != c.want {
			t.Errorf("%v: %v", c, got)
		}
	}
}
