// Package pipes is Amazon EventBridge Pipes: pipes from a source through a filter and an enrichment to a target.
//
// It owns pipes, their states, and what becomes of a batch on its way: what of it the enrichment gets and what
// the target. Sources are polled by package eventsource, targets called by package target.
//
// https://docs.aws.amazon.com/eventbridge/latest/pipes-reference/Welcome.html
package pipes
