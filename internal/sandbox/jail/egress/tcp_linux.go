package egress

import (
	"context"
	"io"
	"net"
	"sync"

	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

// connect answers a program that wants to connect: only once the outside did, and otherwise as a machine
// where nobody listens.
func (w *Way) connect(r *tcp.ForwarderRequest) {
	if !w.admit(w.connections) {
		r.Complete(true)
		return
	}
	defer w.leave(w.connections)
	outside, err := w.gate.dial(w.context, "tcp", destination(r.ID()))
	if err != nil {
		r.Complete(true)
		return
	}
	var queue waiter.Queue
	end, failed := r.CreateEndpoint(&queue)
	r.Complete(failed != nil)
	if failed != nil {
		outside.Close()
		return
	}
	join(w.context, gonet.NewTCPConn(&queue, end), outside.(*net.TCPConn))
}

// stream is a connection whose directions end apart.
type stream interface {
	net.Conn
	CloseWrite() error
}

// join passes on what two connections say until both have said all.
func join(ctx context.Context, a, b stream) {
	closeBoth := func() {
		a.Close()
		b.Close()
	}
	defer context.AfterFunc(ctx, closeBoth)()
	defer closeBoth()
	pass := func(to, from stream) {
		if _, err := io.Copy(to, from); err != nil {
			closeBoth()
		}
		to.CloseWrite()
	}
	var both sync.WaitGroup
	both.Go(func() { pass(a, b) })
	both.Go(func() { pass(b, a) })
	both.Wait()
}
