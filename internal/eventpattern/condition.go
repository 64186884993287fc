package eventpattern

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// condition is what a value may have to meet.
type condition interface{ met(v *value) bool }

// value is a leaf of an event.
type value struct {
	kind   valueKind
	text   string // of a string, or as it is written
	number number // of a number
}

type valueKind uint8

const (
	text valueKind = iota
	numeric
	word // true, false or null
)

// exact is a string.
type exact string

func (e exact) met(v *value) bool { return v.kind == text && v.text == string(e) }

// exactly is the condition for a string in a pattern: an IP address stands for it in all its notations.
func exactly(s string) condition {
	if a, ok := address(s); ok && a.Is6() {
		return sameAddress{a}
	}
	return exact(s)
}

type sameAddress struct{ addr netip.Addr }

func (s sameAddress) met(v *value) bool {
	a, ok := address(v.text)
	return ok && v.kind == text && a == s.addr
}

// literal is true, false or null.
type literal string

func (l literal) met(v *value) bool { return v.kind == word && v.text == string(l) }

// sameNumber is a number, however it is written.
type sameNumber struct{ number }

func (s sameNumber) met(v *value) bool { return v.kind == numeric && s.compare(&v.number) == 0 }

// span is a range of numbers; nil for no bound.
type span struct {
	bottom, top         *number
	openBottom, openTop bool
}

func (s span) met(v *value) bool {
	if v.kind != numeric {
		return false
	}
	if s.bottom != nil {
		if c := v.number.compare(s.bottom); c < 0 || c == 0 && s.openBottom {
			return false
		}
	}
	if s.top != nil {
		if c := v.number.compare(s.top); c > 0 || c == 0 && s.openTop {
			return false
		}
	}
	return true
}

// presence is met by any leaf, null too.
type presence struct{}

func (presence) met(*value) bool { return true }

// absence is met by no value: a field keeps it apart.
type absence struct{}

func (absence) met(*value) bool { return false }

// onText is a condition of strings alone.
type onText func(s string) bool

func (f onText) met(v *value) bool { return v.kind == text && f(v.text) }

// prefixed and suffixed are how a string begins or ends.
type (
	prefixed string
	suffixed string
)

func (p prefixed) met(v *value) bool { return v.kind == text && strings.HasPrefix(v.text, string(p)) }
func (p suffixed) met(v *value) bool { return v.kind == text && strings.HasSuffix(v.text, string(p)) }

func prefix(p string) condition { return prefixed(p) }
func suffix(p string) condition { return suffixed(p) }

func foldedPrefix(p string) condition {
	p = strings.ToLower(p)
	return onText(func(s string) bool { return strings.HasPrefix(strings.ToLower(s), p) })
}

func foldedSuffix(p string) condition {
	p = strings.ToLower(p)
	return onText(func(s string) bool { return strings.HasSuffix(strings.ToLower(s), p) })
}

func equalFold(p string) condition {
	return onText(func(s string) bool { return strings.EqualFold(s, p) })
}

// anythingBut is met by what meets none of its conditions, whatever its type.
type anythingBut []condition

func (a anythingBut) met(v *value) bool {
	for _, c := range a {
		if c.met(v) {
			return false
		}
	}
	return true
}

// ipv4 and ipv6 are what AWS takes for an address.
var (
	ipv4 = regexp.MustCompile(`^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$`)
	ipv6 = regexp.MustCompile(`^[0-9a-fA-F:]*:[0-9a-fA-F:]*$`)
)

// address reads an IP address. The first byte tells most other strings apart at once.
func address(s string) (netip.Addr, bool) {
	if len(s) < 2 || len(s) > 45 || strings.IndexByte("0123456789abcdefABCDEF:", s[0]) < 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil && a.Zone() == "" && !a.Is4In6()
}

// network is the addresses from one to another, as AWS counts them: from the one that is written.
type network struct{ from, to netip.Addr }

func (n network) met(v *value) bool {
	if v.kind != text {
		return false
	}
	a, ok := address(v.text)
	return ok && a.BitLen() == n.from.BitLen() && a.Compare(n.from) >= 0 && a.Compare(n.to) <= 0
}

// parseNetwork reads "10.0.0.0/24". AWS gives its errors no place.
func parseNetwork(s string) (condition, error) {
	ip, mask, ok := strings.Cut(s, "/")
	if !ok || ip == "" || strings.Contains(mask, "/") || mask == "" {
		return nil, &Error{Reason: "Malformed CIDR, one '/' required"}
	}
	bits, err := strconv.Atoi(mask)
	if err != nil {
		return nil, &Error{Reason: "Malformed CIDR, mask bits must be an integer"}
	}
	if bits < 0 {
		return nil, &Error{Reason: "Malformed CIDR, mask bits must not be negative"}
	}
	if !ipv4.MatchString(ip) && !ipv6.MatchString(ip) {
		return nil, &Error{Reason: "Nonstandard IP address: " + ip}
	}
	from, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, &Error{Reason: "Invalid IP address: " + ip}
	}
	if from.Is4() && bits > 31 {
		return nil, &Error{Reason: "IPv4 mask bits must be < 32"}
	}
	if from.Is6() && bits > 127 {
		return nil, &Error{Reason: "IPv6 mask bits must be < 128"}
	}
	last := from.AsSlice()
	for i := bits; i < from.BitLen(); i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	to, ok := netip.AddrFromSlice(last)
	if !ok {
		return nil, fmt.Errorf("no address of %d bytes", len(last))
	}
	return network{from, to}, nil
}
