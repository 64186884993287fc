package platform

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"cirro/internal/blob"
	"cirro/internal/blob/dir"
	s3blobs "cirro/internal/blob/s3"
	"cirro/internal/store"
	"cirro/internal/store/pebble"
	"cirro/internal/store/postgres"
)

// storeCache is how much of the store's tables stays in memory, once it was read: enough for the indexes and
// the filters of some ten million small items.
const storeCache = 64 << 20

// openStore opens the store that the options name: a database's, or the embedded one in the data directory.
func openStore(ctx context.Context, o Options) (store.Store, error) {
	switch scheme, _, _ := strings.Cut(o.Store, "://"); scheme {
	case "":
		return pebble.Open(filepath.Join(o.Data, "store"), pebble.Options{CacheBytes: storeCache})
	case "postgres", "postgresql":
		return postgres.Open(ctx, o.Store, postgres.Options{Log: o.Log})
	default:
		return nil, fmt.Errorf("--store %q: it is neither empty nor a postgres:// URL", o.Store)
	}
}

// openBlobs opens where bodies go: a bucket or a directory, by default one in the data directory.
func openBlobs(ctx context.Context, o Options) (blob.Store, error) {
	switch {
	case strings.HasPrefix(o.Blobs, "s3://"):
		return s3blobs.Open(ctx, o.Blobs)
	case o.Blobs != "":
		return dir.Open(o.Blobs)
	default:
		return dir.Open(filepath.Join(o.Data, "blobs"))
	}
}
