// Package states is AWS Step Functions: state machines, their executions, activities and what is known of
// them.
//
// It owns all that lies under "states" in the store. Executions are run by its subpackage engine, in the
// language of package asl; what a task does is in files named integration*.go, and goes through
// awsapi.Caller as the machine's role would.
//
// https://docs.aws.amazon.com/step-functions/latest/apireference/Welcome.html
package states
