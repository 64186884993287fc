// Package eventbridge is Amazon EventBridge: event buses, their rules and targets, archives and replays,
// connections and API destinations.
//
// PutEvents matches an event against its bus's rules at once, in memory, and writes what is to be delivered in
// one transaction: an event that no rule wants costs nothing. Couriers carry it from there, try again what
// fails in passing, and leave what does not go away in dead-letter queues. What patterns mean is
// eventpattern's, how targets are called is target's, and when schedules are due is schedule's to say.
//
// https://docs.aws.amazon.com/eventbridge/latest/APIReference/Welcome.html
package eventbridge
