// Package mock reads what the tasks of executions shall answer in tests, in the format of AWS Step Functions
// Local's mock configuration.
//
// It owns the file's format: what is wrong with a file is said when it is read, with its place. It knows nothing of
// executions; which of its answers a task gets, the engine counts.
//
// https://docs.aws.amazon.com/step-functions/latest/dg/sfn-local-mock-cfg-file.html
package mock
