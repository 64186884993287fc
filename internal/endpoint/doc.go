// Package endpoint is the front door: one http.Handler for every AWS API. It finds out which service and
// operation a request means, who makes it, in which of AWS's protocols it speaks, decodes and validates
// its input against the service's table, calls the service, and answers as AWS would, down to the error's
// shape. It is also the awsapi.Caller through which services call each other: the same, minus the wire.
//
// The protocols are subpackages: awsjson, awscbor, query, restjson, restxml and rpcv2cbor. What they share is in
// wire (shapes bound to Go types), rest (routes and HTTP bindings), markup (XML) and stream (event
// streams). validate checks a model's constraints, sigv4 checks signatures.
//
// This package knows no service: it works from tables alone, and never keeps state between requests.
package endpoint
