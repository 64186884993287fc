package lambda

import (
	"sync/atomic"
	"testing"

	api "cirro/internal/awsapi/lambda"
)

// BenchmarkDurableExecutions measures whole executions, many at a time, of a function that takes no time: its start, an
// invocation that checkpoints a step and a callback, the callback, a second invocation, and the end.
func BenchmarkDurableExecutions(b *testing.B) {
	ids := make(chan string, b.N)
	d := newDurableStage(b, approved(ids))
	d.durable("f", 600)
	b.SetParallelism(100)
	var failed atomic.Int64
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			_, err := d.Invoke(d.ctx, &api.InvocationRequest{FunctionName: new("f:$LATEST"), InvocationType: new("Event"), Payload: []byte(`{}`)})
			if err == nil {
				id := <-ids
				_, err = d.SendDurableExecutionCallbackSuccess(d.ctx, &api.SendDurableExecutionCallbackSuccessRequest{CallbackId: &id})
			}
			if err != nil {
				failed.Add(1)
			}
		}
	})
	d.eventually("all executions to end", func() bool {
		s, err := d.store.Stats(d.ctx, durableInvocations)
		return err == nil && s.Ready+s.Leased+s.Delayed == 0
	})
	if failed.Load() > 0 {
		b.Fatalf("%d executions failed", failed.Load())
	}
}
