// Package target hands letters to what their ARN names: functions, queues, topics, buses, streams, log groups,
// state machines, and any operation of any service that is there (universal targets). EventBridge, its
// Scheduler and Pipes send through it.
//
// It owns how each kind of target is called, and what the errors of such calls mean to their senders. It
// calls as the principal that it is given; it keeps nothing, and when to try again its callers decide.
package target
