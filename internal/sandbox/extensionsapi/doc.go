// Package extensionsapi is Lambda's Extensions API, version 2020-01-01: the HTTP interface through
// which extensions register, get the events of an environment's life, and report their errors.
//
// It owns the protocol and the state of one environment's extensions. It starts and stops no process:
// package sandbox does.
//
// See https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html.
package extensionsapi
