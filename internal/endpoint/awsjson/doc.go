// Package awsjson speaks awsJson 1.0 and 1.1, and reads and writes JSON for restjson.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
package awsjson
