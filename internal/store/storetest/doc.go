// Package storetest is the behaviour that every implementation of store.Store has in common, as tests.
// An implementation's own tests call Run. It owns no implementation and knows none.
package storetest
