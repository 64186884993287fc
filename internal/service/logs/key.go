package logs

import (
	"math/rand/v2"

	"cirro/internal/store"
)

// The kinds of keys, as the package's comment lists them. keysOfGroup are those with the group's id.
const (
	kindGroup        = "group"
	kindCounter      = "counter"
	kindStream       = "stream"
	kindRecent       = "recent"
	kindChunk        = "chunk"
	kindIndex        = "index"
	kindSubscription = "subscription"
	kindGarbage      = "garbage"
	kindPolicy       = "policy"
)

var keysOfGroup = []string{kindCounter, kindStream, kindRecent, kindChunk, kindIndex, kindSubscription, kindGarbage}

func key(kind string, parts ...any) []byte {
	return store.AppendKey(store.Key("logs", kind), parts...)
}

func keys(kind string, parts ...any) store.Range {
	return store.Prefix(append([]any{"logs", kind}, parts...)...)
}

// keysBeginning is the range of the keys whose last part is a string that begins with prefix.
func keysBeginning(prefix, kind string, parts ...any) store.Range {
	start := key(kind, append(parts, prefix)...)
	start = start[:len(start)-1] // the end of the string
	return store.Range{Start: start, End: append(start[:len(start):len(start)], 0xff)}
}

// newID makes an id that no other group or stream has or had.
func newID() int64 { return rand.Int64() }
