package headercase

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// Requests on one connection, with bodies that look like heads, each get their own names.
func TestNames(t *testing.T) {
	got := make(chan map[string]string, 1)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got <- Names(r)
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	server.Listener = Listener(server.Listener)
	server.Config.ConnContext = ConnContext
	server.Start()
	defer server.Close()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	replies := bufio.NewReader(c)
	for i, body := range []string{"", strings.Repeat("POST /1 HTTP/1.1\r\nbAd: x\r\n\r\n", 3000), "x", strings.Repeat("y", 3*maxHead), ""} {
		fmt.Fprintf(c, "POST /%d HTTP/1.1\r\nHost: h\r\nx-API-key: k\r\nPlain: p\r\nn%d: v\r\ncontent-length: %d\r\n\r\n%s", i, i, len(body), body)
		res, err := http.ReadResponse(replies, nil)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		want := map[string]string{"X-Api-Key": "x-API-key", fmt.Sprintf("N%d", i): fmt.Sprintf("n%d", i), "Content-Length": "content-length"}
		if names := <-got; !maps.Equal(names, want) {
			t.Errorf("request %d: got %v", i, names)
		}
	}
}

func TestWithoutListener(t *testing.T) {
	if names := Names(httptest.NewRequest("GET", "/", nil)); names != nil {
		t.Errorf("got %v", names)
	}
}

func TestKeep(t *testing.T) {
	c := &conn{}
	var all []byte
	for i := range 200 {
		p := []byte(strings.Repeat(string(rune('a'+i%26)), 1+i*37%5000))
		c.keep(p)
		all = append(all, p...)
		if !strings.HasSuffix(string(all), string(c.tail)) || len(c.tail) > 2*maxHead || len(c.tail) < min(maxHead, len(all)) {
			t.Fatalf("step %d: keeps %d of %d", i, len(c.tail), len(all))
		}
	}
	c.keep(make([]byte, 5*maxHead))
	if len(c.tail) != 2*maxHead {
		t.Errorf("keeps %d", len(c.tail))
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\na: b\r\nC: d\r\n\r\nbody"))
	f.Add([]byte("GET / HTTP/1.1\r\n:\n\xff: x"))
	f.Fuzz(func(t *testing.T, tail []byte) {
		for canonical, name := range find(tail, "GET / HTTP/1.1\r\n", http.Header{"A": nil}) {
			if !strings.EqualFold(canonical, name) || canonical == name {
				t.Errorf("%q: %q", canonical, name)
			}
		}
	})
}
