package egress

import (
	"context"
	"net/netip"
	"os"
	"sync"
	"syscall"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// The most connections and flows of one jail at a time: Lambda's 1,024 files of a process, and as many
// conversations by datagrams as are usual.
const (
	mostConnections = 1024
	mostFlows       = 256
	mostDialing     = 256
)

// Way is the way out of one jail. Until a program inside sends its first packet it is a goroutine that
// waits.
type Way struct {
	gate        *Gate
	device      *os.File
	context     context.Context // ends with the way
	cancel      context.CancelFunc
	connections slots
	flows       slots
	followed    chan struct{} // closed when the device is no longer read
	stack       *stack.Stack  // nil until a packet comes; the reader's
	port        *port
}

// Open carries what a jail's programs send to a device. The way owns the device.
func (g *Gate) Open(device *os.File) *Way {
	w := &Way{gate: g, device: device, connections: make(slots, mostConnections), flows: make(slots, mostFlows),
		followed: make(chan struct{})}
	w.context, w.cancel = context.WithCancel(context.Background())
	go w.follow()
	return w
}

// Close ends all connections.
func (w *Way) Close() error {
	w.cancel()
	err := w.device.Close()
	<-w.followed
	if w.stack != nil {
		w.stack.Destroy()
	}
	return err
}

// packets are buffers for one packet each; few are in use at a time.
var packets = sync.Pool{New: func() any { return new([MTU]byte) }}

// follow reads packets until the device is closed.
func (w *Way) follow() {
	defer close(w.followed)
	conn, err := w.device.SyscallConn()
	if err != nil {
		return
	}
	conn.Read(func(fd uintptr) (done bool) {
		p := packets.Get().(*[MTU]byte)
		defer packets.Put(p)
		for w.context.Err() == nil {
			n, err := syscall.Read(int(fd), p[:])
			switch {
			case err == syscall.EAGAIN:
				return false // wait until there is more
			case err == syscall.EINTR:
			case err != nil || n == 0:
				return true
			default:
				w.receive(p[:n])
			}
		}
		return true
	})
}

// receive takes a packet from inside: IPv4, and of that TCP and UDP, or nothing.
func (w *Way) receive(packet []byte) {
	if len(packet) < header.IPv4MinimumSize || packet[0]>>4 != 4 {
		return
	}
	if p := tcpip.TransportProtocolNumber(packet[9]); p != tcp.ProtocolNumber && p != udp.ProtocolNumber {
		return
	}
	if w.stack == nil && !w.begin() {
		return
	}
	b := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	w.port.InjectInbound(ipv4.ProtocolNumber, b)
	b.DecRef()
}

// begin makes the protocols' state, which takes some 50 KB.
func (w *Way) begin() bool {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol},
	})
	bound(s)
	port := &port{Endpoint: channel.New(0, MTU, ""), device: w.device}
	const nic = 1
	if err := s.CreateNIC(nic, port); err != nil {
		return false
	}
	// It answers for every address there is.
	s.SetPromiscuousMode(nic, true)
	s.SetSpoofing(nic, true)
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	s.SetTransportProtocolHandler(tcp.ProtocolNumber, tcp.NewForwarder(s, 0, mostDialing, w.connect).HandlePacket)
	s.SetTransportProtocolHandler(udp.ProtocolNumber, udp.NewForwarder(s, w.converse).HandlePacket)
	w.stack, w.port = s, port
	return true
}

// bound limits what a connection keeps that one side does not read.
func bound(s *stack.Stack) {
	const least, usual, most = 4 << 10, 64 << 10, 256 << 10
	receive := tcpip.TCPReceiveBufferSizeRangeOption{Min: least, Default: usual, Max: most}
	send := tcpip.TCPSendBufferSizeRangeOption{Min: least, Default: usual, Max: most}
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &receive)
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &send)
	sack := tcpip.TCPSACKEnabled(true)
	s.SetTransportProtocolOption(tcp.ProtocolNumber, &sack)
}

// port is where the protocols' packets to the inside go.
type port struct {
	*channel.Endpoint
	device *os.File
}

// WritePackets implements stack.LinkEndpoint.
func (p *port) WritePackets(list stack.PacketBufferList) (int, tcpip.Error) {
	for n, b := range list.AsSlice() {
		view := b.ToView()
		_, err := p.device.Write(view.AsSlice())
		view.Release()
		if err != nil {
			return n, &tcpip.ErrAborted{}
		}
	}
	return list.Len(), nil
}

// destination is where a program inside wants to.
func destination(id stack.TransportEndpointID) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4(id.LocalAddress.As4()), id.LocalPort)
}

// admit counts a connection or a flow in, unless there are too many.
func (w *Way) admit(own slots) bool {
	if !own.take() {
		return false
	}
	if !w.gate.slots.take() {
		own.free()
		return false
	}
	return true
}

func (w *Way) leave(own slots) {
	w.gate.slots.free()
	own.free()
}
