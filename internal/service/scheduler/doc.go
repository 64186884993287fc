// Package scheduler is Amazon EventBridge Scheduler: schedules and what they call.
//
// https://docs.aws.amazon.com/scheduler/latest/APIReference/Welcome.html
package scheduler
