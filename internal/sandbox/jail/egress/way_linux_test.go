package egress

import (
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// openPair makes a way whose device is one end of a socket that keeps packets apart; the other is the
// jail.
func openPair(t testing.TB, g *Gate) (*Way, *os.File) {
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	jail := os.NewFile(uintptr(pair[1]), "jail")
	w := g.Open(os.NewFile(uintptr(pair[0]), "device"))
	t.Cleanup(func() {
		jail.Close()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w, jail
}

func TestConnectionsAreBounded(t *testing.T) {
	g := NewGate(Outside)
	g.slots = make(slots, 3)
	a, _ := openPair(t, g)
	b, _ := openPair(t, g)
	a.connections = make(slots, 2)
	for n, want := range []bool{true, true, false} {
		if got := a.admit(a.connections); got != want {
			t.Errorf("connection %d: %v", n, got)
		}
	}
	if !b.admit(b.connections) || b.admit(b.flows) {
		t.Error("all jails together have three")
	}
	if a.leave(a.connections); !b.admit(b.flows) {
		t.Error("what was given back is not there")
	}
}

func TestAWayCostsNothingBeforeTheFirstPacket(t *testing.T) {
	g := NewGate(Outside)
	w, jail := openPair(t, g)
	ipv6 := append([]byte{0x60}, make([]byte, 60)...)
	icmp := append([]byte{0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1}, make([]byte, 18)...)
	for _, p := range [][]byte{ipv6, icmp, {0x45}} {
		if _, err := jail.Write(p); err != nil {
			t.Fatal(err)
		}
	}
	jail.Close()
	<-w.followed
	if w.stack != nil {
		t.Error("what is neither TCP nor UDP made the protocols' state")
	}
}

// Whatever a jail sends, the platform goes on.
func FuzzPackets(f *testing.F) {
	from, to := Inside.As4(), netip.MustParseAddr("203.0.113.1").As4()
	packet := func(protocol byte, rest ...byte) []byte {
		b := append([]byte{0x45, 0, 0, byte(20 + len(rest)), 0, 0, 0, 0, 64, protocol, 0, 0}, from[:]...)
		b = append(append(b, to[:]...), rest...)
		sum := uint32(0)
		for i := 0; i < 20; i += 2 {
			sum += uint32(b[i])<<8 | uint32(b[i+1])
		}
		sum = ^(sum&0xffff + sum>>16)
		b[10], b[11] = byte(sum>>8), byte(sum)
		return b
	}
	f.Add(packet(17, 1, 1, 0, 53, 0, 8, 0, 0))
	f.Add(packet(6, 1, 1, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 255, 255, 0, 0, 0, 0))
	f.Add(packet(6))
	f.Add([]byte{0x4f})
	f.Fuzz(func(t *testing.T, b []byte) {
		g := NewGate(None)
		w, jail := openPair(t, g)
		if len(b) > 0 && len(b) <= MTU {
			jail.Write(b)
		}
		jail.Close()
		<-w.followed
	})
}
