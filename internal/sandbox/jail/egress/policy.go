package egress

import "net/netip"

// Policy says where the programs of a jail may connect to.
type Policy string

// The policies. None of them reaches other jails, which have no address on the host, or the host's
// loopback addresses, which inside are the jail's own.
const (
	None    Policy = "none"    // nowhere: no device is made
	Outside Policy = "outside" // everywhere but this machine itself, link-local and metadata addresses
	All     Policy = "all"     // wherever this machine's user may, but for loopback
)

// What a jail sees of its network, as on AWS Lambda.
var (
	Inside   = netip.MustParseAddr("169.254.76.1") // the jail's own address
	Resolver = netip.MustParseAddr("169.254.78.1") // answers for names, by the host's resolvers
)

// MTU is the most bytes that a packet on a jail's device has. They go no further than this program.
const MTU = 16 << 10

// nowhere are addresses that are never dialed: those that mean this machine, many or none.
var nowhere = prefixes("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4")

// nearby are addresses that clouds give to services which trust whoever runs on the machine: link-local
// ones, and those of Alibaba, Azure and Oracle that are not.
var nearby = prefixes("169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32")

func prefixes(list ...string) []netip.Prefix {
	var p []netip.Prefix
	for _, s := range list {
		p = append(p, netip.MustParsePrefix(s))
	}
	return p
}

// permits says whether an address may be dialed. What is not IPv4 is not: Lambda has no IPv6 outside of
// virtual networks either. elsewhere tells whether an address is another machine's.
func (p Policy) permits(a netip.Addr, elsewhere func(netip.Addr) bool) bool {
	if !a.Is4() || contain(nowhere, a) {
		return false
	}
	switch p {
	case All:
		return true
	case Outside:
		return !contain(nearby, a) && elsewhere(a)
	default:
		return false
	}
}

func contain(list []netip.Prefix, a netip.Addr) bool {
	for _, p := range list {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
