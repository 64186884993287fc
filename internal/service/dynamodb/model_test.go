package dynamodb

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/dynamodb"
	"cirro/internal/service/dynamodb/item"
	"cirro/internal/service/dynamodb/table"
	"cirro/internal/store"
)

// modelOf is a table in memory: the items by pk and sk.
type modelOf map[[2]string]item.Item

func modelKey(it item.Item) [2]string { return [2]string{it["pk"].Text, it["sk"].Text} }

// randomItem has some of the attributes that are keys of indexes, with few values, so that they meet.
func randomItem(r *rand.Rand) item.Item {
	it := item.Item{"pk": item.String(fmt.Sprint("p", r.IntN(4))), "sk": item.Int(int64(r.IntN(11) - 5))}
	if r.IntN(3) > 0 {
		it["l"] = item.String(strings.Repeat("l", 1+r.IntN(3)) + "\x00"[:r.IntN(2)])
	}
	if r.IntN(3) > 0 {
		it["g"] = item.String(fmt.Sprint("g", r.IntN(2)))
	}
	if r.IntN(3) > 0 {
		it["h"] = item.Int(int64(r.IntN(5)))
	}
	if r.IntN(2) > 0 {
		it["x"] = item.Int(r.Int64N(3))
	}
	if r.IntN(2) > 0 {
		it["y"] = item.List(item.Null(), item.Int(r.Int64N(3)))
	}
	return it
}

// write does one random write to both.
func (m modelOf) write(t *testing.T, s *itemRig, r *rand.Rand) {
	t.Helper()
	it := randomItem(r)
	k := modelKey(it)
	key := item.Item{"pk": it["pk"], "sk": it["sk"]}
	var err error
	switch r.IntN(6) {
	case 0, 1:
		_, err = s.PutItem(s.ctx, &api.PutItemInput{TableName: new("sss"), Item: it.API()})
		m[k] = it
	case 2:
		_, err = s.PutItem(s.ctx, &api.PutItemInput{TableName: new("sss"), Item: it.API(), ConditionExpression: new("attribute_not_exists(pk)")})
		if _, has := m[k]; has != (err != nil) {
			t.Fatalf("a put with a condition: %v, and the model has %t", err, has)
		}
		if err == nil {
			m[k] = it
		}
		err = nil
	case 3:
		_, err = s.DeleteItem(s.ctx, &api.DeleteItemInput{TableName: new("sss"), Key: key.API()})
		delete(m, k)
	case 4:
		_, err = s.UpdateItem(s.ctx, &api.UpdateItemInput{TableName: new("sss"), Key: key.API(), UpdateExpression: new("SET g = :g, x = :x REMOVE h, y"),
			ExpressionAttributeValues: map[string]api.AttributeValue{":g": {S: new("g1")}, ":x": {N: new("7")}}})
		was := m[k]
		now := item.Item{"pk": it["pk"], "sk": it["sk"], "g": item.String("g1"), "x": item.Int(7)}
		if l, has := was["l"]; has {
			now["l"] = l
		}
		m[k] = now
	case 5:
		other := randomItem(r)
		if modelKey(other) == k {
			return
		}
		_, err = s.TransactWriteItems(s.ctx, &api.TransactWriteItemsInput{TransactItems: []api.TransactWriteItem{
			{Delete: &api.Delete{TableName: new("sss"), Key: key.API()}}, {Put: &api.Put{TableName: new("sss"), Item: other.API()}}}})
		delete(m, k)
		m[modelKey(other)] = other
	}
	if err != nil {
		t.Fatal(err)
	}
}

// query compares one random query.
func (m modelOf) query(t *testing.T, s *itemRig, r *rand.Rand) {
	t.Helper()
	in := &api.QueryInput{TableName: new("sss"), ScanIndexForward: new(r.IntN(2) == 0)}
	hash, sort, v := "pk", "sk", item.String(fmt.Sprint("p", r.IntN(4)))
	low, high := item.Int(int64(r.IntN(11)-5)), item.Int(int64(r.IntN(11)-5))
	switch r.IntN(4) {
	case 0:
		in.IndexName, sort = new("local"), "l"
		low, high = item.String("l"), item.String("ll\x00")
	case 1:
		in.IndexName, hash, sort, v = new("all"), "g", "h", item.String(fmt.Sprint("g", r.IntN(2)))
	case 2:
		in.IndexName, hash, sort, v = new("some"), "g", "", item.String(fmt.Sprint("g", r.IntN(2)))
	}
	in.ExpressionAttributeValues = map[string]api.AttributeValue{":v": v.API()}
	condition, holds := "", func(item.Value) bool { return true }
	order := func(a, b item.Value) int { n, _ := item.Compare(a, b); return n }
	if sort != "" {
		switch r.IntN(5) {
		case 0:
			condition, holds = " AND "+sort+" = :low", func(v item.Value) bool { return v.Equal(low) }
		case 1:
			condition, holds = " AND "+sort+" < :low", func(v item.Value) bool { return order(v, low) < 0 }
		case 2:
			condition, holds = " AND "+sort+" >= :low", func(v item.Value) bool { return order(v, low) >= 0 }
		case 3:
			if order(low, high) <= 0 {
				condition, holds = " AND "+sort+" BETWEEN :low AND :high", func(v item.Value) bool { return order(v, low) >= 0 && order(v, high) <= 0 }
				in.ExpressionAttributeValues[":high"] = high.API()
			}
		}
	}
	if condition != "" {
		in.ExpressionAttributeValues[":low"] = low.API()
	}
	in.KeyConditionExpression = new(hash + " = :v" + condition)
	var want []item.Item
	for _, it := range m {
		if _, has := it[sort]; it[hash].Equal(v) && (has || sort == "") && holds(it[sort]) {
			want = append(want, it)
		}
	}
	out, err := s.Query(s.ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	what := fmt.Sprintf("%s of %s", *in.KeyConditionExpression, awsapi.Val(in.IndexName))
	if len(out.Items) != len(want) {
		t.Fatalf("%s: %d items, not %d", what, len(out.Items), len(want))
	}
	for i, attributes := range out.Items {
		it, err := item.FromAPI(attributes)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && sort != "" {
			before, _ := item.ValueFromAPI(out.Items[i-1][sort])
			if n := order(before, it[sort]); n != 0 && n > 0 == *in.ScanIndexForward {
				t.Fatalf("%s: item %d is out of order", what, i)
			}
		}
		whole := m[modelKey(it)]
		for name, v := range it {
			if !whole[name].Equal(v) {
				t.Fatalf("%s: %s of item %d is %v, not %v", what, name, i, v, whole[name])
			}
		}
		if (in.IndexName == nil || *in.IndexName == "all") && len(it) != len(whole) {
			t.Fatalf("%s: item %d lacks attributes", what, i)
		}
	}
}

// scan compares all there is.
func (m modelOf) scan(t *testing.T, s *itemRig) {
	t.Helper()
	out, err := s.Scan(s.ctx, &api.ScanInput{TableName: new("sss")})
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, it := range out.Items {
		got = append(got, compact(t, it))
	}
	for _, it := range m {
		want = append(want, compact(t, it.API()))
	}
	slices.SortFunc(got, cmp.Compare[string])
	slices.SortFunc(want, cmp.Compare[string])
	if !slices.Equal(got, want) {
		t.Fatalf("the table has\n%s\nand the model\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	s.verify("sss")
}

// verify compares the indexes of a table with it.
func (r *itemRig) verify(name string) {
	r.Helper()
	t, err := r.catalog.Use(r.ctx, table.Ref{Account: awsapi.DefaultAccount, Region: "eu-west-1", Name: name})
	if err != nil {
		r.Fatal(err)
	}
	defer t.End()
	if err := r.Store.View(r.ctx, func(v store.Reader) error { return t.Verify(v) }); err != nil {
		r.Fatal(err)
	}
}

// TestModel compares random writes and queries with a table in memory.
func TestModel(t *testing.T) {
	seeds, steps := uint64(3), 400
	if os.Getenv("CIRRO_LONG") != "" {
		seeds, steps = 40, 3000
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			s, r, m := newItemRig(t), rand.New(rand.NewPCG(seed, 1)), modelOf{}
			s.must("CreateTable", tableS)
			for i := range steps {
				m.write(t, s, r)
				m.query(t, s, r)
				if i%100 == 99 {
					m.scan(t, s)
				}
			}
		})
	}
}
