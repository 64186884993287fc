package entry

import (
	"syscall"
	"unsafe"

	"cirro/internal/sandbox/jail/control"
)

// deviceName is what the network device of a jail is called inside.
const deviceName = "egress0"

// The modes of a device that carries packets as they are (linux/if_tun.h), and what is up.
const (
	tunDevice  = 0x0001
	bareIP     = 0x1000
	setUp      = syscall.IFF_UP | syscall.IFF_RUNNING | syscall.IFF_NOARP | syscall.IFF_POINTOPOINT
	routeIsUp  = 1
	deviceFile = "/dev/net/tun"
)

// route makes the jail's way out: a device that everything goes to but what is the jail's own. It ends
// with the jail's network: at the end of a descriptor the kernel would take it away at once, and keep all
// who make or end networks waiting for some 20 ms.
func (s *supervisor) route(m *control.Route) {
	fd, err := makeDevice(m)
	if err != nil {
		s.conn.Send(failed(err))
		return
	}
	s.conn.Send(&control.Routed{}, fd)
	syscall.Close(fd)
}

func makeDevice(m *control.Route) (int, error) {
	// The namespace that the device belongs to is the one it is opened in.
	fd, err := syscall.Open(deviceFile, syscall.O_RDWR|syscall.O_CLOEXEC|syscall.O_NONBLOCK, 0)
	if err != nil {
		return -1, wrap("open "+deviceFile, err)
	}
	if err := configure(fd, m); err != nil {
		syscall.Close(fd)
		return -1, err
	}
	return fd, nil
}

// interfaceRequest is struct ifreq of linux/if.h.
type interfaceRequest struct {
	name  [syscall.IFNAMSIZ]byte
	value [24]byte
}

func configure(device int, m *control.Route) error {
	at, ok := address(m.Address + ":0")
	if !ok {
		return &fault{"read the address " + m.Address, syscall.EINVAL}
	}
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return wrap("socket", err)
	}
	defer syscall.Close(socket)
	flags, up, most := uint16(tunDevice|bareIP), uint16(setUp), uint32(m.MTU)
	only := [4]byte{255, 255, 255, 255}
	if err := change(device, syscall.TUNSETIFF, unsafe.Slice((*byte)(unsafe.Pointer(&flags)), 2)); err != nil {
		return wrap("make a network device", err)
	}
	if _, err := call(syscall.SYS_IOCTL, uintptr(device), syscall.TUNSETPERSIST, 1); err != nil {
		return wrap("keep a network device", err)
	}
	quiet()
	for _, r := range []struct {
		what   string
		number uintptr
		value  []byte
	}{
		{"set the device's MTU", syscall.SIOCSIFMTU, unsafe.Slice((*byte)(unsafe.Pointer(&most)), 4)},
		{"set the device's address", syscall.SIOCSIFADDR, internet(at.Addr)},
		{"set the device's mask", syscall.SIOCSIFNETMASK, internet(only)},
		{"bring the device up", syscall.SIOCSIFFLAGS, unsafe.Slice((*byte)(unsafe.Pointer(&up)), 2)},
	} {
		if err := change(socket, r.number, r.value); err != nil {
			return wrap(r.what, err)
		}
	}
	return wrap("route to the device", routeAll(socket))
}

// change sets a property of the device by an ioctl.
func change(fd int, number uintptr, value []byte) error {
	var r interfaceRequest
	copy(r.name[:], deviceName)
	copy(r.value[:], value)
	_, err := call(syscall.SYS_IOCTL, uintptr(fd), number, uintptr(unsafe.Pointer(&r)))
	return err
}

// internet is struct sockaddr_in, of which only the address matters.
func internet(a [4]byte) []byte {
	family := uint16(syscall.AF_INET)
	b := make([]byte, 16)
	copy(b, unsafe.Slice((*byte)(unsafe.Pointer(&family)), 2))
	copy(b[4:], a[:])
	return b
}

// routeAll sends to the device what has no other way.
func routeAll(socket int) error {
	name := path(deviceName)
	route := struct { // struct rtentry of linux/route.h
		_       uint64
		to      [16]byte
		gateway [16]byte
		mask    [16]byte
		flags   uint16
		_       uint16
		_       uint64
		_       uintptr
		metric  uint16
		device  *byte
		_       [3]uint64
	}{flags: routeIsUp, device: name}
	copy(route.to[:], internet([4]byte{}))
	copy(route.gateway[:], internet([4]byte{}))
	copy(route.mask[:], internet([4]byte{}))
	_, err := call(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCADDRT, uintptr(unsafe.Pointer(&route)))
	return err
}

// quiet keeps the device from speaking IPv6 by itself, in vain and to the host's cost. A kernel without
// IPv6 has nothing to switch off.
func quiet() {
	fd, err := syscall.Open("/proc/sys/net/ipv6/conf/"+deviceName+"/disable_ipv6", syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	syscall.Write(fd, []byte("1"))
	syscall.Close(fd)
}
