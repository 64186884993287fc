package egress

import (
	"net"
	"slices"
	"strings"
	"testing"
)

func TestResolvers(t *testing.T) {
	for text, want := range map[string][]string{
		"": {"127.0.0.1:53"},
		"# nameserver 1.1.1.1\nsearch example.org\nnameserver\n":           {"127.0.0.1:53"},
		"nameserver 192.0.2.1\n nameserver\t2001:db8::1 # second\noptions": {"192.0.2.1:53", "[2001:db8::1]:53"},
	} {
		if got := resolvers(text); !slices.Equal(got, want) {
			t.Errorf("%q names %q; want %q", text, got, want)
		}
	}
}

func FuzzResolvers(f *testing.F) {
	f.Add("nameserver 192.0.2.1\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range resolvers(text) {
			if _, port, err := net.SplitHostPort(r); port != "53" && !strings.ContainsAny(r, "[]") {
				t.Errorf("%q names %q: %v", text, r, err)
			}
		}
	})
}

// A resolver that says nothing, or something else, is passed over.
func TestAskTakesTheAnswerToItsQuestion(t *testing.T) {
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := server.ReadFrom(b)
			if err != nil {
				return
			}
			server.WriteTo([]byte{9, 9, 'f', 'o', 'r', 'g', 'e', 'd'}, from)
			server.WriteTo(append(b[:n:n], "answer"...), from)
		}
	}()
	if got, ok := ask(t.Context(), server.LocalAddr().String(), []byte{1, 2, '?'}); !ok || string(got) != "\x01\x02?answer" {
		t.Errorf("got %q, %v", got, ok)
	}
	if _, ok := ask(t.Context(), server.LocalAddr().String(), nil); ok {
		t.Error("no question was answered")
	}
}
