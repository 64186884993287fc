package lambda

import (
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"strconv"
	"strings"

	"cirro/internal/awsapi"
	api "cirro/internal/awsapi/lambda"
)

// A chain of invocations that one event has set off carries its lineage in the tracing header: for each function
// an entry of how many invocations it had, which function it is, and how often the chain has come back to it.
// AWS's SDKs hand the header on from within a function, and so does every service that keeps something for later.
//
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html
// https://docs.aws.amazon.com/xray/latest/devguide/xray-concepts.html#xray-concepts-tracingheader
const (
	mostRounds    = 16 // of a function in a chain
	mostAncestors = 32 // entries; the oldest fall out
)

// ancestor is an entry of a lineage.
type ancestor struct {
	function string
	rounds   int // that the chain came back to it
}

// lineageID is what a function is in a lineage.
func lineageID(functionARN string) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.ChecksumIEEE([]byte(functionARN)))
	return hex.EncodeToString(sum[:])
}

// parseLineage reads a lineage. What cannot be read is left out: any client may send any header.
func parseLineage(text string) []ancestor {
	var all []ancestor
	for entry := range strings.SplitSeq(text, "|") {
		part := strings.Split(entry, ":")
		if len(part) != 3 || part[1] == "" {
			continue
		}
		rounds, err := strconv.Atoi(part[2])
		if err == nil && rounds >= 0 && rounds < 1<<15 {
			all = append(all, ancestor{part[1], rounds})
		}
	}
	return all[max(0, len(all)-mostAncestors):]
}

// descend adds an invocation of a function to a lineage.
func descend(of []ancestor, function string) []ancestor {
	for i := range of {
		if of[i].function == function {
			of[i].rounds++
			return of
		}
	}
	return append(of, ancestor{function, 0})
}

// merge is the lineage of what has several: each function as often as in the one that has it most often.
func merge(a, b []ancestor) []ancestor {
next:
	for _, x := range b {
		for i := range a {
			if a[i].function == x.function {
				a[i].rounds = max(a[i].rounds, x.rounds)
				continue next
			}
		}
		a = append(a, x)
	}
	return a
}

func appendLineage(out []byte, of []ancestor) []byte {
	for i, a := range of {
		if i > 0 {
			out = append(out, '|')
		}
		out = append(strconv.AppendInt(out, int64(a.rounds)+1, 10), ':')
		out = append(append(out, a.function...), ':')
		out = strconv.AppendInt(out, int64(a.rounds), 10)
	}
	return out
}

// looping reports whether an invocation with the tracing header is one round too many.
func (r *route) looping(header string) bool {
	if r.mayLoop || header == "" {
		return false
	}
	for _, a := range parseTrace(header).lineage {
		if a.function == r.lineageID && a.rounds >= mostRounds {
			return true
		}
	}
	return false
}

// recursive answers an invocation that is not made because the function calls itself in a circle.
func recursive() *awsapi.Error {
	return api.RecursiveInvocationException.New("Lambda has detected your function being invoked in a recursive loop "+
		"with other AWS resources and stopped your function's invocation.").With("Type", "User")
}
