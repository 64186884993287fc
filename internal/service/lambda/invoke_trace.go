package lambda

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	api "cirro/internal/awsapi/lambda"
)

// traceFields are what a tracing header says.
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
type traceFields struct {
	root, sampled string
	lineage       []ancestor
}

func parseTrace(header string) (f traceFields) {
	for field := range strings.SplitSeq(header, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch strings.ToLower(name) {
		case "root":
			f.root = value
		case "sampled":
			f.sampled = value
		case "lineage":
			f.lineage = parseLineage(value)
		}
	}
	return f
}

// trace makes the tracing header of an invocation from the ones it came with, if any: it keeps the first
// one's root and decision to sample, names the invocation as the parent of what the function does, and counts
// the functions passed on the way. Where nobody decided, a function with active tracing is sampled.
func (r *route) trace(now time.Time, headers ...string) string {
	var f traceFields
	for i, h := range headers {
		switch next := parseTrace(h); i {
		case 0:
			f = next
		default:
			f.lineage = merge(f.lineage, next.lineage)
		}
	}
	var random [20]byte
	rand.Read(random[:])
	if f.sampled != "0" && f.sampled != "1" {
		f.sampled = "0"
		if r.main.Tracing == api.TracingModeActive {
			f.sampled = "1"
		}
	}
	out := append(make([]byte, 0, 128), "Root="...)
	if f.root == "" {
		out = append(strconv.AppendInt(append(out, "1-"...), now.Unix(), 16), '-')
		out = hex.AppendEncode(out, random[:12])
	}
	out = append(append(out, f.root...), ";Parent="...)
	out = append(hex.AppendEncode(out, random[12:]), ";Sampled="...)
	out = append(append(out, f.sampled...), ";Lineage="...)
	return string(appendLineage(out, descend(f.lineage, r.lineageID)))
}
