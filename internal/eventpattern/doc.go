// Package eventpattern is EventBridge's pattern language: it compiles event patterns, refusing what AWS
// refuses in AWS's words, and says which events match one pattern or which of many.
//
// It owns the language's meaning, which is that of AWS's own matcher: fields are known by their path, arrays
// in between leave no trace in it, and a match never draws on two elements of one array. It reads no store
// and calls nobody: whose patterns they are, and what follows from a match, is its callers' concern.
//
// https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html
// https://github.com/aws/event-ruler
package eventpattern
