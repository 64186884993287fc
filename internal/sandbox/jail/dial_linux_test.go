package jail

import (
	"context"
	"io"
	"testing"
)

func TestDialReachesTheInside(t *testing.T) {
	for _, mode := range []Mode{Unwalled, Rootless, AsRoot} {
		t.Run(string(mode), func(t *testing.T) {
			h, err := Open(t.TempDir(), Options{Mode: mode})
			if err != nil {
				t.Skipf("this machine gives no jails of mode %s: %v", mode, err)
			}
			defer h.Close()
			j, err := h.New(context.Background(), Config{Listeners: []string{"127.0.0.1:9001"}})
			if err != nil {
				t.Fatal(err)
			}
			defer j.Close()
			l := j.Listener(0)
			go func() {
				c, err := l.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, "inside")
				c.Close()
			}()
			address := "127.0.0.1:9001"
			if mode == Unwalled {
				address = l.Addr().String()
			}
			c, err := j.Dial(context.Background(), address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got, err := io.ReadAll(c); err != nil || string(got) != "inside" {
				t.Errorf("read %q, %v", got, err)
			}
			refused, err := j.Dial(context.Background(), "127.0.0.1:1")
			if err == nil {
				defer refused.Close()
				if _, err = refused.Read(make([]byte, 1)); err == nil {
					t.Error("a port that nobody listens on was connected to")
				}
			}
		})
	}
}
