// Package rest is what restJson and restXml share: routes made of a service's paths, and the members
// that travel in the path, the query string, headers and the status.
//
// https://smithy.io/2.0/spec/http-bindings.html
package rest
