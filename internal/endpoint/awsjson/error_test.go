package awsjson_test

import (
	"testing"

	"cirro/internal/awsapi"
	"cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint/awsjson"
	"cirro/internal/endpoint/wire"
)

// The fields of an error are written as its shape says, whatever they hold.
func TestErrorMembers(t *testing.T) {
	s := wire.NewService(&dynamodb.Service)
	item := map[string]dynamodb.AttributeValue{"id": {S: new("a")}, "b": {B: []byte{1}}}
	for _, c := range []struct {
		err  *awsapi.Error
		want string
	}{
		{dynamodb.ConditionalCheckFailedException.New("no").With("Item", item), `"message":"no","Item":{"b":{"B":"AQ=="},"id":{"S":"a"}}`},
		{dynamodb.TransactionCanceledException.New("no").With("CancellationReasons", []dynamodb.CancellationReason{{Code: new("None")}, {Code: new("C"), Item: item}}),
			`"Message":"no","CancellationReasons":[{"Code":"None"},{"Item":{"b":{"B":"AQ=="},"id":{"S":"a"}},"Code":"C"}]`},
	} {
		if got := string(awsjson.AppendErrorMembers(nil, s, c.err, false)); got != c.want {
			t.Errorf("%s, not %s", got, c.want)
		}
	}
}
