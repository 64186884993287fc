// Package rawio reads and writes sockets without telling Go's scheduler of it. A call on a socket that does
// not block is short; but where the process was idle before, the scheduler wakes a thread that watches over
// calls, and that then looks after it fifty thousand times a second: for a small request this costs more
// than the call itself.
//
// It owns nothing. Who has to wait does so in the connection's own way, with its deadlines. On systems
// other than Linux it does what the net package does.
package rawio
