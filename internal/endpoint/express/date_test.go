package express

import (
	"net/http"
	"testing"
	"time"
)

func TestDateLine(t *testing.T) {
	for _, s := range []int64{0, 1, 1, 86399, 86400, 1} {
		now := time.Unix(s, 999999999)
		if got, want := dateLine(now), "Date: "+now.UTC().Format(http.TimeFormat)+"\r\n"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
