// Package eventbridge is Amazon EventBridge: event buses, their rules and targets.
//
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
package eventbridge
