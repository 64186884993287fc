// Package markup reads and writes XML bodies: the requests and replies of restXml, the replies of query.
//
// https://smithy.io/2.0/spec/protocol-traits.html#xml-bindings
package markup
