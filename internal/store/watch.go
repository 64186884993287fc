package store

// Watcher is a Store that other processes write to, too.
type Watcher interface {
	// Watch calls changed with every key below a prefix that another process wrote or deleted, once a View shows
	// that; with nil where all keys may have changed. The calls come one after the other, and must return soon.
	// There are none after stop has returned.
	Watch(prefix []byte, changed func(key []byte)) (stop func())
}

// Watch tells of what others write to a store, for what is kept in memory of it; see Watcher. Where nobody else
// does there is nothing to tell.
func Watch(s Store, prefix []byte, changed func(key []byte)) (stop func()) {
	if w, ok := s.(Watcher); ok {
		return w.Watch(prefix, changed)
	}
	return func() {}
}
