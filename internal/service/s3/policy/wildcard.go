package policy

import "strings"

// wildcard is a pattern: * stands for any characters, ? for one.
type wildcard struct {
	pattern string
	fold    bool // letters' case counts for nothing
}

func newWildcard(pattern string, fold bool) wildcard {
	if fold {
		pattern = strings.ToLower(pattern)
	}
	return wildcard{pattern, fold}
}

func wildcards(patterns []string, fold bool) []wildcard {
	out := make([]wildcard, len(patterns))
	for i, p := range patterns {
		out[i] = newWildcard(p, fold)
	}
	return out
}

func anyMatches(patterns []wildcard, s string) bool {
	for _, p := range patterns {
		if p.match(s) {
			return true
		}
	}
	return false
}

// match goes back to the last star where it fails, and lets that stand for one more.
func (w wildcard) match(s string) bool {
	if w.fold {
		s = strings.ToLower(s)
	}
	p := w.pattern
	star, resume := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == '*':
			star, resume = j, i
			j++
		case j < len(p) && (p[j] == '?' || p[j] == s[i]):
			i++
			j++
		case star >= 0:
			resume++
			i, j = resume, star+1
		default:
			return false
		}
	}
	return strings.Trim(p[j:], "*") == ""
}
