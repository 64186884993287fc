package egress

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Gate is the way out that all jails of a host share: what its policy refuses, nobody reaches.
type Gate struct {
	// Resolvers are the addresses, with ports, of who answers for names: the host's, if nothing else is
	// set before the first way is opened.
	Resolvers func() []string

	policy    Policy
	elsewhere func(netip.Addr) bool
	slots     slots // of all jails together
}

// slots bound how many connections there are.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) free() { <-s }

// errRefused is what is not permitted.
var errRefused = errors.New("egress: refused by policy")

// dialLimit is how long a connection may take to be made. Programs inside have their own limits.
const dialLimit = 60 * time.Second

// NewGate makes the gate of a policy.
func NewGate(p Policy) *Gate {
	return &Gate{Resolvers: hostResolvers, policy: p, elsewhere: elsewhere, slots: make(slots, descriptors()/2)}
}

// descriptors is how many files this program may have open; of them the jails' connections get a half.
func descriptors() uint64 {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	return min(l.Cur, 1<<16)
}

// permits says whether a destination may be dialed. The address for names is answered here.
func (g *Gate) permits(to netip.AddrPort) bool {
	if to.Addr() == Resolver {
		return to.Port() == 53
	}
	return g.policy.permits(to.Addr(), g.elsewhere)
}

// dial connects to a destination of the outside.
func (g *Gate) dial(ctx context.Context, network string, to netip.AddrPort) (net.Conn, error) {
	if !g.permits(to) {
		return nil, errRefused
	}
	d := net.Dialer{Timeout: dialLimit}
	if to.Addr() != Resolver {
		return d.DialContext(ctx, network, to.String())
	}
	var errs []error
	for _, r := range g.Resolvers() {
		c, err := d.DialContext(ctx, network, r)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}
