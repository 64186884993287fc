package s3

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"sync"
	"time"
)

// newID makes an id of a bucket, a body or an upload. Ids sort by the time they were made at, roughly, so that
// what is written together lies together.
func newID(now time.Time) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(now.UnixNano()))
	random(b[8:])
	return hex.EncodeToString(b[:])
}

// randoms are random bytes not yet used: a call of the kernel's for each few is dear.
var randoms struct {
	sync.Mutex
	bytes [1024]byte
	used  int
}

func init() { randoms.used = len(randoms.bytes) }

// random fills b, which is short.
func random(b []byte) {
	randoms.Lock()
	defer randoms.Unlock()
	if len(randoms.bytes)-randoms.used < len(b) {
		_, _ = rand.Read(randoms.bytes[:]) // never fails
		randoms.used = 0
	}
	randoms.used += copy(b, randoms.bytes[randoms.used:])
}

// versionIDs is how version ids are written: 32 characters of those that S3 uses.
var versionIDs = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._")

// newVersionID makes a version's id. It tells the version's order, so that it can be found by it.
func newVersionID(order int64) string {
	var b [24]byte
	random(b[8:])
	// Random bits lie over the order, so that ids do not all begin alike.
	binary.BigEndian.PutUint64(b[:], uint64(order)^binary.BigEndian.Uint64(b[16:]))
	return versionIDs.EncodeToString(b[:])
}

// orderOf is the order of the version with an id that newVersionID made; false for any other text.
func orderOf(id string) (int64, bool) {
	var b [24]byte
	if len(id) != versionIDs.EncodedLen(len(b)) {
		return 0, false
	}
	if _, err := versionIDs.Decode(b[:], []byte(id)); err != nil {
		return 0, false
	}
	order := int64(binary.BigEndian.Uint64(b[:]) ^ binary.BigEndian.Uint64(b[16:]))
	return order, order > 0
}

// sequencer is how events tell the order of what happened to a key.
func sequencer(order int64) string { return fmt.Sprintf("00%016X", order) }

// madeAt is when newID made an id.
func madeAt(id string) time.Time {
	var b [8]byte
	if len(id) < 16 {
		return time.Time{}
	}
	if _, err := hex.Decode(b[:], []byte(id[:16])); err != nil {
		return time.Time{}
	}
	return time.Unix(0, int64(binary.BigEndian.Uint64(b[:])))
}
