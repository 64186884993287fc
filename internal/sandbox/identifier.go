package sandbox

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"
)

// hexID makes a random identifier of n bytes, written in hexadecimal. It is no secret.
func hexID(n int) string {
	b := make([]byte, 0, n+8)
	for len(b) < n {
		x := rand.Uint64()
		for range 8 {
			b = append(b, byte(x))
			x >>= 8
		}
	}
	return hex.EncodeToString(b[:n])
}

// newTrace makes the header of a new trace.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func newTrace(sampled bool) string {
	bit := "0"
	if sampled {
		bit = "1"
	}
	return fmt.Sprintf("Root=1-%08x-%s;Parent=%s;Sampled=%s", time.Now().Unix(), hexID(12), hexID(8), bit)
}
