package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
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
	if root == "" {
		root = "1-" + strconv.FormatInt(now.Unix(), 16) + "-" + hex.EncodeToString(random[:12])
	}
	if sampled != "0" && sampled != "1" {
		sampled = "0"
		if active {
			sampled = "1"
		}
	}
	if lineage == "" {
		lineage = fmt.Sprintf("1:%08x:0", crc32.ChecksumIEEE([]byte(functionARN)))
	}
	return "Root=" + root + ";Parent=" + hex.EncodeToString(random[12:]) + ";Sampled=" + sampled + ";Lineage=" + lineage
}
