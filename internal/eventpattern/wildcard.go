package eventpattern

import (
	"fmt"
	"strings"
)

// maxWildcards is how many a pattern may have before it is too complex. AWS weighs the sequences between them
// too, in a way that it does not publish.
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html#eb-filtering-wildcard-matching-complexity
const maxWildcards = 5

// wildcard is the texts between a pattern's stars: the first begins a match, the last ends it.
type wildcard []string

func (w wildcard) met(v *value) bool {
	if v.kind != text {
		return false
	}
	s, last := v.text, len(w)-1
	if last == 0 {
		return s == w[0]
	}
	if !strings.HasPrefix(s, w[0]) {
		return false
	}
	s = s[len(w[0]):]
	for _, part := range w[1:last] {
		i := strings.Index(s, part)
		if i < 0 {
			return false
		}
		s = s[i+len(part):]
	}
	return strings.HasSuffix(s, w[last])
}

// parseWildcard reads a pattern with stars; a backslash takes a star or a backslash for itself. Positions
// are counted from the quote before the pattern, as AWS does.
func parseWildcard(s string) (condition, error) {
	w := wildcard{""}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '*':
			if i+1 < len(s) && s[i+1] == '*' {
				return nil, unplaced(fmt.Sprintf("Consecutive wildcard characters at pos %d", i+1))
			}
			w = append(w, "")
			continue
		case c == '\\':
			if i+1 == len(s) || s[i+1] != '*' && s[i+1] != '\\' {
				return nil, unplaced(fmt.Sprintf("Invalid escape character at pos %d", i+1))
			}
			i++
			c = s[i]
		}
		w[len(w)-1] += string([]byte{c})
	}
	if len(w)-1 > maxWildcards {
		return nil, &Error{Reason: "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character"}
	}
	return w, nil
}
