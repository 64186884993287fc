// Package pipes is Amazon EventBridge Pipes: pipes from a source through a filter and an enrichment to a target.
//
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/Welcome.html
package pipes
