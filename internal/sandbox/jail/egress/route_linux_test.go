package egress

import (
	"net"
	"net/netip"
	"testing"
)

func TestThisMachineIsNotElsewhere(t *testing.T) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		n, ok := a.(*net.IPNet)
		if !ok || n.IP.To4() == nil {
			continue
		}
		if own, _ := netip.AddrFromSlice(n.IP.To4()); elsewhere(own) {
			t.Errorf("%s is this machine's", own)
		}
	}
	if elsewhere(netip.MustParseAddr("127.77.0.1")) {
		t.Error("all of 127.0.0.0/8 is this machine's")
	}
}

func FuzzRouteAnswer(f *testing.F) {
	f.Add([]byte{})
	f.Add(routeQuestion(netip.MustParseAddr("192.0.2.1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if leadsElsewhere(b) && len(b) < 24 {
			t.Errorf("%v is half an answer", b)
		}
	})
}
