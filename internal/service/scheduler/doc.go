// Package scheduler is Amazon EventBridge Scheduler: schedules, their groups, and what they call.
//
// A schedule that is enabled has an alarm in the store. When it rings, the invocation is enqueued and the
// schedule's next time is set in one transaction: each time comes once, and one that passed while nobody was
// up comes late. Couriers carry invocations from there. What an expression means is schedule's to say, and how
// targets are called target's.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html
package scheduler
