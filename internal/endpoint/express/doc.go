// Package express answers requests of one kind below net/http, at a third of its cost: those that are
// in the plainest form of HTTP/1.1 and whole in one buffer. All other requests are net/http's, on the
// same connections.
//
// It owns the bytes of a connection until it knows whose the next request is. It never answers a request
// that it does not understand to the last byte: what is unusual goes to net/http as it came.
package express
