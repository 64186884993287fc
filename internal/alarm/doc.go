// Package alarm rings at times that it keeps in the store: each alarm once, and late rather than never where
// nobody was up when it was due. Setting one takes part in the transaction of whoever sets it, and so does
// what follows from its ringing.
//
// It owns the times and their order: an index in the store, of which one alarm at a time is waited for, so
// that a hundred thousand cost nothing while none is due. What an alarm stands for, and when it is to ring
// next, its owner says.
package alarm
