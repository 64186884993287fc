package dynamodb

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/endpoint"
)

// valued is the service, which answers with values.
type valued struct{ *Service }

func inValues(ctx context.Context) context.Context {
	r := *awsapi.RequestOf(ctx)
	r.Ready = nil
	return awsapi.WithRequest(ctx, &r)
}

func (v valued) GetItem(ctx context.Context, in *api.GetItemInput) (*api.GetItemOutput, error) {
	return v.Service.GetItem(inValues(ctx), in)
}

func (v valued) Query(ctx context.Context, in *api.QueryInput) (*api.QueryOutput, error) {
	return v.Service.Query(inValues(ctx), in)
}

func (v valued) Scan(ctx context.Context, in *api.ScanInput) (*api.ScanOutput, error) {
	return v.Service.Scan(inValues(ctx), in)
}

// reply is the body of the answer to a request over the wire.
func reply(impl api.API, operation, input string) string {
	e := endpoint.New(endpoint.Options{Logger: slog.New(slog.DiscardHandler)})
	e.Register(&api.Service, impl)
	r := httptest.NewRequest("POST", "/", strings.NewReader(input))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
	w := httptest.NewRecorder()
	e.ServeHTTP(w, r)
	return w.Body.String()
}

// TestDirect compares replies whose items went there as they are stored with those of values, byte for byte.
func TestDirect(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableS)
	r.fillS(12, "a", "b")
	r.must("PutItem", `{"TableName":"sss","Item":{"pk":{"S":"c"},"sk":{"N":"-1.5"},"z":{"S":"\"\u2028<é"},"b":{"B":"AP8="},"ss":{"SS":["b","a"]},"ns":{"NS":["3","-2"]},
		"bs":{"BS":["AA==","eg=="]},"null":{"NULL":true},"yes":{"BOOL":true},"no":{"BOOL":false},"l1":{"L":[{"S":"x"},{"L":[]},{"M":{}}]},"m":{"M":{"y":{"L":[{"N":"1"}]},"x":{"S":""}}}}}`)
	const values = `"ExpressionAttributeValues":{":pk":{"S":"a"}`
	for _, c := range []struct{ operation, parameters string }{
		{"GetItem", `"Key":{"pk":{"S":"c"},"sk":{"N":"-1.5"}}`},
		{"GetItem", `"Key":{"pk":{"S":"c"},"sk":{"N":"-1.5"}},"ReturnConsumedCapacity":"TOTAL","ConsistentRead":true`},
		{"GetItem", `"Key":{"pk":{"S":"c"},"sk":{"N":"-1.5"}},"ProjectionExpression":"m.y, z"`},
		{"GetItem", `"Key":{"pk":{"S":"none"},"sk":{"N":"1"}},"ReturnConsumedCapacity":"TOTAL"`},
		{"Query", `"KeyConditionExpression":"pk = :pk",` + values + `}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","ScanIndexForward":false,"Limit":5,"ReturnConsumedCapacity":"INDEXES",` + values + `}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","FilterExpression":"y > :y",` + values + `,":y":{"N":"4"}}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","FilterExpression":"y > :y",` + values + `,":y":{"N":"400"}}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","FilterExpression":"y > :y","Limit":3,"Select":"COUNT",` + values + `,":y":{"N":"1"}}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","Select":"COUNT","ReturnConsumedCapacity":"TOTAL",` + values + `}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","ProjectionExpression":"x, y",` + values + `}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"7"}},` + values + `}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","IndexName":"local",` + values + `}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","IndexName":"local","Select":"ALL_ATTRIBUTES","ReturnConsumedCapacity":"INDEXES",` + values + `}`},
		{"Query", `"KeyConditionExpression":"g = :pk","IndexName":"some","ReturnConsumedCapacity":"INDEXES","Limit":4,"ExpressionAttributeValues":{":pk":{"S":"g1"}}`},
		{"Query", `"KeyConditionExpression":"pk = :pk","ExpressionAttributeValues":{":pk":{"S":"none"}}`},
		{"Query", `"KeyConditionExpression":"pk = "`},
		{"Scan", `"ReturnConsumedCapacity":"TOTAL"`},
		{"Scan", `"Limit":7`},
		{"Scan", `"Select":"COUNT"`},
		{"Scan", `"IndexName":"local","FilterExpression":"y > :y","ExpressionAttributeValues":{":y":{"N":"4"}}`},
		{"Scan", `"Segment":1,"TotalSegments":2`},
	} {
		input := `{"TableName":"sss",` + c.parameters + `}`
		got, want := reply(r.Service, c.operation, input), reply(valued{r.Service}, c.operation, input)
		if got != want {
			t.Errorf("%s(%s):\n got %s\nwant %s", c.operation, input, got, want)
		}
	}
}
