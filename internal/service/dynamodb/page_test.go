package dynamodb

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
)

// fillS puts items 0 to n-1 of each of the given hash keys into table sss.
func (r *itemRig) fillS(n int, hashes ...string) {
	r.Helper()
	for _, h := range hashes {
		for i := range n {
			r.must("PutItem", fmt.Sprintf(`{"TableName":"sss","Item":{"pk":{"S":"%s"},"sk":{"N":"%d"},"l":{"S":"l%d"},"g":{"S":"g%d"},"h":{"N":"%d"},"x":{"S":"x%d"},"y":{"N":"%d"}}}`,
				h, i, n-i, i%2, i, i, i))
		}
	}
}

// keysOf are the pk and sk of a reply's items.
func keysOf(t testing.TB, reply string) string {
	t.Helper()
	var out api.QueryOutput
	if err := json.Unmarshal([]byte(reply), &out); err != nil {
		t.Fatalf("%s: %v", reply, err)
	}
	var all []string
	for _, it := range out.Items {
		all = append(all, *it["pk"].S+*it["sk"].N)
	}
	return strings.Join(all, " ")
}

func TestQuery(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableS)
	r.fillS(12, "a", "b")
	r.must("PutItem", `{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"-1.5"}}}`)
	for _, c := range []struct{ input, keys string }{
		{`"KeyConditionExpression":"pk = :a"`, "a-1.5 a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 a10 a11"},
		{`"KeyConditionExpression":"pk = :a","ScanIndexForward":false,"Limit":3`, "a11 a10 a9"},
		{`"KeyConditionExpression":"pk = :a AND sk > :n"`, "a10 a11"},
		{`"KeyConditionExpression":"pk = :a AND sk >= :n"`, "a9 a10 a11"},
		{`"KeyConditionExpression":"pk = :a AND sk < :m"`, "a-1.5 a0 a1"},
		{`"KeyConditionExpression":"pk = :a AND sk <= :m"`, "a-1.5 a0 a1 a2"},
		{`"KeyConditionExpression":"pk = :a AND sk = :m"`, "a2"},
		{`"KeyConditionExpression":"pk = :a AND sk BETWEEN :m AND :n"`, "a2 a3 a4 a5 a6 a7 a8 a9"},
		{`"KeyConditionExpression":"pk = :a AND sk BETWEEN :m AND :n","FilterExpression":"y IN (:m, :n)"`, "a2 a9"},
		{`"IndexName":"local","KeyConditionExpression":"pk = :a AND begins_with(l, :l)"`, "a11 a2 a1 a0"},
		{`"IndexName":"all","KeyConditionExpression":"g = :g AND h > :n"`, "a10 b10"},
		{`"KeyConditions":{"pk":{"ComparisonOperator":"EQ","AttributeValueList":[{"S":"a"}]},"sk":{"ComparisonOperator":"GT","AttributeValueList":[{"N":"9"}]}}`, "a10 a11"},
		{`"KeyConditionExpression":"pk = :z"`, ""},
	} {
		values := ""
		if strings.Contains(c.input, "Expression") {
			var used []string
			for _, v := range []string{`":a":{"S":"a"}`, `":n":{"N":"9"}`, `":m":{"N":"2"}`, `":l":{"S":"l1"}`, `":g":{"S":"g0"}`, `":z":{"S":"z"}`} {
				if strings.Contains(c.input, v[1:3]) {
					used = append(used, v)
				}
			}
			values = `,"ExpressionAttributeValues":{` + strings.Join(used, ",") + `}`
		}
		input := `{"TableName":"sss",` + c.input + values + `}`
		got := keysOf(t, r.must("Query", input))
		if strings.Contains(c.input, `"all"`) { // two items of one key of an index have no order
			got = strings.Join(sorted(strings.Fields(got)), " ")
		}
		if got != c.keys {
			t.Errorf("%s: %s, not %s", c.input, got, c.keys)
		}
	}
}

// What a query of an index shows, and what it costs.
func TestQueryIndexShows(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableS)
	r.fillS(1, "a")
	const all = `{"g":{"S":"g0"},"h":{"N":"0"},"l":{"S":"l1"},"pk":{"S":"a"},"sk":{"N":"0"},"x":{"S":"x0"},"y":{"N":"0"}}`
	local := func(rest string) string {
		return `{"TableName":"sss","IndexName":"local","KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}}` + rest + `}`
	}
	some := func(rest string) string {
		return `{"TableName":"sss","IndexName":"some","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"g0"}}` + rest + `}`
	}
	one := func(item string) string { return `{"Items":[` + item + `],"Count":1,"ScannedCount":1}` }
	r.run([]step{
		{"Query", local(""), one(`{"l":{"S":"l1"},"pk":{"S":"a"},"sk":{"N":"0"}}`)},
		{"Query", local(`,"Select":"ALL_PROJECTED_ATTRIBUTES"`), one(`{"l":{"S":"l1"},"pk":{"S":"a"},"sk":{"N":"0"}}`)},
		{"Query", local(`,"Select":"ALL_ATTRIBUTES"`), one(all)},
		{"Query", local(`,"ProjectionExpression":"x,l"`), one(`{"l":{"S":"l1"},"x":{"S":"x0"}}`)},
		{"Query", local(`,"Select":"COUNT","ConsistentRead":true,"ReturnConsumedCapacity":"INDEXES"`),
			`{"Count":1,"ScannedCount":1,"ConsumedCapacity":{"TableName":"sss","CapacityUnits":1,"Table":{"CapacityUnits":0},"LocalSecondaryIndexes":{"local":{"CapacityUnits":1}}}}`},
		{"Query", local(`,"Select":"ALL_ATTRIBUTES","ReturnConsumedCapacity":"INDEXES"`),
			`{"Items":[` + all + `],"Count":1,"ScannedCount":1,"ConsumedCapacity":{"TableName":"sss","CapacityUnits":1,"Table":{"CapacityUnits":0.5},"LocalSecondaryIndexes":{"local":{"CapacityUnits":0.5}}}}`},
		{"Query", some(""), one(`{"g":{"S":"g0"},"pk":{"S":"a"},"sk":{"N":"0"},"x":{"S":"x0"}}`)},
		{"Query", some(`,"Select":"ALL_ATTRIBUTES"`), `ValidationException: One or more parameter values were invalid: Select type ALL_ATTRIBUTES is not supported for global secondary index some because its projection type is not ALL`},
		{"Query", some(`,"ProjectionExpression":"x,y"`), `ValidationException: One or more parameter values were invalid: Global secondary index some does not project [y]`},
		{"Query", `{"TableName":"sss","IndexName":"local","KeyConditionExpression":"pk = :a","FilterExpression":"y = :a AND x = :a","ExpressionAttributeValues":{":a":{"S":"a"}}}`,
			`ValidationException: One or more parameter values were invalid: Secondary index local does not project one or more filter attributes: [y, x]`},
		{"Scan", `{"TableName":"sss","IndexName":"local","FilterExpression":"y = :y","ExpressionAttributeValues":{":y":{"N":"0"}}}`, one(`{"l":{"S":"l1"},"pk":{"S":"a"},"sk":{"N":"0"}}`)},
		{"Query", some(`,"ConsistentRead":true`), `ValidationException: Consistent reads are not supported on global secondary indexes`},
		{"Query", `{"TableName":"sss","IndexName":"no","KeyConditionExpression":"g = :g","ExpressionAttributeValues":{":g":{"S":"g0"}}}`, `ValidationException: The table does not have the specified index: no`},
		{"Query", `{"TableName":"sss"}`, `ValidationException: Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.`},
		{"Query", some(`,"Select":"COUNT","ProjectionExpression":"x"`), `ValidationException: Cannot specify the ProjectionExpression when choosing to get only the Count`},
		{"Query", local(`,"Select":"SPECIFIC_ATTRIBUTES"`), `ValidationException: Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES`},
		{"Query", `{"TableName":"sss","Select":"ALL_PROJECTED_ATTRIBUTES","KeyConditionExpression":"pk = :g","ExpressionAttributeValues":{":g":{"S":"g0"}}}`,
			`ValidationException: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName`},
		{"Query", `{"TableName":"sss","FilterExpression":"sk = :n","KeyConditionExpression":"pk = :g","ExpressionAttributeValues":{":g":{"S":"g0"},":n":{"N":"0"}}}`,
			`ValidationException: Filter Expression can only contain non-primary key attributes: Primary key attribute: sk`},
		{"Query", `{"TableName":"sss","KeyConditionExpression":"sk = :n","ExpressionAttributeValues":{":n":{"N":"0"}}}`,
			`ValidationException: Query condition missed key schema element: pk`},
	})
}

// TestPages goes through queries and scans page by page: no item twice, none missing, the same order as at once.
func TestPages(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableS)
	r.fillS(7, "a", "b", "c")
	for _, c := range []struct {
		operation, input string
		total            int
	}{
		{"Query", `"KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}}`, 7},
		{"Query", `"KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}},"ScanIndexForward":false`, 7},
		{"Query", `"KeyConditionExpression":"pk = :a AND sk > :n","ExpressionAttributeValues":{":a":{"S":"a"},":n":{"N":"1"}}`, 5},
		{"Query", `"IndexName":"local","KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}}`, 7},
		{"Query", `"IndexName":"some","KeyConditionExpression":"g = :a","ExpressionAttributeValues":{":a":{"S":"g0"}}`, 12},
		{"Query", `"IndexName":"some","KeyConditionExpression":"g = :a","ExpressionAttributeValues":{":a":{"S":"g0"}},"ScanIndexForward":false`, 12},
		{"Query", `"IndexName":"all","KeyConditionExpression":"g = :a","ExpressionAttributeValues":{":a":{"S":"g1"}}`, 9},
		{"Scan", `"ConsistentRead":true`, 21},
		{"Scan", `"IndexName":"all"`, 21},
		{"Scan", `"FilterExpression":"y = :y","ExpressionAttributeValues":{":y":{"N":"3"}}`, 3},
	} {
		input := `{"TableName":"sss",` + c.input
		whole := strings.Fields(keysOf(t, r.must(c.operation, input+`}`)))
		if len(whole) != c.total {
			t.Errorf("%s: %d items, not %d", input, len(whole), c.total)
		}
		for _, limit := range []int{1, 2, 3, 100} {
			if got := r.pages(c.operation, input, limit); strings.Join(got, " ") != strings.Join(whole, " ") {
				t.Errorf("%s by %d: %s, not %s", input, limit, got, whole)
			}
		}
	}
}

// pages reads all pages of an operation.
func (r *itemRig) pages(operation, input string, limit int) (keys []string) {
	r.Helper()
	start := ""
	for {
		reply := r.must(operation, fmt.Sprintf(`%s,"Limit":%d%s}`, input, limit, start))
		keys = append(keys, strings.Fields(keysOf(r, reply))...)
		var out struct {
			LastEvaluatedKey json.RawMessage
			ScannedCount     int
		}
		if err := json.Unmarshal([]byte(reply), &out); err != nil {
			r.Fatal(err)
		}
		if out.ScannedCount > limit {
			r.Errorf("%d items were looked at; at most %d should", out.ScannedCount, limit)
		}
		if out.LastEvaluatedKey == nil {
			return keys
		}
		start = `,"ExclusiveStartKey":` + string(out.LastEvaluatedKey)
	}
}

// Segments part a table: each item is in one.
func TestSegments(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableT)
	for i := range 200 {
		r.must("PutItem", fmt.Sprintf(`{"TableName":"ttt","Item":{"id":{"S":"%d"}}}`, i))
	}
	for _, of := range []int{1, 2, 3, 7, 1000000} {
		seen := map[string]bool{}
		for segment := range min(of, 7) {
			if of > 7 {
				segment = of - 1 - segment
			}
			out, err := r.Scan(r.ctx, &api.ScanInput{TableName: new("ttt"), Segment: new(int32(segment)), TotalSegments: new(int32(of))})
			if err != nil {
				t.Fatal(err)
			}
			if of == 7 && (len(out.Items) < 10 || len(out.Items) > 60) {
				t.Errorf("segment %d of 7 has %d of 200 items", segment, len(out.Items))
			}
			for _, it := range out.Items {
				if id := *it["id"].S; seen[id] {
					t.Errorf("%s is in two segments of %d", id, of)
				} else {
					seen[id] = true
				}
			}
		}
		if of <= 7 && len(seen) != 200 {
			t.Errorf("%d segments have %d items", of, len(seen))
		}
	}
	r.run([]step{
		{"Scan", `{"TableName":"ttt","Segment":1}`, `ValidationException: The TotalSegments parameter is required but was not present in the request when Segment parameter is present`},
		{"Scan", `{"TableName":"ttt","TotalSegments":1}`, `ValidationException: The Segment parameter is required but was not present in the request when parameter TotalSegments is present`},
		{"Scan", `{"TableName":"ttt","Segment":2,"TotalSegments":2}`, `ValidationException: The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: 2 is not less than TotalSegments: 2`},
	})
}

// A reply holds 1 MB of items, with the one that reaches it.
func TestPageSize(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", tableS)
	text := strings.Repeat("x", 300<<10)
	for i := range 5 {
		r.must("PutItem", fmt.Sprintf(`{"TableName":"sss","Item":{"pk":{"S":"a"},"sk":{"N":"%d"},"x":{"S":"%s"}}}`, i, text))
	}
	const query = `{"TableName":"sss","KeyConditionExpression":"pk = :a","ExpressionAttributeValues":{":a":{"S":"a"}},"Select":"COUNT"`
	r.run([]step{
		{"Query", query + `}`, `{"Count":4,"ScannedCount":4,"LastEvaluatedKey":{"pk":{"S":"a"},"sk":{"N":"3"}}}`},
		{"Query", query + `,"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"N":"3"}}}`, `{"Count":1,"ScannedCount":1}`},
		{"Query", query + `,"ExclusiveStartKey":{"pk":{"S":"b"},"sk":{"N":"3"}}}`, `ValidationException: The provided starting key is outside query boundaries based on provided conditions`},
		{"Query", query + `,"ExclusiveStartKey":{"pk":{"S":"a"}}}`, `ValidationException: The provided starting key is invalid`},
		{"Query", query + `,"ExclusiveStartKey":{"pk":{"S":"a"},"sk":{"S":"3"}}}`, `ValidationException: The provided key element does not match the schema`},
		{"Scan", `{"TableName":"sss","ExclusiveStartKey":{"pk":{"S":"a"}}}`, `ValidationException: The provided starting key is invalid: The provided key element does not match the schema`},
	})
}

// Keys of every length and kind lie apart and in order.
func TestKeysOfAllKinds(t *testing.T) {
	r := newItemRig(t)
	r.must("CreateTable", `{"TableName":"bbb","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"B"},{"AttributeName":"sk","AttributeType":"B"},{"AttributeName":"x","AttributeType":"B"}],
		"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],
		"GlobalSecondaryIndexes":[{"IndexName":"i","KeySchema":[{"AttributeName":"x","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}],"Projection":{"ProjectionType":"ALL"}}]}`)
	zeros := make([]byte, 2048)
	hashes := [][]byte{zeros[:1], zeros[:2], zeros[:254], zeros[:255], zeros[:256], zeros, {1}, {0, 1}}
	sorts := [][]byte{zeros[:1], zeros[:2], zeros[:1023], zeros[:1024], {0, 1}, {0, 255}, {1}, {255}, {255, 255}}
	for _, h := range hashes {
		for i := len(sorts) - 1; i >= 0; i-- {
			key := map[string]api.AttributeValue{"pk": {B: h}, "sk": {B: sorts[i]}, "x": {B: []byte{9}}}
			if _, err := r.PutItem(r.ctx, &api.PutItemInput{TableName: new("bbb"), Item: key}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, h := range hashes {
		out, err := r.Query(r.ctx, &api.QueryInput{TableName: new("bbb"), KeyConditionExpression: new("pk = :h"),
			ExpressionAttributeValues: map[string]api.AttributeValue{":h": {B: h}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(out.Items) != len(sorts) {
			t.Fatalf("%d items of a hash key of %d bytes, not %d", len(out.Items), len(h), len(sorts))
		}
		for i, it := range out.Items {
			if string(it["sk"].B) != string(sorts[i]) {
				t.Errorf("item %d has the sort key %x, not %x", i, it["sk"].B, sorts[i])
			}
		}
	}
	out, err := r.Query(r.ctx, &api.QueryInput{TableName: new("bbb"), IndexName: new("i"), KeyConditionExpression: new("x = :x AND begins_with(sk, :s)"),
		ExpressionAttributeValues: map[string]api.AttributeValue{":x": {B: []byte{9}}, ":s": {B: []byte{0}}}})
	if err != nil || len(out.Items) != 6*len(hashes) {
		t.Errorf("%d entries of the index: %v", len(out.Items), err)
	}
}
