// Package dir keeps bodies as files in a local directory, one file a body.
//
// A body is written to a file of its own apart, synced, and renamed into place, so that it is there as a
// whole or not at all; what a crash left unfinished is removed when the directory is opened. Any number of
// processes may share a directory whose file system knows locks. It knows nothing of what bodies mean.
package dir
