package entry

import (
	"syscall"
	"unsafe"
)

// listen brings the loopback device up and listens on IPv4 addresses ("127.0.0.1:9001").
func listen(addresses []string) ([]int, error) {
	if err := loopback(); err != nil {
		return nil, err
	}
	var sockets []int
	for _, a := range addresses {
		to, ok := address(a)
		if !ok {
			return nil, &fault{"listen on " + a, syscall.EINVAL}
		}
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
		if err != nil {
			return nil, wrap("socket", err)
		}
		if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
			return nil, wrap("listen on "+a, err)
		}
		if err := syscall.Bind(fd, to); err != nil {
			return nil, wrap("listen on "+a, err)
		}
		if err := syscall.Listen(fd, 1024); err != nil {
			return nil, wrap("listen on "+a, err)
		}
		sockets = append(sockets, fd)
	}
	return sockets, nil
}

// dial begins to connect to an IPv4 address. It does not wait: what runs inside must not hold the
// supervisor up.
func dial(to string) (int, error) {
	at, ok := address(to)
	if !ok {
		return -1, &fault{"connect to " + to, syscall.EINVAL}
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC|syscall.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, wrap("socket", err)
	}
	if err := syscall.Connect(fd, at); err != nil && err != syscall.EINPROGRESS {
		syscall.Close(fd)
		return -1, wrap("connect to "+to, err)
	}
	return fd, nil
}

func loopback() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return wrap("socket", err)
	}
	defer syscall.Close(fd)
	request := struct {
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	_, err = call(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request)))
	return wrap("bring the loopback device up", err)
}

// address reads an IPv4 address with a port.
func address(s string) (*syscall.SockaddrInet4, bool) {
	to := &syscall.SockaddrInet4{}
	field, digits, n := 0, 0, 0
	for i := 0; i <= len(s); i++ {
		if i < len(s) && s[i] >= '0' && s[i] <= '9' && digits < 5 {
			n, digits = n*10+int(s[i]-'0'), digits+1
			continue
		}
		separator := byte('.')
		if field == 3 {
			separator = ':'
		}
		switch {
		case digits == 0, field < 4 && (n > 255 || i == len(s) || s[i] != separator):
			return nil, false
		case field < 4:
			to.Addr[field] = byte(n)
		case i < len(s) || n > 65535:
			return nil, false
		default:
			to.Port = n
			return to, true
		}
		field, digits, n = field+1, 0, 0
	}
	return nil, false
}
