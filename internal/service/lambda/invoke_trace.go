package lambda

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// trace makes the tracing header of an invocation from the one it came with, "" for none: it keeps the
// root and the decision to sample, names the invocation as the parent of what the function does, and
// counts the functions passed on the way. Where nobody decided, a function with active tracing is
// sampled.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
func trace(header, functionARN string, active bool, now time.Time) string {
	var root, sampled, lineage string
	for field := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch strings.ToLower(name) {
		case "root":
			root = value
		case "sampled":
			sampled = value
		case "lineage":
			lineage = value
		}
	}
	var random [20]byte
	rand.Read(random[:])
	if sampled != "0" && sampled != "1" {
		sampled = "0"
		if active {
			sampled = "1"
		}
	}
	out := append(make([]byte, 0, 128), "Root="...)
	if root == "" {
		out = append(strconv.AppendInt(append(out, "1-"...), now.Unix(), 16), '-')
		out = hex.AppendEncode(out, random[:12])
	}
	out = append(append(out, root...), ";Parent="...)
	out = append(hex.AppendEncode(out, random[12:]), ";Sampled="...)
	out = append(append(out, sampled...), ";Lineage="...)
	if lineage == "" {
		var sum [4]byte
		binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(functionARN)))
		return string(append(hex.AppendEncode(append(out, "1:"...), sum[:]), ":0"...))
	}
	return string(append(out, lineage...))
}
