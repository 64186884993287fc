// Package query speaks awsQuery: forms in, XML out.
//
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
package query
