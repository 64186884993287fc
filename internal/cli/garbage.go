package cli

import (
	"os"
	"runtime"
	"runtime/debug"
)

// The collector lets garbage grow to a share of what is in use. Of a platform that holds little that is so little that
// it collects dozens of times a second under load, and a read of DynamoDB spends a quarter of its time on that.
const (
	// ballast is never touched, so it takes no memory; to the collector it is in use.
	ballast = 64 << 20
	// share, in percent of what is in use, is such that where much is, garbage grows no larger than by Go's own choice.
	share = 67
)

// collectLess makes the collector work less often until its result is called. GOGC in the environment has precedence.
func collectLess() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	held := make([]byte, ballast)
	was := debug.SetGCPercent(share)
	return func() {
		debug.SetGCPercent(was)
		runtime.KeepAlive(held)
	}
}
