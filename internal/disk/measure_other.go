//go:build !linux

package disk

// measure is for Linux.
func measure(string) (free, size int64, ok bool) { return 0, 0, false }
