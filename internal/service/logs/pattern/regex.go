package pattern

import (
	"regexp"
	"strings"
)

// What a regular expression may hold besides letters and digits, and what may follow a backslash.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html#regex-expressions
const (
	regexSymbols = ":_#=@/;,- ^$?[]{}|*+."
	regexEscapes = "dDsSwWtnrfv" + `^$?[]{}|\*+.-()/`
)

// compileRegex compiles the documented subset of regular expressions: no groups, no assertions but
// anchors, ASCII alone. All of it means the same in RE2, but for an open lower bound, which RE2
// writes as 0.
func compileRegex(source string) (*regexp.Regexp, error) {
	var re strings.Builder
	for i := 0; i < len(source); i++ {
		c := source[i]
		switch {
		case c == '\\':
			n := escapeLength(source[i:])
			if n == 0 {
				return nil, badCharacter(source[i:])
			}
			re.WriteString(source[i : i+n])
			i += n - 1
		case !isAlphanumeric(c) && strings.IndexByte(regexSymbols, c) < 0:
			return nil, badCharacter("%" + source + "%")
		case c == '{' && strings.HasPrefix(source[i:], "{,"):
			re.WriteString("{0")
		default:
			re.WriteByte(c)
		}
	}
	compiled, err := regexp.Compile(re.String())
	if err != nil {
		return nil, syntaxf("Invalid filter pattern: the regular expression '%s' is not valid", source)
	}
	return compiled, nil
}

// escapeLength is the length of the escape sequence that s begins with, 0 where there is none such.
func escapeLength(s string) int {
	switch {
	case len(s) >= 2 && strings.IndexByte(regexEscapes, s[1]) >= 0:
		return 2
	case len(s) >= 4 && s[1] == 'x' && isHex(s[2]) && isHex(s[3]):
		return 4
	}
	return 0
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isHex(c byte) bool {
	return 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F' || '0' <= c && c <= '9'
}
