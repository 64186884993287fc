// Package pattern is the filter-pattern language of CloudWatch Logs: it compiles a pattern, says whether
// a message matches it, and extracts the values that a match names.
//
// The language has three forms: terms (`ERROR -"not found"`, `?warn ?error`, `%5[0-9]{2}%`), JSON
// (`{ $.user.id = 1 && $.path = "/a*" }`) and space-delimited (`[ip, user, ..., status = 4*, bytes]`).
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
//
// The package is pure: no input or output, no clock, no state. Matching takes time linear in the
// message, because regular expressions are RE2's and wildcards never backtrack past their last star.
// It knows nothing of groups, streams or events.
package pattern
