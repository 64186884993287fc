// Package runtimeapi is Lambda's Runtime API, version 2018-06-01: the HTTP interface through which the
// runtime inside an execution environment gets its invocations and answers them.
//
// It owns the protocol and the state of one runtime. It never starts, stops or times anything: package
// sandbox does, and watches Ready, InitFailed and each Call's Done.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html.
package runtimeapi
