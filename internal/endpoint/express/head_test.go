package express

import (
	"bufio"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Whatever is taken for plain, net/http reads in the same way.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"POST /a/b?c=%3A HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\nx-amz-date: now \r\nX-Amz-Date:\tlater\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\nCookie: a=b\r\ncookie: c\r\n\r\n",
		"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", "GET // HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: +1\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: \r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nA: b\r\n c\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA : b\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nA: \x01\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: \r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET /#f HTTP/1.1\r\nHost: h\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: h\r\nPragma: no-cache\r\n\r\n", "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, plain := parse(text, nil)
		if !plain {
			return
		}
		if !begins([]byte(text)) {
			t.Fatalf("%q does not begin as it should", text)
		}
		c := &conn{blank: &http.Request{}}
		x, ok := c.request(&h, make([]byte, min(h.length, maxBody)))
		want, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil {
			if ok {
				t.Fatalf("%q is plain; net/http says %v", text, err)
			}
			return
		}
		if !ok {
			t.Fatalf("%q has no target", text)
		}
		got := &x.request
		if got.Method != want.Method || *got.URL != *want.URL || got.RequestURI != want.RequestURI || got.Host != want.Host ||
			got.ContentLength != want.ContentLength || want.Close || len(want.TransferEncoding) > 0 || len(want.Trailer) > 0 ||
			!maps.EqualFunc(got.Header, want.Header, slices.Equal) {
			t.Errorf("%q:\n%+v, net/http\n%+v", text, got, want)
		}
	})
}
