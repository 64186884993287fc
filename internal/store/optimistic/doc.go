// Package optimistic is what stores need for optimistic concurrency: what a transaction has read and
// written (Reads, Overlay, Merge), and whether others have written since what it read (History).
//
// It knows bytes and commit numbers. It does no input or output, and never decides what a conflict
// leads to.
package optimistic
