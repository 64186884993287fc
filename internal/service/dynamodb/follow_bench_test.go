package dynamodb

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	api "cirro/internal/awsapi/dynamodb"
)

// BenchmarkFollowedPuts is what puts cost that a stream tells of, that have an expiry, or whose predecessors are
// kept, beside those that nothing follows; 32 at a time.
func BenchmarkFollowedPuts(b *testing.B) {
	for _, c := range []struct {
		name string
		with func(r *itemRig)
	}{
		{"Plain", func(*itemRig) {}},
		{"Stream", func(r *itemRig) {
			r.must("UpdateTable", `{"TableName":"bench","StreamSpecification":{"StreamEnabled":true,"StreamViewType":"NEW_AND_OLD_IMAGES"}}`)
		}},
		{"TimeToLive", func(r *itemRig) {
			r.must("UpdateTimeToLive", `{"TableName":"bench","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"n"}}`)
		}},
		{"Recovery", func(r *itemRig) {
			r.must("UpdateContinuousBackups", `{"TableName":"bench","PointInTimeRecoverySpecification":{"PointInTimeRecoveryEnabled":true}}`)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := newItemRig(b)
			r.must("CreateTable", `{"TableName":"bench","BillingMode":"PAY_PER_REQUEST","AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}`)
			c.with(r)
			var n atomic.Int64
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := n.Add(1)
					it := map[string]api.AttributeValue{"pk": {S: new(fmt.Sprint("key", i%50_000))}, "n": {N: new(fmt.Sprint(4e9 + float64(i)))}, "text": {S: new(strings.Repeat("x", 200))}}
					if _, err := r.PutItem(r.ctx, &api.PutItemInput{TableName: new("bench"), Item: it}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "puts/s")
		})
	}
}
