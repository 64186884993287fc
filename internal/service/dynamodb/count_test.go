package dynamodb

import (
	"fmt"
	"strings"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
)

func TestCounts(t *testing.T) {
	p := newPlane(t)
	p.create("music", func(in *api.CreateTableInput) {
		in.AttributeDefinitions = definitions("id", "v")
		in.GlobalSecondaryIndexes = []api.GlobalSecondaryIndex{{IndexName: new("by-v"), KeySchema: keySchema("v"), Projection: &api.Projection{ProjectionType: new("KEYS_ONLY")}}}
	})
	check := func(items, bytes, indexed int64) {
		t.Helper()
		d := p.described("music")
		if *d.ItemCount != items || *d.TableSizeBytes != bytes || *d.GlobalSecondaryIndexes[0].ItemCount != indexed {
			t.Errorf("%d items of %d bytes, %d in the index", *d.ItemCount, *d.TableSizeBytes, *d.GlobalSecondaryIndexes[0].ItemCount)
		}
	}
	check(0, 0, 0)
	p.put("music", "id", "a", "v", "x")
	p.put("music", "id", "b")
	check(2, 3+2+3, 1)
	large := strings.Repeat("x", 100<<10)
	const n = 5
	for i := range n {
		p.put("music", "id", fmt.Sprint(i), "large", large)
	}
	check(0, 0, 0) // it is not counted yet
	p.countLarge(p.ctx)
	check(n+2, 8+n*(3+5+100<<10), 1)
	p.put("music", "id", "more")
	p.countLarge(p.ctx)
	check(n+2, 8+n*(3+5+100<<10), 1)
	p.ahead.Store(int64(countInterval))
	p.countLarge(p.ctx)
	check(n+3, 8+n*(3+5+100<<10)+6, 1)
}
