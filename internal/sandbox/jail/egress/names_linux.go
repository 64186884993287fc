package egress

import (
	"context"
	"net"
	"os"
	"strings"
	"time"
)

// How long one of the host's resolvers may take, and how long a program may go on asking over one socket.
const (
	answerWithin = 2 * time.Second
	namesIdle    = 10 * time.Second
)

// hostResolvers are the addresses of the resolvers that the host itself asks, as they are now.
func hostResolvers() []string {
	text, _ := os.ReadFile("/etc/resolv.conf")
	return resolvers(string(text))
}

// resolvers reads a resolv.conf; without any in it, this machine's own is meant.
// https://man7.org/linux/man-pages/man5/resolv.conf.5.html
func resolvers(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) > 1 && f[0] == "nameserver" {
			list = append(list, net.JoinHostPort(f[1], "53"))
		}
	}
	if list == nil {
		return []string{"127.0.0.1:53"}
	}
	return list
}

// answerNames answers a program's questions, one after the other.
func (g *Gate) answerNames(ctx context.Context, inside net.Conn) {
	p := datagrams.Get().(*[64 << 10]byte)
	defer datagrams.Put(p)
	for {
		inside.SetReadDeadline(time.Now().Add(namesIdle))
		n, err := inside.Read(p[:])
		if err != nil {
			return
		}
		for _, r := range g.Resolvers() {
			if answer, ok := ask(ctx, r, p[:n]); ok {
				inside.Write(answer)
				break
			}
		}
	}
}

// ask puts a question to a resolver. What comes back must have the question's number.
func ask(ctx context.Context, resolver string, question []byte) ([]byte, bool) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "udp", resolver)
	if err != nil || len(question) < 2 {
		return nil, false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(answerWithin))
	if _, err := c.Write(question); err != nil {
		return nil, false
	}
	answer := make([]byte, 4<<10)
	for {
		n, err := c.Read(answer)
		if err != nil {
			return nil, false
		}
		if n >= 2 && answer[0] == question[0] && answer[1] == question[1] {
			return answer[:n], true
		}
	}
}
