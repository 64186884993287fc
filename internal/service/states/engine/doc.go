// Package engine runs executions of state machines so that nothing is lost and nothing happens twice in a
// history.
//
// The unit is a step: a transaction that reads what a happening is about (a start, a task's result, a time
// that has come, an answer with a task token), goes through all states that need nobody outside, appends to
// the history, and enqueues what is to be done: tasks, times, further steps. So whatever is done outside is
// on record before, and a step that is repeated, after a crash or a conflict, starts from what was on record.
//
// An execution is frames: one for the machine, and one for each branch and each item that is under way. Each
// knows its state, its input, its variables and what it waits for. A frame's turn grows whenever what it
// waits for changes; whatever comes back from outside names frame and turn, and is late where they differ.
//
// It owns executions from their start to their end. It knows neither AWS's API nor how a task is performed.
package engine
