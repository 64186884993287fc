// Package validate checks an operation's input against its model's constraints (required members, lengths,
// ranges, patterns, enumerations), and words what fails as AWS words it:
//
//	1 validation error detected: Value 'x!' at 'functionName' failed to satisfy constraint: Member must
//	satisfy regular expression pattern: [a-zA-Z0-9-_]+
//
// It knows only what a model says. What a service checks beyond that is the service's own affair.
package validate
