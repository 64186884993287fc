package postgres

import (
	"testing"

	"cirro/internal/store"
	"cirro/internal/store/storetest"
)

// TestKilled kills processes that use a database: what they acknowledged is there.
func TestKilled(t *testing.T) {
	t.Setenv(databaseURL, url(t))
	storetest.Crash(t, func(t testing.TB, dir string) store.Store { return openTest(t, schemaOf(dir)) })
}
