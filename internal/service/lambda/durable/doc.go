// Package durable is one execution of a durable function as a state machine: what a checkpoint, a time that has come,
// an answer of the function, a callback or a chained invocation changes, and which events of its history follow.
// https://docs.aws.amazon.com/lambda/latest/dg/durable-functions.html
//
// It owns the rules and AWS's words for what breaks them. It knows no clock, no store and no network: a [Step] is given
// the time and a [Ledger], and says what is to be done outside. Transitions and messages follow AWS's own library for
// testing durable functions, https://github.com/aws/aws-durable-execution-sdk-python-testing.
package durable
