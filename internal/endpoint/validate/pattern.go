package validate

import (
	"hash/maphash"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dlclark/regexp2"
)

// pattern is a Java regular expression that a whole string must match. It is compiled when first used.
type pattern struct {
	java string

	once sync.Once
	fast *regexp.Regexp  // where it needs nothing that RE2 lacks
	slow *regexp2.Regexp // lookaround and the like, with a limit on its time
	good [64]atomic.Pointer[string]
}

// matchTimeout bounds the backtracking of patterns that RE2 cannot do.
const matchTimeout = 100 * time.Millisecond

// maxRemembered is the longest string that a pattern remembers to have matched.
const maxRemembered = 256

var seed = maphash.MakeSeed()

func compile(java string) *pattern { return &pattern{java: java} }

// matches reports whether the pattern matches the whole of s. Names come again and again, so those that
// matched last are remembered. A pattern that cannot be compiled matches everything.
func (p *pattern) matches(s string) bool {
	if p == nil {
		return true
	}
	if len(s) > maxRemembered {
		return p.match(s)
	}
	slot := &p.good[maphash.String(seed, s)%uint64(len(p.good))]
	if last := slot.Load(); last != nil && *last == s {
		return true
	}
	if !p.match(s) {
		return false
	}
	kept := strings.Clone(s)
	slot.Store(&kept)
	return true
}

func (p *pattern) match(s string) bool {
	p.once.Do(p.compile)
	switch {
	case p.fast != nil:
		return p.fast.MatchString(s)
	case p.slow != nil:
		ok, err := p.slow.MatchString(s)
		return ok && err == nil
	}
	return true
}

func (p *pattern) compile() {
	whole := `\A(?:` + translate(p.java) + `)\z`
	var err error
	if p.fast, err = regexp.Compile(whole); err == nil {
		return
	}
	p.fast = nil
	if p.slow, err = regexp2.Compile(whole, regexp2.RE2); err != nil {
		p.slow = nil
		return
	}
	p.slow.MatchTimeout = matchTimeout
}

// Java's classes by name, as the inside of a class.
// https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/regex/Pattern.html
var javaClasses = map[string]string{
	"ASCII": `\x00-\x7F`, "Alnum": `0-9A-Za-z`, "Alpha": `A-Za-z`, "Digit": `0-9`, "Lower": `a-z`, "Upper": `A-Z`,
	"Punct": `!-/:-@\[-` + "`" + `{-~`, "Graph": `!-~`, "Print": ` -~`, "Blank": ` \t`, "Cntrl": `\x00-\x1F\x7F`,
	"XDigit": `0-9A-Fa-f`, "Space": `\t\n\x0B\f\r `, "IsAlphabetic": `\p{L}\p{Nl}`, "IsDigit": `\p{Nd}`,
	"IsLatin": `\p{Latin}`, "L1": `\x00-\x{FF}`, "javaLetter": `\p{L}`,
}

const (
	javaSpace = `\t\n\x0B\f\r `
	anyChar   = `[^\n\r\x{85}\x{2028}\x{2029}]`
)

// translate writes a Java pattern in Go's syntax. What Go has no words for stays as it is.
func translate(java string) string {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(java); i++ {
		c := java[i]
		switch {
		case c == '\\' && i+1 < len(java):
			i = escape(&b, java, i, inClass)
		case c == '[' && !inClass:
			inClass = true
			b.WriteByte(c)
			for _, first := range []string{"^", "]"} {
				if strings.HasPrefix(java[i+1:], first) {
					b.WriteString(first)
					i++
				}
			}
		case c == '[' && !strings.HasPrefix(java[i:], "[:"):
			b.WriteString(`\[`)
		case c == ']' && inClass:
			inClass = false
			b.WriteByte(c)
		case c == '.' && !inClass:
			b.WriteString(anyChar)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// escape translates the escape at java[i] and returns the place of its last byte.
func escape(b *strings.Builder, java string, i int, inClass bool) int {
	class := func(inside string, not bool) {
		switch {
		case inClass && !not:
			b.WriteString(inside)
		case not:
			b.WriteString("[^" + inside + "]")
		default:
			b.WriteString("[" + inside + "]")
		}
	}
	switch c := java[i+1]; {
	case c == 'u' && i+5 < len(java):
		b.WriteString(`\x{` + java[i+2:i+6] + `}`)
		return i + 5
	case c == 's':
		class(javaSpace, false)
	case c == 'S' && !inClass:
		class(javaSpace, true)
	case (c == 'p' || c == 'P') && i+2 < len(java) && java[i+2] == '{':
		end := strings.IndexByte(java[i:], '}')
		if end < 0 {
			break
		}
		inside, known := javaClasses[java[i+3:i+end]]
		switch {
		case known && (c == 'p' || !inClass):
			class(inside, c == 'P')
		default:
			b.WriteString(java[i : i+end+1])
		}
		return i + end
	case c == 'Z':
		b.WriteString(`\z`)
	default:
		b.WriteString(java[i : i+2])
	}
	return i + 1
}
