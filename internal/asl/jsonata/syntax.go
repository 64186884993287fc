package jsonata

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// sentences are JSONata's own words for what is wrong with an expression, which are the service's: the library has
// others. %s stands for the token where it was noticed.
// https://github.com/jsonata-js/jsonata/blob/master/src/jsonata.js
var sentences = map[string]string{
	"S0101": "String literal must be terminated by a matching quote",
	"S0102": "Number out of range: %s",
	"S0103": "Unsupported escape sequence: %s",
	"S0104": "The escape sequence \\u must be followed by 4 hex digits",
	"S0105": "Quoted property name must be terminated with a backquote (`)",
	"S0106": "Comment has no closing tag",
	"S0201": "Syntax error: %s",
	"S0207": "Unexpected end of expression",
	"S0208": "Parameter %s of function definition must be a variable name (start with $)",
	"S0209": "A predicate cannot follow a grouping expression in a step",
	"S0210": "Each step can only have one grouping expression",
	"S0211": "The symbol %s cannot be used as a unary operator",
	"S0212": "The left side of := must be a variable name (start with $)",
	"S0214": "The right side of %s must be a variable name (start with $)",
	"S0215": "A context variable binding must precede any predicates on a step",
	"S0216": "A context variable binding must precede the 'order-by' clause on a step",
	"S0301": "Empty regular expressions are not allowed",
	"S0302": "No terminating / in regular expression",
}

var (
	syntaxError = regexp.MustCompile(`(?s)^JSONata error (S\d{4})(?: at token ("(?:[^"\\]|\\.)*"))?: (.*)$`)
	expectation = regexp.MustCompile(`^expected (?:token (\d+)|, or (\S)|(\S)(?: |$))`)
)

// tokens are the library's numbers of those that it says it expected.
var tokens = map[string]string{"8": "[", "9": "]", "10": "{", "11": "}", "12": "(", "13": ")", "14": ",", "17": ";", "18": ":"}

// inWords is an error of the library's parser as the service has it.
func inWords(err error) error {
	match := syntaxError.FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	code, token, reason := match[1], match[2], match[3]
	end := token == `""` || token == `"EOF"`
	if expected := expectation.FindStringSubmatch(reason); expected != nil && (code == "S0202" || code == "S0203" || code == "S0204") {
		want := "Expected " + strconv.Quote(tokens[expected[1]]+expected[2]+expected[3])
		if end {
			return errors.New(want + " before end of expression")
		}
		return errors.New(want + ", got " + token)
	}
	if end {
		return errors.New(sentences["S0207"])
	}
	sentence, ok := sentences[code]
	if !ok {
		return err
	}
	if token == "" {
		token = strconv.Quote(reason)
	}
	return errors.New(strings.ReplaceAll(sentence, "%s", token))
}
