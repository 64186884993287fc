package egress

import (
	"net/netip"
	"testing"
)

func TestPolicies(t *testing.T) {
	own := netip.MustParseAddr("192.0.2.7") // an address of this machine
	elsewhere := func(a netip.Addr) bool { return a != own }
	for _, c := range []struct {
		address      string
		outside, all bool
	}{
		{"203.0.113.9", true, true},
		{"10.1.2.3", true, true},
		{"192.168.0.10", true, true},
		{"192.0.2.7", false, true},
		{"169.254.169.254", false, true}, // the metadata of AWS, Azure, Google Cloud and others
		{"169.254.170.2", false, true},   // of containers on ECS
		{"100.100.100.200", false, true}, // of Alibaba
		{"168.63.129.16", false, true},   // of Azure
		{"192.0.0.192", false, true},     // of Oracle
		{"127.0.0.1", false, false},
		{"127.8.9.10", false, false},
		{"0.0.0.0", false, false},
		{"0.1.2.3", false, false},
		{"224.0.0.1", false, false},
		{"255.255.255.255", false, false},
		{"240.0.0.1", false, false},
		{"fd00:ec2::254", false, false},
		{"::1", false, false},
		{"::ffff:203.0.113.9", false, false},
	} {
		a := netip.MustParseAddr(c.address)
		for p, want := range map[Policy]bool{None: false, "": false, Outside: c.outside, All: c.all} {
			if got := p.permits(a, elsewhere); got != want {
				t.Errorf("policy %q permits %s: %v", p, a, got)
			}
		}
	}
}
