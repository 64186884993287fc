package egress

import (
	"context"
	"net"
	"sync"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// flowIdle is how long a flow is kept that says nothing.
const flowIdle = 60 * time.Second

// datagrams are buffers for one datagram each.
var datagrams = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// converse begins a flow of datagrams. What is refused is answered as a machine where nobody listens
// does; what is too much is lost, as datagrams are.
func (w *Way) converse(r *udp.ForwarderRequest) (handled bool) {
	to := destination(r.ID())
	if !w.gate.permits(to) {
		return false
	}
	if !w.admit(w.flows) {
		return true
	}
	var queue waiter.Queue
	end, failed := r.CreateEndpoint(&queue)
	if failed != nil {
		w.leave(w.flows)
		return true
	}
	inside := gonet.NewUDPConn(&queue, end)
	go func() {
		defer w.leave(w.flows)
		defer context.AfterFunc(w.context, func() { inside.Close() })()
		defer inside.Close()
		if to.Addr() == Resolver {
			w.gate.answerNames(w.context, inside)
			return
		}
		if outside, err := w.gate.dial(w.context, "udp", to); err == nil {
			exchange(w.context, inside, outside)
		}
	}()
	return true
}

// exchange passes datagrams on until there are none for a while.
func exchange(ctx context.Context, a, b net.Conn) {
	defer context.AfterFunc(ctx, func() { b.Close() })()
	defer b.Close()
	busy := func() {
		until := time.Now().Add(flowIdle)
		a.SetReadDeadline(until)
		b.SetReadDeadline(until)
	}
	busy()
	pass := func(to, from net.Conn) {
		defer a.Close()
		defer b.Close()
		p := datagrams.Get().(*[64 << 10]byte)
		defer datagrams.Put(p)
		for {
			n, err := from.Read(p[:])
			if err != nil {
				return
			}
			busy()
			if _, err := to.Write(p[:n]); err != nil {
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { pass(a, b) })
	both.Go(func() { pass(b, a) })
	both.Wait()
}
