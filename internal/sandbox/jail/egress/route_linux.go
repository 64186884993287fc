package egress

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"
)

// elsewhere asks the kernel whether packets to an address would leave this machine. The list of its
// interfaces' addresses would not do: whole networks can be routed to the machine itself.
func elsewhere(a netip.Addr) bool {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	if err := unix.Sendto(fd, routeQuestion(a), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return false
	}
	answer := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, answer, 0)
	return err == nil && leadsElsewhere(answer[:n])
}

// routeQuestion is a message that asks for the route to an IPv4 address: a header, a struct rtmsg, and
// the address as an attribute.
func routeQuestion(a netip.Addr) []byte {
	const size = unix.SizeofNlMsghdr + unix.SizeofRtMsg + unix.SizeofRtAttr + 4
	b := binary.NativeEndian.AppendUint32(nil, size)
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_GETROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST)
	b = append(b, make([]byte, 8)...) // the message's number, and the sender's
	b = append(b, unix.AF_INET, 32)
	b = append(b, make([]byte, unix.SizeofRtMsg-2)...)
	b = binary.NativeEndian.AppendUint16(b, unix.SizeofRtAttr+4)
	b = binary.NativeEndian.AppendUint16(b, unix.RTA_DST)
	return append(b, a.AsSlice()...)
}

// leadsElsewhere reads the answer. An error is one to an address that no route leads to.
func leadsElsewhere(answer []byte) bool {
	const typeAt = unix.SizeofNlMsghdr + 7
	return len(answer) > typeAt && binary.NativeEndian.Uint16(answer[4:]) == unix.RTM_NEWROUTE &&
		answer[typeAt] == unix.RTN_UNICAST
}
