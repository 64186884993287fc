// Package control is the language between a host and the supervisor that is the first process of a
// jail: a message a datagram over a pair of sockets, with descriptors beside it.
//
// It owns the encoding. It never acts on a message. The supervisor runs before other packages are
// initialised, so that a jail is there sooner: only package syscall may be imported here.
package control
